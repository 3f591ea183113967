"""Where files lie: a path of this machine or a URL of an object store, spoken to alike."""

import hashlib
import os
import secrets
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from glob import has_magic
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

from monitor.configuration.urls import scheme_of
from monitor.errors import AskedWrongly, PathNotFound, nearest

State = tuple[int, int | str]  # size, and time of change or checksum: the same state, same bytes

_LISTED = 10  # names shown in a message


class Place(Protocol):
    """A file, or a folder or pattern that stands for several; shown without credentials.

    What is not there is a FileNotFoundError. A store that cannot be asked is SourceUnreadable,
    where a path of this machine raises OSError.
    """

    @property
    def name(self) -> str:
        """The last part of the path."""

    def is_file(self) -> bool: ...

    def files(self) -> Iterator[tuple[str, "Place"]]:
        """All files of a folder to its bottom, or of what a pattern matches, in no order.

        Each with its path relative to the folder, or to the part before the first wildcard.
        """

    def missing(self) -> PathNotFound:
        """The error to raise when there is nothing, which says what there is instead."""

    def open(self) -> BinaryIO:
        """The bytes, to be read from the start; seekable."""

    def for_arrow(self) -> Any:
        """What Arrow opens to read parts: a path or a file that fetches only what is asked for.

        A file serves one thread at a time.
        """

    def size(self) -> int:
        """How many bytes a file has."""

    def state(self) -> State | None:
        """What tells that a file is still the same, as it was when it was listed.

        None when it is gone, and when its store does not tell.
        """

    def state_now(self) -> State | None:
        """The same, asked anew."""

    def digest(self) -> str:
        """64 hex digits that stay while the bytes do; a file in a known state is not read again.

        FileNotFoundError when it is gone.
        """

    def child(self, name: str) -> "Place":
        """A file in this folder."""

    def holding(self, names: Collection[str]) -> set[str]:
        """Those of the names that are files right in this folder, and not links out of it."""

    def read(self) -> bytes: ...

    def write(self, content: bytes, kind: str = "application/octet-stream") -> None:
        """Write whole or not at all, making folders on the way; a reader sees old or new.

        `kind` is the media type, for stores that remember one.
        """


def place_of(text: str, root: Path, storage: Mapping[str, Any] | None = None) -> Place:
    """The place that people wrote down; a relative path is relative to `root`.

    `storage` are the options of the store. Raises AskedWrongly for a store that is not known,
    or whose package is not installed.
    """
    scheme = scheme_of(text)
    if not scheme:
        return LocalPlace(root / Path(text).expanduser())
    if scheme == "file":
        return LocalPlace(_local_path(text))
    from monitor.tables.object_storage import stored_place

    return stored_place(text, storage or {})


def some(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def nothing_there(asked: str, part: str, folder: Place, there: list[str]) -> PathNotFound:
    """PathNotFound for a path of which `part` is the first that is missing, below `folder`."""
    near = nearest(part, there)
    verb = "nothing matches" if has_magic(asked) else "there is no"
    return PathNotFound(
        f"{verb} {asked}; {folder} has: {some(there) or 'nothing'}",
        hint=f"did you mean '{folder.child(near)}'?" if near else "",
    )


def _local_path(text: str) -> Path:
    url = urlsplit(text)
    if url.netloc not in ("", "localhost"):
        raise AskedWrongly(
            f"{text} names a file of another machine",
            hint="a file of this one has three slashes: file:///data/train.parquet",
        )
    return Path(url2pathname(text.split("://", 1)[1].removeprefix(url.netloc)))


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """A path of this machine."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        return self.path.name

    def is_file(self) -> bool:
        return self.path.is_file()

    def files(self) -> Iterator[tuple[str, Place]]:
        path = self.path
        if path.is_dir():
            base, hits = path, [path]
        elif has_magic(str(path)):
            base = next(folder for folder in path.parents if not has_magic(str(folder)))
            hits = list(base.glob(str(path.relative_to(base))))
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
        return found.st_size, found.st_mtime_ns

    def state_now(self) -> State | None:
        return self.state()

    def digest(self) -> str:
        found = self.path.stat()
        return _digest(self.path, found.st_size, found.st_mtime_ns)

    def child(self, name: str) -> "LocalPlace":
        return LocalPlace(self.path / name)

    def holding(self, names: Collection[str]) -> set[str]:
        return {name for name in names if self._holds(name)}

    def _holds(self, name: str) -> bool:
        try:
            file = (self.path / name).resolve()
            return file.parent == self.path.resolve() and file.is_file()
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


@lru_cache(maxsize=4096)
def _digest(path: Path, size: int, mtime_ns: int) -> str:
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
