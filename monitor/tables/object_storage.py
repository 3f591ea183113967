"""Files of an object store: S3, Google Cloud Storage, Azure, and what else fsspec speaks to."""

import hashlib
import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from glob import has_magic
from itertools import takewhile
from typing import Any, BinaryIO, cast

from monitor.configuration.urls import scheme_of
from monitor.errors import AskedWrongly, PathNotFound, SourceUnreadable, StoreUnavailable
from monitor.tables.places import State, nothing_there
from monitor.tables.store_client import EXTRAS, ObjectStore, open_store

_PART_BYTES = 1 << 18  # fetched at least: little more to carry, and small parts come together
_TEXT_BYTES = 8 << 20  # fetched at most ahead of what is read from start to end
_CHECKSUMS = ("md5Hash", "crc32c", "ETag", "etag", "Content-MD5", "sha256", "checksum")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "modified", "created")


def stored_place(text: str, options: Mapping[str, Any]) -> "StoredPlace":
    """The place of a URL. Raises AskedWrongly for a store that cannot be spoken to."""
    store = open_store(text, options)
    place = StoredPlace(store, store.key_of(text))
    if store.scheme in EXTRAS and has_magic(place.key.split("/")[0]):
        raise AskedWrongly(f"{place}: a pattern cannot stand for a bucket")
    return place


@dataclass(frozen=True, slots=True)
class StoredPlace:
    """A key of an object store: a file, a prefix that stands for a folder, or a pattern."""

    store: ObjectStore
    key: str
    listed: Mapping[str, Any] | None = field(default=None, compare=False)  # as it was listed

    def __str__(self) -> str:
        return self.store.shown(self.key)

    @property
    def name(self) -> str:
        path = self.key.split("?")[0] if scheme_of(self.key) else self.key  # of a web address
        return path.rsplit("/", 1)[-1]

    def is_file(self) -> bool:
        try:
            return bool(self.store.info(self.key)["type"] == "file")
        except FileNotFoundError:
            return False

    def files(self) -> Iterator[tuple[str, "StoredPlace"]]:
        base, pattern = _fixed_part(self.key)
        wanted = _matcher(pattern)
        for key, info in self._found(base, pattern).items():
            name = key.removeprefix(base).lstrip("/")
            if info["type"] == "file" and not key.endswith("/") and wanted(name):
                yield name, StoredPlace(self.store, key, info)

    def _found(self, base: str, pattern: str) -> dict[str, Mapping[str, Any]]:
        """Everything below a folder; of a large one only what begins like the pattern."""
        start = re.split(r"[*?[]", pattern, maxsplit=1)[0]
        narrow = {"prefix": start} if start and self.store.scheme in EXTRAS else {}
        try:
            with self.store.asking(base):
                self.store.fs.invalidate_cache()
                found = self.store.fs.find(base, detail=True, **narrow)
        except FileNotFoundError:
            return {}
        return cast(dict[str, Mapping[str, Any]], found)

    def missing(self) -> PathNotFound:
        folder = _fixed_part(self.key)[0]
        while True:
            there = self._names_in(folder)
            if there and folder == self.key:
                return PathNotFound(f"there is no data file in {self}")
            if there:
                part = self.key.removeprefix(folder).lstrip("/").split("/")[0]
                return nothing_there(str(self), part, StoredPlace(self.store, folder), there)
            if not folder.strip("/") or scheme_of(folder):
                return PathNotFound(f"there is no {self}")
            folder = folder.rpartition("/")[0]

    def _names_in(self, folder: str) -> list[str]:
        """What a folder holds; nothing when it is not there or may not be listed."""
        try:
            with self.store.asking(folder):
                keys = self.store.fs.ls(folder, detail=False)
        except (FileNotFoundError, SourceUnreadable):
            return []
        names = {key.rstrip("/").rsplit("/", 1)[-1] for key in keys if key.strip("/") != folder}
        return sorted(name for name in names if name and not name.startswith("."))

    def open(self) -> BinaryIO:
        return io.BufferedReader(self._ranged(_TEXT_BYTES))

    def for_arrow(self) -> io.RawIOBase:
        return self._ranged(_PART_BYTES)

    def _ranged(self, ahead_bytes: int) -> io.RawIOBase:
        with self.store.asking(self.key):
            file = self.store.fs.open(self.key, "rb", cache_type="none")
            if isinstance(file, io.BytesIO):  # of memory://, one object for all who read it
                file = io.BytesIO(file.getvalue())
            if not file.seekable():
                file = io.BytesIO(file.read())
            size = file.seek(0, io.SEEK_END)
        return _Ranged(self, file, size, ahead_bytes)

    def size(self) -> int:
        return int((self.listed or self.store.info(self.key)).get("size") or 0)

    def state(self) -> State | None:
        return _state(self.listed) if self.listed is not None else self.state_now()

    def state_now(self) -> State | None:
        try:
            return _state(self.store.info(self.key))
        except FileNotFoundError:
            return None

    def digest(self) -> str:
        info = self.listed or self.store.info(self.key)
        checksum = _first(info, _CHECKSUMS)
        if checksum:
            return hashlib.sha256(f"{info.get('size')} {checksum}".encode()).hexdigest()
        state = _state(info)
        return _digest(self, state) if state else _read_digest(self)

    def child(self, name: str) -> "StoredPlace":
        return StoredPlace(self.store, f"{self.key.rstrip('/')}/{name}")

    def holding(self, names: Collection[str]) -> set[str]:
        if not names:
            return set()
        found = self._found(self.key, _common_start(names))
        return set(names) & {key.removeprefix(self.key).lstrip("/") for key in found}

    def read(self) -> bytes:
        with self.store.asking(self.key):
            return bytes(self.store.fs.cat_file(self.key))

    def write(self, content: bytes, kind: str = "application/octet-stream") -> None:
        typed: dict[str, dict[str, Any]] = {
            "s3": {"ContentType": kind},
            "gcs": {"content_type": kind},
            "azure": {"content_settings": {"content_type": kind}},
        }
        options = typed.get(EXTRAS.get(self.store.scheme, ""), {})
        try:
            with self.store.asking(self.key, StoreUnavailable):
                self.store.fs.pipe_file(self.key, content, **options)
        except FileNotFoundError:
            raise PathNotFound(f"{self} cannot be written: there is no such bucket") from None

    def remove(self) -> None:
        try:
            with self.store.asking(self.key, StoreUnavailable):
                self.store.fs.rm_file(self.key)
        except FileNotFoundError:
            return


