"""Everything stored as files that any program reads: one table a file, NDJSON or Parquet."""

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from monitor.archive import Store
from monitor.errors import AskedWrongly

FORMAT = 1  # of what is written; docs/configuration.md says what it is
_AT_ONCE = 500  # rows held in memory
Rows = Iterator[dict[str, Any]]
Kinds = Mapping[str, str]


def export(store: Store, folder: Path, *, parquet: bool, made_at: datetime) -> dict[str, int]:
    """Write all tables into a new or empty folder, with a list of them in `export.json`.

    Returns the rows by table.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AskedWrongly(f"{folder} is there already", hint="name a new or an empty folder")
    write = _write_parquet if parquet else _write_ndjson
    ending = "parquet" if parquet else "ndjson"
    counts: dict[str, int] = {}
    listing: dict[str, Any] = {}

    def take(table: str, kinds: Kinds, rows: Rows) -> None:
        name = f"{table}.{ending}"
        counts[table] = write(folder / name, kinds, rows)
        listing[table] = {"file": name, "rows": counts[table], "columns": dict(kinds)}

    try:
        folder.mkdir(parents=True, exist_ok=True)
        store.export(take)
        told = {"format": FORMAT, "made_at": made_at.isoformat(), "tables": listing}
        (folder / "export.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    except OSError as error:
        raise AskedWrongly(f"{folder} cannot be written: {error.strerror}") from None
    return counts


def _write_ndjson(file: Path, kinds: Kinds, rows: Rows) -> int:
    count = 0
    with file.open("w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
            count += 1
    return count


def _write_parquet(file: Path, kinds: Kinds, rows: Rows) -> int:
    """Times as timestamps, bytes as bytes, JSON as text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "time": pa.timestamp("us", "UTC"),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "bytes": pa.binary(),
    }
    schema = pa.schema([(name, types.get(kind, pa.string())) for name, kind in kinds.items()])
    count = 0
    with pq.ParquetWriter(file, schema) as out:
        while some := list(islice(rows, _AT_ONCE)):
            cells = [{n: _cell(row[n], kind) for n, kind in kinds.items()} for row in some]
            out.write_table(pa.Table.from_pylist(cells, schema))
            count += len(some)
    return count


def _cell(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "time":
        return datetime.fromisoformat(value)
    if kind == "bytes":
        return base64.b64decode(value)
    return json.dumps(value) if kind == "json" else value
