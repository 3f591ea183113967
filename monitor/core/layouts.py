"""Files of one dataset that do not have the same columns: which of them lacks what, in words."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

TOLD = 3  # files, or columns, that are named before the others are counted


class Lack(NamedTuple):
    """Columns that the same files lack, and the sentence about it."""

    columns: tuple[str, ...]
    text: str


def lacking(
    layouts: Mapping[str, tuple[str, ...]], wanted: Collection[str] | None = None
) -> list[Lack]:
    """What some files lack and others have; of `wanted` columns alone, where there is a choice.

    `layouts` are the columns of each file. A column that only files have which lack another one
    is told beside that one: most often it is the same by another name.

    >>> [told] = lacking({"1.csv": ("a", "b"), "2.csv": ("a", "B"), "3.csv": ("a", "b")})
    >>> told.text
    '1 of 3 files has no column `b`: 2.csv; it has `B`, which no other file has'
    """
    if len(set(layouts.values())) < 2:
        return []
    having = _having(layouts)
    groups: dict[frozenset[str], list[str]] = {}
    for name, files in having.items():
        if len(files) < len(layouts) and (wanted is None or name in wanted):
            groups.setdefault(files, []).append(name)
    found, instead = [], set[str]()
    for files, names in sorted(groups.items(), key=lambda group: -len(group[0])):
        if wanted is None and instead.issuperset(names):
            continue
        without = [file for file in layouts if file not in files]
        apart = [name for name, those in having.items() if those.isdisjoint(files)]
        others = [name for name in apart if name not in instead]
        instead.update(others)
        found.append(Lack(tuple(names), _told(names, without, others, having, len(layouts))))
    return found


def partly_there(layouts: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The columns that some files lack and others have.

    >>> partly_there({"1.csv": ("a", "b"), "2.csv": ("a", "B")})
    ('b', 'B')
    """
    having = _having(layouts)
    return tuple(name for name, files in having.items() if len(files) < len(layouts))


def empty_told(empty: Sequence[str], files: int) -> str:
    """The sentence on those of so many files that hold nothing.

    >>> empty_told(["2.csv"], 30)
    '1 of 30 files is empty: 2.csv'
    """
    are = "is" if len(empty) == 1 else "are"
    return f"{len(empty)} of {files} files {are} empty: {files_told(empty)}"


def files_told(files: Sequence[str]) -> str:
    """The first names of some files, and how many more there are."""
    return ", ".join(files[:TOLD]) + _more(files)


def quoted(names: Sequence[str]) -> str:
    """The first names of some columns, and how many more there are."""
    return ", ".join(f"`{name}`" for name in names[:TOLD]) + _more(names)


def _having(layouts: Mapping[str, tuple[str, ...]]) -> dict[str, frozenset[str]]:
    """The files that have a column, by its name."""
    having: dict[str, list[str]] = {}
    for file, names in layouts.items():
        for name in names:
            having.setdefault(name, []).append(file)
    return {name: frozenset(files) for name, files in having.items()}


def _told(
    names: Sequence[str],
    without: Sequence[str],
    others: Sequence[str],
    having: Mapping[str, frozenset[str]],
    count: int,
) -> str:
    column = "column" if len(names) == 1 else "columns"
    if not others and 2 * len(without) > count:
        holders = sorted(having[names[0]])
        verb = "has" if len(holders) == 1 else "have"
        told = f"only {len(holders)} of {count} files {verb} the {column}"
        return f"{told} {quoted(names)}: {files_told(holders)}"
    verb = "has" if len(without) == 1 else "have"
    told = f"{len(without)} of {count} files {verb} no {column} {quoted(names)}"
    told = f"{told}: {files_told(without)}"
    if not others:
        return told
    holders = sorted(frozenset[str]().union(*(having[name] for name in others)))
    verb = "has" if len(holders) == 1 else "have"
    who = files_told(holders)
    if len(holders) == len(without):
        who = "it" if len(without) == 1 else "they"
    return f"{told}; {who} {verb} {quoted(others)}, which no other file has"


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - TOLD} more" if len(names) > TOLD else ""
