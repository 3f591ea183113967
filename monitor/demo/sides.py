"""The two datasets of a new project: how their files are written, and what can be seen of them."""

import re
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from monitor import wiring
from monitor.configuration.datasets import FROZEN, CsvSettings, SourceSettings
from monitor.core.time_columns import FIRST_ROWS, TIMES_ARE, no_time, unknown_time
from monitor.errors import AskedWrongly, CouldNotLook, PathNotFound
from monitor.ports import Described
from monitor.tables.addresses import place_of
from monitor.tables.dataset import format_of, list_files, open_format
from monitor.tables.glance import first_rows

PLAIN = CsvSettings()
_LIKE_A_TIME = re.compile(r"\s*\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\b")


def source_of(path: str, csv: CsvSettings) -> SourceSettings:
    """A dataset, its CSV files written as was said, or as they evidently are.

    What is said holds for both sides of a project, and yet only one of them may be written so:

    1. Files that are no CSV have nothing to be said.
    2. A side that has one column with these settings, and several without, is written plainly.
    3. Text that is UTF-8 beyond ASCII is never anything else by chance.
    """
    told, plain = SourceSettings(path=path, csv=csv), SourceSettings(path=path)
    if csv == PLAIN or _format(plain) != "csv":
        return plain
    open_format("csv", told)  # which refuses what no file can be read with
    if not _has_several_columns(told) and _has_several_columns(plain):
        return plain
    utf_8 = SourceSettings(path=path, csv=csv.model_copy(update={"encoding": PLAIN.encoding}))
    return utf_8 if _is_beyond_ascii(utf_8) else told


def absent_of(path: str) -> PathNotFound | None:
    """That a dataset is not there."""
    try:
        if path.endswith(FROZEN):
            place = place_of(path, Path())
            return None if place.is_file() else place.missing()
        list_files(SourceSettings(path=path), Path())
    except PathNotFound as error:
        return error
    return None


def refuse_rowless(reference: SourceSettings) -> None:
    """Nothing can ever be compared with a reference that holds no rows, or cannot be read."""
    try:
        if reference.path.endswith(FROZEN):  # which none is without rows
            _described(reference).columns()
        elif not _first_rows(reference).num_rows:
            told = f"reference: {reference.path} has no rows"
            raise AskedWrongly(told, hint="name the training data")
    except CouldNotLook as error:
        raise AskedWrongly(f"reference: {error}", hint=error.hint) from None


def time_column(production: SourceSettings, named: str | None) -> str:
    """The column that was named, or the only one that tells a time."""
    try:
        return _time_column(production, named)
    except CouldNotLook as error:
        raise AskedWrongly(f"production: {error}", hint=error.hint) from None


def _time_column(production: SourceSettings, named: str | None) -> str:
    source = _described(production)
    known, found = source.columns([named] if named else []), source.times(named)
    if named is not None:
        if named not in known:
            raise unknown_time(named, known, found)
        if named not in found:
            value = _first_values(production, [named]).get(named)
            seen = "" if value is None else f" (the first is {value!r})"
            raise AskedWrongly(no_time(named, found, rows=FIRST_ROWS, seen=seen), hint=TIMES_ARE)
        return named
    if len(found) == 1:
        return found[0]
    which = "say which one tells when a row happened: --time COLUMN"
    if found:
        told = f"several columns of {production.path} tell a time: {', '.join(found)}"
        raise AskedWrongly(told, hint=which)
    told = f"no column of {production.path} tells a time: {', '.join(known)}"
    near = _like_times(production, known)
    raise AskedWrongly(told + near, hint=TIMES_ARE if near else which)


def _like_times(production: SourceSettings, known: Iterable[str]) -> str:
    """Values that people would take for times, and that are not understood."""
    values = _first_values(production, known).items()
    looks = [f"{name} has {text!r}" for name, text in values if _LIKE_A_TIME.match(text)]
    return f"; not understood as a time: {', '.join(looks)}" if looks else ""


def _first_values(settings: SourceSettings, names: Iterable[str]) -> dict[str, str]:
    """A value of each column that has any, as text and not too long."""
    rows = _first_rows(settings)
    values = {name: rows[name].drop_null() for name in names if name in rows.column_names}
    return {name: str(told[0].as_py())[:40] for name, told in values.items() if len(told)}


def _format(settings: SourceSettings) -> str:
    """As the files have it that are there, else as the name says; CSV where neither tells."""
    if settings.path.endswith(FROZEN):
        return "frozen"
    try:
        return list_files(settings, Path()).format
    except PathNotFound:
        return format_of(settings.path) or "csv"


def _has_several_columns(settings: SourceSettings) -> bool:
    """Also where it cannot be seen: another step tells why."""
    try:
        return len(_first_rows(settings).column_names) != 1
    except (CouldNotLook, PathNotFound):
        return True
    except AskedWrongly:  # one column, named like several
        return False


def _is_beyond_ascii(settings: SourceSettings) -> bool:
    try:
        return not repr(_first_rows(settings).to_pydict()).isascii()
    except (AskedWrongly, CouldNotLook):
        return False


def _first_rows(settings: SourceSettings) -> pa.Table:
    return first_rows(list_files(settings, Path()), settings)


def _described(settings: SourceSettings) -> Described:
    source = wiring.open_source(settings, Path())
    assert isinstance(source, Described)
    return source
