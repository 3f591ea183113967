"""Core columns and pairs made from plain values, as the sources would make them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from monitor import catalogue
from monitor.briefing import make_plan
from monitor.configuration.comparing import DriftSettings
from monitor.core.cells import Pair
from monitor.core.columns import Column, Kind
from monitor.core.comparison import Plan
from monitor.core.drift_socket import Bounds, DriftTest, Evidence, Rule, find
from monitor.core.records import Finding
from monitor.core.summaries.collecting import summarize
from monitor.core.summaries.summary import in_one_precision

DRIFT_SOCKET = "monitor.core.drift"
TESTS: Mapping[str, DriftTest] = {
    name: catalogue.load(DRIFT_SOCKET, name, "drift test") for name in catalogue.names(DRIFT_SOCKET)
}


def numbers(values: Any, name: str = "x", dtype: str = "float") -> Column:
    """NaN is missing; a float32 array keeps its values."""
    array = np.asarray(values).astype(np.float64)
    present = array[~np.isnan(array)]
    return Column(name, dtype, array.size, array.size - present.size, numbers=present)


def texts(values: Sequence[str | None], name: str = "x") -> Column:
    """None is missing; levels in order of first occurrence."""
    present = [value for value in values if value is not None]
    places = {level: index for index, level in enumerate(dict.fromkeys(present))}
    codes = np.array([places[value] for value in present], dtype=np.int64)
    missing = len(values) - len(present)
    return Column(name, "string", len(values), missing, codes=codes, levels=tuple(places))


def booleans(values: Sequence[bool | None], name: str = "x") -> Column:
    present = [value for value in values if value is not None]
    return Column(
        name,
        "boolean",
        len(values),
        len(values) - len(present),
        codes=np.array(present, dtype=np.int64),
        levels=("false", "true"),
    )


def empty(rows: int, name: str = "x") -> Column:
    """A column of a file in which it never has a value: no type, no arrays."""
    return Column(name, "other", rows, rows)


def counted(counts: Mapping[str, int] | Iterable[int], name: str = "x") -> Column:
    """A column of levels given how often each occurs; unnamed levels are a, b, c ..."""
    named = (
        counts if isinstance(counts, Mapping) else {chr(97 + i): c for i, c in enumerate(counts)}
    )
    sizes = np.array(list(named.values()), dtype=np.int64)
    codes = np.repeat(np.arange(sizes.size), sizes)
    return Column(name, "string", int(sizes.sum()), 0, codes=codes, levels=tuple(named))


def pair_of(kind: Kind, reference: Column, current: Column) -> Pair:
    before = summarize(reference, kind)
    now = summarize(current, kind, before)
    return Pair(reference.name, kind, *in_one_precision(before, now))


def plan(*chosen: str, kinds: Mapping[str, Kind] | None = None, **rule: Any) -> Plan:
    return make_plan(DriftSettings(tests=chosen, **rule), kinds=kinds or {})


def at_most(hits: int, trials: int, rate: float) -> bool:
    """Whether so many hits can be had at a rate of at most `rate` (one error in 10 000 tests)."""
    from scipy import stats

    return bool(hits <= stats.binom.ppf(0.9999, trials, rate))


def bounds_of(name: str, alpha: float = 0.01) -> Bounds:
    """What a test is asked with when nothing else is configured."""
    return Bounds(alpha, TESTS[name].SPEC.tolerance, TESTS[name].SPEC.must_see)


def evidence(name: str, both: Pair) -> Evidence:
    found = TESTS[name].measure(both, bounds_of(name))
    assert found is not None
    return found


def finding(name: str, both: Pair) -> Finding:
    found = find(name, TESTS[name], both, Rule())
    assert found is not None
    return found
