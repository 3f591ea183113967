"""A new project: a commented monitor.yaml for somebody's own files, its folders, a first suite."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monitor.configuration.datasets import CsvSettings, SourceSettings
from monitor.configuration.fields import monitor_name
from monitor.configuration.urls import scheme_of
from monitor.demo.sides import PLAIN, absent_of, refuse_rowless, source_of, time_column
from monitor.errors import AskedWrongly, PathNotFound

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
    csv: CsvSettings = PLAIN  # how CSV files are written, of both sides or of one


@dataclass(slots=True)
class Started:
    """The files that were written, the column that tells the time, and what is still missing."""

    written: list[Path]
    time: str
    notes: list[str] = field(default_factory=list)
    csv: dict[str, str] = field(default_factory=dict)  # how each side is read, if not plainly


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
    trained = source_of(start.reference or "reference_data/train.csv", start.csv)
    met = source_of(start.production or "data/*.csv", start.csv)
    if start.reference is not None and "reference" not in absent:
        refuse_rowless(trained)
    started = Started([config, suite], start.time or "timestamp")
    started.notes += [f"{role}: {error}" for role, error in absent.items()]
    if start.production is not None and "production" not in absent:
        started.time = time_column(met, start.time)
    ways = {"reference": _way(trained.csv), "production": _way(met.csv)}
    started.csv = {role: way for role, way in ways.items() if way}
    text = (_STARTER / "monitor.yaml").read_text(encoding="utf-8")
    filled = text.format(
        name=start.name,
        reference=_reference(_seen_from(folder, start.reference, trained), ways["reference"]),
        production=_quoted(_seen_from(folder, start.production, met)),
        time=_quoted(started.time),
        csv=f", csv: {ways['production']}" if ways["production"] else "",
    )
    _write(folder, config, suite, filled)
    return started


def _way(csv: CsvSettings) -> str:
    """How CSV files are written, as YAML; nothing when it is as everywhere."""
    told = csv.model_dump(exclude_defaults=True, mode="json")
    parts = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in told.items()]
    return "{" + ", ".join(parts) + "}" if parts else ""


def _reference(path: str, way: str) -> str:
    return f"{{path: {_quoted(path)}, csv: {way}}}" if way else _quoted(path)


def _check_name(name: str) -> None:
    try:
        monitor_name(name)
    except ValueError as error:
        raise AskedWrongly(f"{name!r} {error}") from None


def _absent(start: Start) -> dict[str, PathNotFound]:
    """Of the data that were named, what is not there."""
    named = (("reference", start.reference), ("production", start.production))
    found = {role: absent_of(path) for role, path in named if path is not None}
    return {role: error for role, error in found.items() if error is not None}


def _nothing_there(absent: Mapping[str, PathNotFound]) -> AskedWrongly:
    """Most often a slip of the hand, and a project that begins with it never passes a check."""
    near = [error.hint for error in absent.values() if error.hint]
    return AskedWrongly(
        "\n".join(f"{role}: {error}" for role, error in absent.items()),
        hint="\n".join([*near, "nothing was written; --later begins before the data are there"]),
    )


def _seen_from(folder: Path, named: str | None, source: SourceSettings) -> str:
    """A path of the current folder as it is written in a file of `folder`."""
    path = source.path
    if named is None or scheme_of(path) or path.startswith("~") or Path(path).is_absolute():
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
