"""File name -> object: how every socket folder is listed and loaded."""

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any

from monitor.errors import AskedWrongly, UnknownName

GROUP = "drift_monitor"  # strangers' packages register under drift_monitor.<socket>


def names(package: str) -> tuple[str, ...]:
    """Every implementation of a socket, sorted; nothing of it is imported.

    Built in are the files of the package that do not begin with `_`; strangers' packages add
    theirs by an entry point in the group `drift_monitor.<socket>`, where the socket is the
    package's last name.

    >>> "files" in names("monitor.sources")
    True
    """
    return tuple(sorted({*_built_in(package), *_strangers(_group(package))}))


def load(package: str, name: str, what: str) -> Any:
    """The module of a built-in implementation, or what a stranger's entry point names.

    A built-in name wins over a stranger's. `what` is the word for such a thing in messages.
    Raises UnknownName with the listing, AskedWrongly when the implementation cannot be imported.
    """
    if name in _built_in(package):
        return _import(package, name, what)
    stranger = _strangers(_group(package)).get(name)
    if stranger is None:
        raise UnknownName(what, name, names(package))
    try:
        return stranger.load()
    except Exception as error:  # a stranger's code may fail in any way
        maker = f" of {stranger.dist.name} {stranger.dist.version}" if stranger.dist else ""
        raise AskedWrongly(
            f"the {what} {name!r}{maker} cannot be loaded: {type(error).__name__}: {error}",
            hint=f"its entry point is {stranger.value!r}; repair, upgrade or remove that package",
        ) from error


def _import(package: str, name: str, what: str) -> Any:
    try:
        return import_module(f"{package}.{name}")
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library in ("", package.partition(".")[0]):
            raise  # one of our own files is missing: a fault, not a choice of the user
        raise AskedWrongly(
            f"the {what} {name!r} needs the library {library!r}, which is not installed",
            hint=f"install {library}",
        ) from error


@cache
def _built_in(package: str) -> frozenset[str]:
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    return frozenset(m.name for m in iter_modules(folders or []) if not m.name.startswith("_"))


def _strangers(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in _installed().select(group=group)}


@cache
def _installed() -> Any:
    """Reading the metadata of everything installed takes a while, so it is done once and late."""
    return entry_points()


def _group(package: str) -> str:
    return f"{GROUP}.{package.rpartition('.')[2]}"
