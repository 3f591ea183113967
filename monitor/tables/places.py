"""What every place of files promises, whether on this machine or in an object store."""

import os
from collections.abc import Collection, Iterator
from glob import has_magic
from typing import Any, BinaryIO, Protocol

from monitor.errors import PathNotFound, nearest

State = tuple[int, str]  # size, and time of change or checksum: the same state, the same bytes

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

    def remove(self) -> None:
        """Delete the file; one that is not there is gone already."""


def some(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def readable(name: str) -> str:
    """The name of a file as it is told and stored: bytes that are no text are written out."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def nothing_there(asked: str, part: str, folder: Place, there: list[str]) -> PathNotFound:
    """PathNotFound for a path of which `part` is the first that is missing, below `folder`."""
    near = nearest(part, there)
    verb = "nothing matches" if has_magic(asked) else "there is no"
    return PathNotFound(
        f"{verb} {asked}; {folder} has: {some(there) or 'nothing'}",
        hint=f"did you mean '{folder.child(near)}'?" if near else "",
    )
