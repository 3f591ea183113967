"""A new project: a commented monitor.yaml for somebody's own files, its folders, a first suite."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monitor import wiring
from monitor.configuration.datasets import FROZEN, SourceSettings
from monitor.configuration.fields import monitor_name
from monitor.configuration.urls import scheme_of
from monitor.core.time_columns import FIRST_ROWS, TIMES_ARE, no_time, unknown_time
from monitor.errors import AskedWrongly, CouldNotLook, PathNotFound
from monitor.ports import Described
from monitor.tables.addresses import place_of
from monitor.tables.dataset import list_files
from monitor.tables.glance import first_rows

_STARTER = Path(__file__).parent / "starter"
_FOLDERS = ("expectations", "reference_data", "reports")


@dataclass(frozen=True, slots=True)
class Start:
    """What is known of a new project; paths are relative to the current folder."""

    name: str
    reference: str | None = None
    production: str | None = None
    time: str | None = None
    later: bool = False  # the data may come later


@dataclass(slots=True)
class Started:
    """The files that were written, the column that tells the time, and what is still missing."""

    written: list[Path]
    time: str
    notes: list[str] = field(default_factory=list)


def start_project(folder: Path, start: Start) -> Started:
    """Write the files of a new project; nothing that exists is touched.

    Data that was named and is not there is AskedWrongly, unless it may come later. Data that is
    there is looked at: a time column that it does not have is AskedWrongly, and one that was not
    named is found when only one column tells a time.
    """
    _check_name(start.name)
    config, suite = folder / "monitor.yaml", folder / "expectations" / f"{start.name}.json"
    if config.exists():
        raise AskedWrongly(
            f"{config} exists and is left alone", hint="name another folder: `monitor init DIR`"
        )
    absent = _absent(start)
    if absent and not start.later:
        raise _nothing_there(absent)
    if start.reference is not None and "reference" not in absent:
        _refuse_rowless(start.reference)
    started = Started([config, suite], start.time or "timestamp")
    started.notes += [f"{role}: {error}" for role, error in absent.items()]
    if start.production is not None and "production" not in absent:
        started.time = _time_column(start.production, start.time)
    text = (_STARTER / "monitor.yaml").read_text(encoding="utf-8")
    filled = text.format(
        name=start.name,
        reference=_quoted(_seen_from(folder, start.reference) or "reference_data/train.csv"),
        production=_quoted(_seen_from(folder, start.production) or "data/*.csv"),
        time=_quoted(started.time),
    )
    _write(folder, config, suite, filled)
    return started


def _refuse_rowless(reference: str) -> None:
    """Nothing can ever be compared with a reference that holds no rows, or cannot be read."""
    settings = SourceSettings(path=reference)
    try:
        if reference.endswith(FROZEN):  # which none is without rows
            _described(settings).columns()
        elif not first_rows(list_files(settings, Path()), settings).num_rows:
            told = f"reference: {reference} has no rows"
            raise AskedWrongly(told, hint="name the training data")
    except CouldNotLook as error:
        raise AskedWrongly(f"reference: {error}", hint=error.hint) from None


def _check_name(name: str) -> None:
    try:
        monitor_name(name)
    except ValueError as error:
        raise AskedWrongly(f"{name!r} {error}") from None


def _absent(start: Start) -> dict[str, PathNotFound]:
    """Of the data that were named, what is not there."""
    absent = {}
    for role, path in (("reference", start.reference), ("production", start.production)):
        try:
            if path is not None and role == "reference" and path.endswith(FROZEN):
                _refuse_absent(path)
            elif path is not None:
                list_files(SourceSettings(path=path), Path())
        except PathNotFound as error:
            absent[role] = error
    return absent


def _refuse_absent(file: str) -> None:
    place = place_of(file, Path())
    if not place.is_file():
        raise place.missing()


def _nothing_there(absent: Mapping[str, PathNotFound]) -> AskedWrongly:
    """Most often a slip of the hand, and a project that begins with it never passes a check."""
    near = [error.hint for error in absent.values() if error.hint]
    return AskedWrongly(
        "\n".join(f"{role}: {error}" for role, error in absent.items()),
        hint="\n".join([*near, "nothing was written; --later begins before the data are there"]),
    )


def _time_column(production: str, named: str | None) -> str:
    source = _described(SourceSettings(path=production))
    known, found = source.columns([named] if named else []), source.times(named)
    if named is not None:
        if named not in known:
            raise unknown_time(named, known, found)
        if named not in found:
            raise AskedWrongly(no_time(named, found, rows=FIRST_ROWS), hint=TIMES_ARE)
        return named
    if len(found) == 1:
        return found[0]
    raise AskedWrongly(
        f"several columns of {production} tell a time: {', '.join(found)}"
        if found
        else f"no column of {production} tells a time: {', '.join(known)}",
        hint="say which one tells when a row happened: --time COLUMN",
    )


def _described(settings: SourceSettings) -> Described:
    source = wiring.open_source(settings, Path())
    assert isinstance(source, Described)
    return source


def _seen_from(folder: Path, path: str | None) -> str | None:
    """A path of the current folder as it is written in a file of `folder`."""
    if path is None or scheme_of(path) or path.startswith("~") or Path(path).is_absolute():
        return path
    return Path(os.path.relpath(path, folder)).as_posix()


def _write(folder: Path, config: Path, suite: Path, filled: str) -> None:
    try:
        for part in _FOLDERS:
            (folder / part).mkdir(parents=True, exist_ok=True)
        if not suite.exists():
            suite.write_text((_STARTER / "suite.json").read_text(encoding="utf-8"), "utf-8")
        config.write_text(filled, encoding="utf-8")
    except OSError as error:
        raise AskedWrongly(f"{folder} cannot be written to: {error.strerror}") from None


def _quoted(text: str) -> str:
    """As a YAML string, whatever is in it."""
    return "'" + text.replace("'", "''") + "'"
