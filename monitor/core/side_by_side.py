"""Two columns at a time where columns are large: numpy and Arrow let go of the interpreter."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from monitor.core.columns import Column, Stream

# How a function is applied to the name of every column.
Run = Callable[[Callable[[str], Any], Iterable[str]], Iterable[Any]]

WORKERS = 2  # threads; each holds one column of either side


def are_held(columns: Mapping[str, Stream]) -> bool:
    """Whether all columns are in memory as a whole."""
    return all(isinstance(column, Column) for column in columns.values())


@contextmanager
def side_by_side(*sides: Mapping[str, Stream]) -> Iterator[Run]:
    """One after the other where all columns are held: threads would cost more than they gain."""
    if all(are_held(side) for side in sides):
        yield map
        return
    with ThreadPoolExecutor(WORKERS) as pool:
        yield pool.map
