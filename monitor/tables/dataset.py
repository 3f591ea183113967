"""A file, a folder or a pattern is one dataset: which files it has, in which format."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from glob import has_magic
from pathlib import Path

from monitor import catalogue
from monitor.core.records import Notice
from monitor.errors import AskedWrongly, PathNotFound, nearest
from monitor.settings import SourceSettings
from monitor.tables.reading import Format

_FORMATS = "monitor.tables.formats"
_UNFINISHED = (".tmp", ".crc", ".part", ".partial", ".inprogress", ".swp", "~")
_LISTED = 10  # names shown in a message


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a dataset in name order, and how they are named relative to it."""

    paths: tuple[Path, ...]
    names: tuple[str, ...]  # "" for a dataset that is one file
    format: str
    notices: tuple[Notice, ...] = ()


def list_files(settings: SourceSettings, root: Path) -> Files:
    """Look which files a dataset has now.

    Folders are searched to the bottom; hidden and unfinished files (`.x`, `_SUCCESS`, `*.tmp`,
    `*.crc`) do not count, and files of an unknown kind get a notice. Raises PathNotFound when
    nothing is there, AskedWrongly when the format is unclear or there are several.
    """
    path = root / Path(settings.path).expanduser()
    if path.is_file():
        return Files((path,), ("",), settings.format or _format_or_refuse(path))
    base, found = _found(path)
    if not found:
        raise _not_found(path)
    if settings.format:
        return Files(tuple(found), _relative(found, base), settings.format)
    formats = {file: format_of(file) for file in found}
    known = [file for file in found if formats[file]]
    if not known:
        _format_or_refuse(found[0])
    used = sorted({name for name in formats.values() if name})
    if len(used) > 1:
        raise _several(path, {file: name for file, name in formats.items() if name})
    skipped = [file.relative_to(base).as_posix() for file in found if not formats[file]]
    notices = [Notice("file_skipped", f"not read, of no known format: {_some(skipped)}")]
    return Files(tuple(known), _relative(known, base), used[0], tuple(notices if skipped else ()))


def open_format(name: str, settings: SourceSettings) -> Format:
    """A format by its name, ready for the files of one dataset."""
    made: Format = catalogue.load(_FORMATS, name, "format").make(settings.csv)
    return made


def format_of(path: Path) -> str | None:
    """The format that the file's name tells, if any."""
    name = path.name.lower()
    return next((form for suffix, form in _suffixes() if name.endswith(suffix)), None)


@cache
def _suffixes() -> tuple[tuple[str, str], ...]:
    return tuple(
        (suffix, name)
        for name in catalogue.names(_FORMATS)
        for suffix in catalogue.load(_FORMATS, name, "format").SUFFIXES
    )


def _found(path: Path) -> tuple[Path, list[Path]]:
    """The folder that names are relative to, and the files that count, in name order."""
    if path.is_dir():
        base, hits = path, [path]
    elif has_magic(str(path)):
        base = _fixed_part(path)
        hits = list(base.glob(str(path.relative_to(base))))
    else:
        return path.parent, []
    files = {f for hit in hits for f in (hit.rglob("*") if hit.is_dir() else (hit,)) if f.is_file()}
    counted = [file for file in files if _counts(file.relative_to(base))]
    return base, sorted(counted, key=lambda file: file.relative_to(base).as_posix())


def _fixed_part(pattern: Path) -> Path:
    """The longest leading folder of a pattern without wildcards."""
    return next(folder for folder in pattern.parents if not has_magic(str(folder)))


def _counts(relative: Path) -> bool:
    hidden = any(part.startswith((".", "_")) for part in relative.parts)
    return not hidden and not relative.name.endswith(_UNFINISHED)


def _relative(files: Sequence[Path], base: Path) -> tuple[str, ...]:
    return tuple(file.relative_to(base).as_posix() for file in files)


def _format_or_refuse(path: Path) -> str:
    name = format_of(path)
    if name is None:
        raise AskedWrongly(
            f"the name of {path} does not tell its format; known are "
            f"{', '.join(suffix for suffix, _ in _suffixes())}",
            hint=f"set `format` to one of {', '.join(catalogue.names(_FORMATS))}",
        )
    return name


def _several(path: Path, formats: dict[Path, str]) -> AskedWrongly:
    examples = {form: file.name for file, form in reversed(formats.items())}
    told = ", ".join(f"{form} ({name})" for form, name in sorted(examples.items()))
    return AskedWrongly(
        f"{path} holds files of different formats: {told}",
        hint="name one kind with a pattern, like folder/*.parquet",
    )


def _not_found(path: Path) -> PathNotFound:
    """Say what there is instead, in the nearest folder that exists."""
    if path.is_dir():
        return PathNotFound(f"there is no data file in {path}")
    folder = next(
        folder for folder in path.parents if folder.is_dir() and not has_magic(str(folder))
    )
    there = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    missing = path.relative_to(folder).parts[0]
    near = nearest(missing, there)
    verb = "nothing matches" if has_magic(str(path)) else "there is no"
    return PathNotFound(
        f"{verb} {path}; {folder} has: {_some(there) or 'nothing'}",
        hint=f"did you mean '{folder / near}'?" if near else "",
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
