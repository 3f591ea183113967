"""What every file format promises, and how its failures are told to people."""

import csv
import gzip
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, Protocol, cast, runtime_checkable

import pyarrow as pa

from monitor.errors import SourceUnreadable
from monitor.tables.gate import Gate
from monitor.tables.places import Place

_SIGNATURES = (
    (b"PAR1", "Parquet"),
    (b"ARROW1", "Arrow"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
)


class Format(Protocol):
    """One file format with its settings, for all files of one dataset."""

    @property
    def states_columns(self) -> bool:
        """Whether files name their columns apart from rows: one that is not named is lacking."""

    def batches(
        self, path: Place, columns: Sequence[str] | None, gate: Gate, *, whole: bool
    ) -> Iterator[pa.Table]:
        """The file's rows in stored order; first of all an empty table of all its columns.

        Columns that are not in `columns` (None is all) may be left out, and rows that the gate
        does not want may be passed over when the gate has remembered them. `whole`: everything
        will be held anyway, so large pieces are welcome. Raises what `reading` understands.
        """

    def learn(self, rows: pa.Table) -> None:
        """Look at rows that came in, whether or not they are kept."""

    def finish(self, table: pa.Table) -> pa.Table:
        """Settle what only all rows together can tell, such as the types of text columns."""


@runtime_checkable
class Columnar(Protocol):
    """A format that stores columns apart, so that one is read without its neighbours."""

    def blocks(self, path: Place, gate: Gate) -> Iterator[Any]:
        """The rows that come in as `blocks.Block`s; one at least, of a file without rows, too."""

    def values(self, path: Place) -> int:
        """Rows times columns, without reading them."""


class Blank(SourceUnreadable):
    """A file without any content: it holds no row, and does not say which columns it has."""


class Growing(Exception):
    """The last line is still being written; everything before it was read."""


@contextmanager
def reading(path: Place | str, name: str) -> Iterator[None]:
    """Every way in which a file can be unreadable, as SourceUnreadable naming the file.

    A file that vanished stays a FileNotFoundError: the caller knows whether that is normal.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceUnreadable(f"{path}: the gzip data is cut off or corrupt: {error}") from None
    except UnicodeError as error:
        raise _undecodable(path, error) from None
    except (pa.ArrowException, csv.Error, OSError) as error:
        if "invalid UTF8" in str(error):
            raise _undecodable(path, error) from None
        raise SourceUnreadable(f"{path}: not readable as {name}: {_told(error)}") from None


def without_rows(schema: pa.Schema) -> pa.Table:
    """An empty table of a schema; the library's own way to one imports pandas."""
    return pa.Table.from_batches([], schema)


def refuse_empty(path: Place) -> None:
    """Raise Blank for a file of no bytes."""
    if path.size() == 0:
        raise Blank(f"{path} is empty (0 bytes)")


def refuse_repeated(path: Place, names: Sequence[str]) -> None:
    """Raise SourceUnreadable when two columns have the same name."""
    repeated = [repr(name) for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise SourceUnreadable(f"{path}: two columns have the same name: {', '.join(repeated)}")


def signature(head: bytes) -> str | None:
    """What the first bytes of a file say it is, when they say anything."""
    return next((name for magic, name in _SIGNATURES if head.startswith(magic)), None)


@contextmanager
def open_text(path: Place, name: str) -> Iterator[BinaryIO]:
    """The bytes of a text file, unpacked when its name ends in .gz; refuses other formats."""
    refuse_empty(path)
    with path.open() as file:
        packed = _packed_or_refuse(path, name, signature(file.read(8)))
        file.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
                yield cast(BinaryIO, unpacked)
        else:
            yield file


def _packed_or_refuse(path: Place, name: str, found: str | None) -> bool:
    """Whether the content is gzip, as the name says; SourceUnreadable for another format."""
    packed = path.name.lower().endswith(".gz")
    if packed and found != "gzip":
        raise SourceUnreadable(f"{path}: named .gz, but the content is not gzip")
    if found and not packed and not found.startswith("UTF-16"):
        raise SourceUnreadable(f"{path}: not {name}: the content is {found}")
    return packed


def _undecodable(path: Place | str, error: Exception) -> SourceUnreadable:
    return SourceUnreadable(
        f"{path}: not text in the expected encoding: {_told(error)}",
        hint="name the encoding it was written in, as `--encoding latin-1` or, in monitor.yaml, "
        "`csv: {encoding: latin-1}`",
    )


def _told(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
