"""Files of this machine."""

import hashlib
import os
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from glob import has_magic
from pathlib import Path
from typing import BinaryIO

from monitor.errors import AskedWrongly, PathNotFound
from monitor.tables.places import Place, State, nothing_there, readable


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """A path of this machine."""

    path: Path

    def __str__(self) -> str:
        return readable(str(self.path))

    @property
    def name(self) -> str:
        return readable(self.path.name)

    def is_file(self) -> bool:
        return self.path.is_file()

    def files(self) -> Iterator[tuple[str, Place]]:
        path = self.path
        if path.is_dir():
            base, hits = path, [path]
        elif has_magic(str(path)):
            base = next(folder for folder in path.parents if not has_magic(str(folder)))
            hits = _matching(base, str(path.relative_to(base)))
        else:
            return
        inside = {f for hit in hits for f in (hit.rglob("*") if hit.is_dir() else (hit,))}
        for file in inside:
            if file.is_file():
                yield file.relative_to(base).as_posix(), LocalPlace(file)

    def missing(self) -> PathNotFound:
        path = self.path
        if path.is_dir():
            return PathNotFound(f"there is no data file in {path}")
        folder = next(f for f in path.parents if f.is_dir() and not has_magic(str(f)))
        there = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
        part = path.relative_to(folder).parts[0]
        return nothing_there(str(path), part, LocalPlace(folder), there)

    def open(self) -> BinaryIO:
        return self.path.open("rb")

    def for_arrow(self) -> str:
        return str(self.path)

    def size(self) -> int:
        return self.path.stat().st_size

    def state(self) -> State | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_size, f"{found.st_mtime_ns} {found.st_ino}"

    def state_now(self) -> State | None:
        return self.state()

    def digest(self) -> str:
        state = self.state()
        return _digest(self.path, state) if state else _read_digest(self.path)

    def child(self, name: str) -> "LocalPlace":
        return LocalPlace(self.path / name)

    def holding(self, names: Collection[str]) -> set[str]:
        return {name for name in names if self._holds(name)}

    def _holds(self, name: str) -> bool:
        try:
            file = self.path / name
            return file.is_file() and file.resolve().parent == self.path.resolve()
        except (OSError, ValueError):
            return False

    def read(self) -> bytes:
        return self.path.read_bytes()

    def write(self, content: bytes, kind: str = "application/octet-stream") -> None:
        folder = self.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{secrets.token_hex(8)}.part"
        try:
            with part.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        _sync(folder)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def _matching(folder: Path, pattern: str) -> list[Path]:
    try:
        return list(folder.glob(pattern))
    except ValueError:  # before Python 3.13
        raise AskedWrongly(
            f"{folder / pattern}: `**` stands for folders, between two `/`",
            hint="write `**/*.csv` for files in folders of any depth",
        ) from None


@lru_cache(maxsize=4096)
def _digest(path: Path, state: State) -> str:
    return _read_digest(path)


def _read_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    """Make a rename survive a power cut, where folders can be synced at all."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
