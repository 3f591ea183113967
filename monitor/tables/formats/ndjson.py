"""NDJSON, packed or not: one JSON object a line, a column per top-level key."""

import io
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.json as pa_json

from monitor.configuration.datasets import CsvSettings
from monitor.errors import SourceUnreadable
from monitor.tables.frames import to_array
from monitor.tables.gate import Gate
from monitor.tables.places import Place
from monitor.tables.reading import Blank, Growing, open_text, refuse_repeated

SUFFIXES = (".ndjson", ".jsonl", ".json", ".ndjson.gz", ".jsonl.gz", ".json.gz")

_BLOCK_BYTES = 8 << 20
_BOM = b"\xef\xbb\xbf"
_NULL = re.compile(rb"\n[ \t\r]*null")  # Arrow dies of such a line, or takes it for a row


def make(settings: CsvSettings) -> "Ndjson":
    return Ndjson()


class Ndjson:
    """NDJSON files, block by block; types may differ between blocks as between files."""

    states_columns = False  # a key without a value may be left out

    def batches(
        self, path: Place, columns: Sequence[str] | None, gate: Gate, *, whole: bool
    ) -> Iterator[pa.Table]:
        with open_text(path, "NDJSON") as stream:
            texts: set[str] = set()
            lines, filled = 0, False
            for block in _blocks(stream):
                if not lines and block.lstrip().startswith(b"["):
                    raise SourceUnreadable(
                        f"{path}: this is one JSON array", hint="write one object per line"
                    )
                complete = _complete_lines(block)
                table = _parse(path, complete, lines, texts)
                refuse_repeated(path, table.column_names)
                yield table
                if len(complete) < len(block):
                    raise Growing
                filled = filled or table.num_rows > 0
                lines += block.count(b"\n")
            if not filled:
                raise Blank(f"{path} holds no row")

    def learn(self, rows: pa.Table) -> None:
        """Nothing to learn: the file says what its columns hold."""

    def finish(self, table: pa.Table) -> pa.Table:
        return table


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    """Whole lines, a few megabytes at a time."""
    start = stream.read(_BLOCK_BYTES).removeprefix(_BOM)
    while start:
        yield start + stream.readline()
        start = stream.read(_BLOCK_BYTES)


def _complete_lines(block: bytes) -> bytes:
    """Without a last line that has no end and is no JSON: it is still being written."""
    head, _, last = block.rpartition(b"\n")
    if not last.strip():
        return block
    try:
        json.loads(last)
    except ValueError:
        return head + b"\n" if head else b""
    return block


def _parse(path: Place, block: bytes, lines_before: int, texts: set[str]) -> pa.Table:
    """One block as a table. `texts` are columns of text that looks like times, here or earlier:
    JSON has no times, so text stays text and is not rewritten on the way.
    """
    if not block.strip():
        return pa.table({})
    if _NULL.search(b"\n" + block):
        return _parse_lines(path, block, lines_before)
    try:
        table = _parse_fast(block, texts)
        looks = {f.name for f in table.schema if pa.types.is_timestamp(f.type)}
        if not looks:
            return table
        texts |= looks
        return _parse_fast(block, texts)
    except pa.ArrowInvalid:  # types that change from line to line, huge numbers, or no JSON at all
        return _parse_lines(path, block, lines_before)


def _parse_fast(block: bytes, texts: set[str]) -> pa.Table:
    known = pa.schema([(name, pa.string()) for name in sorted(texts)])
    return pa_json.read_json(
        io.BytesIO(block),
        parse_options=pa_json.ParseOptions(
            explicit_schema=known if texts else None, unexpected_field_behavior="infer"
        ),
    )


def _parse_lines(path: Place, block: bytes, lines_before: int) -> pa.Table:
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(block.split(b"\n"), start=lines_before + 1):
        if line.strip():
            rows.append(_object(path, number, line))
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: to_array([row.get(name) for row in rows]) for name in names})


def _object(path: Place, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SourceUnreadable(f"{path}: line {number} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise SourceUnreadable(f"{path}: line {number} is not a JSON object with named columns")
    return value
