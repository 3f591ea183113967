"""What a table does not count is not worked out: the same p-values in a fraction of the time.

A finding tells more than its p-values: an interval, a threshold, the smallest effect that would be
seen, and of its two p-values a table looks at one. Here the functions that work out the rest are
replaced by stand-ins, in the process of a worker only; what is counted is measured as ever. A test
holds every p-value with shortcuts against the one without.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

from monitor.briefing import drift_tests

CORE = "monitor.core."
KNOWN_KS: dict[Any, Any] = {}  # of one process: by sizes and distance
Stand = Callable[..., Any]


def _nothing(*_: object, **__: object) -> float:
    return 0.0


def _one(*_: object, **__: object) -> float:
    return 1.0


def _no_interval(*_: object, **__: object) -> tuple[float, float]:
    return 0.0, 0.0


def _no_limit(*_: object, **__: object) -> None:
    return None


def _certain(*_: object, **__: object) -> tuple[float, str]:
    return 1.0, ""


# By where a function is defined; where others import it, it is replaced as well.
EITHER: Mapping[str, Stand] = {
    "laws.chi_family._interval": _no_interval,
    "laws.chi_family._threshold": _nothing,
    "laws.chi_family.effect_seen": _nothing,
    "laws.proportions.tolerance_limit": _no_limit,
    "laws.proportions._effect_seen": _nothing,
    "laws.quadratic_law.length_at": _nothing,
    "laws.quadratic_law.truth_at": _nothing,
    "laws.norms.length_seen": _nothing,
}
ONLY: Mapping[str, Mapping[str, Stand]] = {
    "p_value": {
        "laws.quadratic_law.exceedance": _nothing,
        "laws.proportions.tolerance_p": _one,
    },
    "p_tolerance": {
        "laws.pooled.permutation_p": _one,
        "laws.random_tables.table_p": _one,
        "laws.fixed_margins.sum_p": _one,
        "drift.ks._p_value": _certain,
    },
}
# These also serve the p-value that is counted, so only the named users do without them.
ONLY_IN: Mapping[str, Mapping[str, str]] = {
    "p_value": {"laws.quadratic_law.exceedance": "laws.norms", "laws.proportions.tolerance_p": ""},
    "p_tolerance": {},
}


def missing() -> list[str]:
    """Shortcuts that name a function there no longer is."""
    named = {*EITHER, *(name for each in ONLY.values() for name in each)}
    return sorted(name for name in named if _home(name)[0] is None)


@contextmanager
def counting_only(p: str) -> Iterator[None]:
    """Within, findings hold their `p_value` or `p_tolerance` and little else."""
    drift_tests()  # what is not loaded yet would import the stand-ins and keep them
    if missing():
        raise LookupError(f"there is no {', '.join(missing())}")
    changed: list[tuple[ModuleType, str, Any]] = []
    for name, stand in {**EITHER, **ONLY[p]}.items():
        original, attribute = _home(name)
        for module in _users(original, attribute, ONLY_IN[p].get(name, "")):
            changed.append((module, attribute, original))
            setattr(module, attribute, stand)
    if p == "p_value":
        _remember_ks(changed)
    try:
        yield
    finally:
        for module, attribute, original in reversed(changed):
            setattr(module, attribute, original)


def _remember_ks(changed: list[tuple[ModuleType, str, Any]]) -> None:
    """The exact law of KS is slow and knows few distances: each is worked out once."""
    module = sys.modules[CORE + "drift.ks"]
    original = module._p_value

    def remembered(*given: Any) -> Any:
        key = tuple(a.size if isinstance(a, np.ndarray) else repr(a) for a in given)
        if key not in KNOWN_KS:
            KNOWN_KS[key] = original(*given)
        return KNOWN_KS[key]

    changed.append((module, "_p_value", original))
    setattr(module, "_p_value", remembered)  # noqa: B010 - a module's private name, put back after


def _home(name: str) -> tuple[Any, str]:
    module, _, attribute = name.rpartition(".")
    return getattr(sys.modules.get(CORE + module), attribute, None), attribute


def _users(original: Any, attribute: str, only: str) -> list[ModuleType]:
    """The modules of the core that know a function by its name, or the one named."""
    if original is None:
        return []
    return [
        module
        for name, module in list(sys.modules.items())
        if name.startswith(CORE)
        and (not only or name == CORE + only)
        and getattr(module, attribute, None) is original
    ]