class _Ranged(io.RawIOBase):
    """A stored file of which only the parts that are asked for are fetched."""

    def __init__(self, place: StoredPlace, file: Any, size: int, ahead_bytes: int) -> None:
        self._place = place
        self._file = file
        self._size = size
        self._piece_bytes = _PART_BYTES
        self._ahead_bytes = ahead_bytes
        self._at = 0
        self._held, self._held_from = b"", 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, (0, self._at, self._size)[whence] + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, into: Any) -> int:
        count = max(0, min(len(into), self._size - self._at))
        if not self._holds(count):
            if self._held and self._at == self._held_from + len(self._held):  # on and on
                self._piece_bytes = min(2 * self._piece_bytes, self._ahead_bytes)
            self._fetch(max(count, min(self._piece_bytes, self._size - self._at)))
        start = self._at - self._held_from
        into[:count] = memoryview(self._held)[start : start + count]
        self._at += count
        return count

    def _holds(self, count: int) -> bool:
        end = self._held_from + len(self._held)
        return count == 0 or self._held_from <= self._at <= self._at + count <= end

    def _fetch(self, count: int) -> None:
        with self._place.store.asking(self._place.key):
            self._file.seek(self._at)
            self._held, self._held_from = self._file.read(count), self._at
        if len(self._held) < count:
            raise SourceUnreadable(f"{self._place} became shorter while it was read")


# --- Listing ---


def _fixed_part(key: str) -> tuple[str, str]:
    """The longest leading folder of a pattern without wildcards, and what follows it."""
    parts = key.split("/")
    magic = next((i for i, part in enumerate(parts) if has_magic(part)), len(parts))
    return "/".join(parts[:magic]), "/".join(parts[magic:])


def _matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a path matches, or lies in a folder that does; everything without a pattern."""
    if not pattern:
        return lambda name: True
    from fsspec.utils import glob_translate

    matches = re.compile(glob_translate(pattern)).match

    def wanted(name: str) -> bool:
        parts = name.split("/")
        return any(matches("/".join(parts[:end])) for end in range(len(parts), 0, -1))

    return wanted


def _common_start(names: Collection[str]) -> str:
    pairs = zip(min(names), max(names), strict=False)  # what these two share, all share
    return "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _state(info: Mapping[str, Any]) -> State | None:
    token = _first(info, _CHECKSUMS) or _first(info, _TIMES)
    return (int(info.get("size") or 0), token) if token else None


def _first(info: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The first of these that a store tells; a weak checksum tells nothing of single bytes."""
    for name in names:
        value = info.get(name)
        if value and not str(value).startswith("W/"):
            moment = value.timestamp() if hasattr(value, "timestamp") else value
            return str(moment).strip('"')
    return ""


@lru_cache(maxsize=4096)
def _digest(place: StoredPlace, state: State) -> str:
    return _read_digest(place)


def _read_digest(place: StoredPlace) -> str:
    with place.open() as file:
        return hashlib.file_digest(cast(Any, file), "sha256").hexdigest()
