"""A file, a folder or a pattern is one dataset: which files it has, in which format."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from monitor import catalogue
from monitor.configuration.datasets import SourceSettings
from monitor.core.records import Notice
from monitor.errors import AskedWrongly
from monitor.tables.addresses import place_of
from monitor.tables.places import Place, readable, some
from monitor.tables.reading import Format

_FORMATS = "monitor.tables.formats"
_UNFINISHED = (".tmp", ".crc", ".part", ".partial", ".inprogress", ".swp", "~")


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a dataset in name order, and how they are named relative to it."""

    paths: tuple[Place, ...]
    names: tuple[str, ...]  # "" for a dataset that is one file
    format: str
    notices: tuple[Notice, ...] = ()


def list_files(settings: SourceSettings, root: Path) -> Files:
    """Look which files a dataset has now.

    Folders are searched to the bottom; hidden and unfinished files (`.x`, `_SUCCESS`, `*.tmp`,
    `*.crc`) do not count, and files of an unknown kind get a notice. Raises PathNotFound when
    nothing is there, AskedWrongly when the format is unclear or there are several.
    """
    place = place_of(settings.path, root, settings.storage)
    if place.is_file():
        return Files((place,), ("",), settings.format or _format_or_refuse(place))
    found = dict(sorted((name, file) for name, file in place.files() if _counts(name)))
    if not found:
        raise place.missing()
    if settings.format:
        return Files(tuple(found.values()), tuple(found), settings.format)
    formats = {name: format_of(name) for name in found}
    known = {name: file for name, file in found.items() if formats[name]}
    if not known:
        _format_or_refuse(next(iter(found.values())))
    used = sorted({form for form in formats.values() if form})
    if len(used) > 1:
        raise _several(place, {name: form for name, form in formats.items() if form})
    skipped = [name for name in found if not formats[name]]
    notices = [
        Notice(
            "file_skipped",
            f"not read, of no known format: {some([readable(name) for name in skipped])}",
        )
    ]
    told = tuple(notices if skipped else ())
    return Files(tuple(known.values()), tuple(known), used[0], told)


def open_format(name: str, settings: SourceSettings) -> Format:
    """A format by its name, ready for the files of one dataset."""
    made: Format = catalogue.load(_FORMATS, name, "format").make(settings.csv)
    return made


def format_of(name: str) -> str | None:
    """The format that a file's name tells, if any."""
    small = name.lower()
    return next((form for suffix, form in _suffixes() if small.endswith(suffix)), None)


@cache
def _suffixes() -> tuple[tuple[str, str], ...]:
    return tuple(
        (suffix, name)
        for name in catalogue.names(_FORMATS)
        for suffix in catalogue.load(_FORMATS, name, "format").SUFFIXES
    )


def _counts(relative: str) -> bool:
    hidden = any(part.startswith((".", "_")) for part in relative.split("/"))
    return not hidden and not relative.endswith(_UNFINISHED)


def _format_or_refuse(place: Place) -> str:
    form = format_of(place.name)
    if form is None:
        raise AskedWrongly(
            f"the name of {place} does not tell its format; known are "
            f"{', '.join(suffix for suffix, _ in _suffixes())}",
            hint=f"set `format` to one of {', '.join(catalogue.names(_FORMATS))}",
        )
    return form


def _several(place: Place, formats: dict[str, str]) -> AskedWrongly:
    examples = {form: name.rsplit("/", 1)[-1] for name, form in reversed(formats.items())}
    told = ", ".join(f"{form} ({readable(name)})" for form, name in sorted(examples.items()))
    return AskedWrongly(
        f"{place} holds files of different formats: {told}",
        hint="name one kind with a pattern, like folder/*.parquet",
    )
