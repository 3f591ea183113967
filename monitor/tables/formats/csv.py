"""CSV, packed or not: read as text first, typed once all rows asked for have been seen."""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv as pa_csv

from monitor.configuration.datasets import CsvSettings
from monitor.errors import AskedWrongly, SourceUnreadable
from monitor.tables.gate import Gate
from monitor.tables.inference import TextTypes
from monitor.tables.places import Place
from monitor.tables.reading import Blank, Growing, open_text, refuse_repeated

SUFFIXES = (".csv", ".csv.gz")

_SEPARATORS = (";", "\t", "|", ",")
# Said where a separator was chosen already: probably the other side is written with it.
_TWO_SIDES = (
    "where the two sides differ, `monitor reference freeze` the training data with their own "
    "`--separator`, and compare what it writes; in monitor.yaml each side has its own `csv:`"
)
_BLOCK_BYTES = 8 << 20
_TAIL_BYTES = 1 << 16


def make(settings: CsvSettings) -> "Csv":
    """AskedWrongly when no CSV file can be read with these settings."""
    if len(settings.separator) != 1:
        raise AskedWrongly(f"a CSV separator is one character, not {settings.separator!r}")
    try:
        codecs.lookup(settings.encoding)
    except LookupError:
        raise AskedWrongly(
            f"there is no text encoding named {settings.encoding!r}",
            hint="common ones are utf-8, utf-16, latin-1 and cp1252",
        ) from None
    return Csv(settings)


class Csv:
    """CSV files that share one idea of what their columns hold."""

    states_columns = True

    def __init__(self, settings: CsvSettings) -> None:
        self._settings = settings
        self._types = TextTypes(settings.decimal)

    def batches(
        self, path: Place, columns: Sequence[str] | None, gate: Gate, *, whole: bool
    ) -> Iterator[pa.Table]:
        with open_text(path, "CSV") as raw, self._decoded(raw) as stream:
            if stream.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                raise SourceUnreadable(
                    f"{path}: the content is UTF-16 text", hint="set `csv: {encoding: utf-16}`"
                )
            names = self._header(path, stream)
            wanted = [n for n in (columns if columns is not None else names) if n in names]
            yield pa.table({name: pa.array([], pa.string()) for name in names})
            ragged = _Ragged(path)
            if not stream.peek(1):
                return
            with ragged:
                for batch in self._open(stream, names, wanted, ragged):
                    yield pa.Table.from_batches([batch])

    def learn(self, rows: pa.Table) -> None:
        self._types.learn(rows)

    def finish(self, table: pa.Table) -> pa.Table:
        return self._types.apply(table)

    def _decoded(self, raw: BinaryIO) -> io.BufferedReader:
        """The bytes as UTF-8."""
        encoding = codecs.lookup(self._settings.encoding).name
        if encoding in ("utf-8", "utf-8-sig"):
            return io.BufferedReader(raw, 1 << 20)  # type: ignore[arg-type]
        return io.BufferedReader(
            pa.transcoding_input_stream(pa.PythonFile(raw), encoding, "utf-8"), 1 << 20
        )

    def _header(self, path: Place, stream: io.BufferedReader) -> list[str]:
        """The names of the columns; one without a name is named after its place."""
        read = csv.reader(
            (line.decode("utf-8") for line in stream), delimiter=self._settings.separator
        )
        cells = next((row for row in read if row), None)
        if cells is None:
            raise Blank(f"{path} has no header line")
        cells[0] = cells[0].removeprefix("\ufeff")
        names = [cell or f"Unnamed: {place}" for place, cell in enumerate(cells)]
        refuse_repeated(path, names)
        self._refuse_one_long_name(path, names)
        return names

    def _refuse_one_long_name(self, path: Place, names: list[str]) -> None:
        """One column whose name holds another separator is a file read with the wrong one."""
        other = next((mark for mark in _SEPARATORS if mark in names[0]), None)
        if len(names) == 1 and other is not None:
            hint = f"is its separator {other!r}? `--separator` or `csv: {{separator: ...}}` tell"
            chosen = self._settings.separator != CsvSettings().separator
            told = f"{path} has one column, named {names[0][:60]!r}"
            raise AskedWrongly(told, hint=f"{hint}\n{_TWO_SIDES}" if chosen else hint)

    def _open(
        self, stream: io.BufferedReader, names: list[str], wanted: list[str], ragged: "_Ragged"
    ) -> pa_csv.CSVStreamingReader:
        return pa_csv.open_csv(
            stream,
            read_options=pa_csv.ReadOptions(
                column_names=names, block_size=_BLOCK_BYTES, use_threads=False
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=self._settings.separator,
                newlines_in_values=True,
                invalid_row_handler=ragged,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                include_columns=wanted,
                null_values=list(self._settings.missing),
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )


class _Ragged:
    """Rows with too few or too many cells: an error, unless it is a last line being written."""

    def __init__(self, path: Place) -> None:
        self._path = path
        self._row: pa_csv.InvalidRow | None = None
        self._growing = False

    def __call__(self, row: pa_csv.InvalidRow) -> str:
        self._growing = self._row is None and self._is_unfinished(row)
        self._row = self._row or row
        return "skip" if self._growing else "error"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Tell of the row in our words, in place of the library's."""
        if self._row is None or (kind is not None and not issubclass(kind, pa.ArrowInvalid)):
            return
        if self._growing:
            raise Growing
        raise SourceUnreadable(
            f"{self._path}: row {self._row.number} below the header has "
            f"{self._row.actual_columns} cells where the header has {self._row.expected_columns}",
            hint="is `csv: {separator: ...}` right, and are cells with a separator quoted?",
        ) from None

    def _is_unfinished(self, row: pa_csv.InvalidRow) -> bool:
        """Too short, and the very end of the file, without a line end."""
        if row.actual_columns > row.expected_columns or self._path.name.endswith(".gz"):
            return False
        with self._path.open() as file:
            file.seek(-min(self._path.size(), _TAIL_BYTES), 2)
            return file.read().endswith(row.text.encode())
