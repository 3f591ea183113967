"""The smallest drift a rule sees: how far a normal column must move to be seen in 80 % of windows.

One column of a window drifts and the others do not. A rule sees the drift of the first of its tests
that sees it, which is a lower bound of what they see together. To hold rules of different tests
side by side, every effect is told as the shift of a normal column, in standard deviations, that has
this effect: PSI over ten cells of equal share, KS = 2·Φ(shift/2) − 1.

Sources: PSI / f ~ χ'²(cells − 1, λ = PSI / f) with f = 1/n + 1/m (Yurdakul & Naranjo 2020); the
largest distance of two distribution functions by Donsker's limit, drawn from a fixed seed
(Raghavachari 1973); under the tolerance rule every test says itself what it sees.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from monitor.core.cells import Pair
from monitor.core.columns import Floats, Kind
from monitor.core.drift_socket import Bounds, DriftTest
from monitor.core.laws.promises import POWER
from monitor.core.summaries.summary import CELLS, Summary

LARGEST_SHIFT = 12.0  # beyond it two normal columns share nothing
MOST_PICTURED = 100_000  # values that stand for a side; more change nothing
BRIDGES, PLACES = 2000, 400  # a power of .8 is told to about .01
_NORMAL = NormalDist()
_INNER = [_NORMAL.inv_cdf(i / CELLS) for i in range(1, CELLS)]


@dataclass(frozen=True, slots=True)
class Smallest:
    """The smallest drift of one number column that is seen in 80 % of windows.

    `effects` by test, the most sensitive one first, and the `shift` of the mean, in standard
    deviations, that it sees. Empty where nothing that happens to one column alone is seen.
    """

    effects: Mapping[str, float]
    shift: float | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """What a rule looks at: independent values on both sides, columns, deciding tests of each."""

    reference: float
    window: float
    columns: int = 1
    tests: int = 1  # deciding findings of a column

    @property
    def f(self) -> float:
        return 1 / self.reference + 1 / self.window


def psi_of_shift(shift: float) -> float:
    """PSI, over ten cells of equal share, of a normal column whose mean moved by `shift` sd.

    >>> round(psi_of_shift(0.0), 3), round(psi_of_shift(0.5), 3)
    (0.0, 0.238)
    """
    below = [0.0, *(_NORMAL.cdf(cut - shift) for cut in _INNER), 1.0]
    moved = np.maximum(np.diff(below), 1e-300)
    return float(np.sum((moved - 1 / CELLS) * np.log(moved * CELLS)))


def ks_of_shift(shift: float) -> float:
    """KS of a normal column whose mean moved by `shift` sd.

    >>> round(ks_of_shift(0.5), 3)
    0.197
    """
    return 2 * _NORMAL.cdf(shift / 2) - 1


_OF_SHIFT: Mapping[str, Callable[[float], float]] = {"psi": psi_of_shift, "ks": ks_of_shift}


def shift_of(test: str, effect: float) -> float | None:
    """The shift in sd that has this effect; None for other tests and for effects beyond any shift.

    >>> round(shift_of("ks", 0.197), 2), shift_of("ks", 1.0), shift_of("wasserstein", 0.1)
    (0.5, None, None)
    """
    of_shift = _OF_SHIFT.get(test)
    if of_shift is None:
        return None
    return _first(lambda shift: of_shift(shift) >= effect, LARGEST_SHIFT)


def smallest(effects: Mapping[str, float]) -> Smallest:
    """What a rule sees whose tests see these effects; the most sensitive test comes first."""
    shifts = {test: shift_of(test, effect) for test, effect in effects.items()}
    known = {test: shift for test, shift in shifts.items() if shift is not None}
    order = sorted(effects, key=lambda test: known.get(test, LARGEST_SHIFT))
    return Smallest({test: effects[test] for test in order}, min(known.values(), default=None))


def seen_by_tolerance(
    tests: Mapping[str, DriftTest], tolerance: Mapping[str, float], alpha: float, scene: Scene
) -> Smallest:
    """By the tolerance rule at level `alpha` for all columns together.

    One column among `columns` that has the smallest p passes Benjamini–Hochberg at alpha / columns,
    and one finding among `tests` of a column at that over `tests`.
    """
    level = alpha / (scene.columns * scene.tests)
    effects = {name: _seen_by(test, tolerance[name], level, scene) for name, test in tests.items()}
    return smallest({name: effect for name, effect in effects.items() if effect is not None})


def seen_by_p_value(tests: Mapping[str, DriftTest], alpha: float, scene: Scene) -> Smallest:
    """By a rule that fires when the classical p of KS or PSI is at most `alpha`."""
    known = {"ks": _ks_seen(_ks_limit(alpha, scene), scene), "psi": _psi_p_seen(alpha, scene)}
    return smallest({name: e for name, e in known.items() if name in tests and e is not None})


def seen_by_threshold(limits: Mapping[str, float], scene: Scene) -> Smallest:
    """By a rule that fires when PSI or KS is above a fixed number, given by test."""
    laws = {"psi": psi_seen, "ks": _ks_seen}
    found = {test: laws[test](limit, scene) for test, limit in limits.items() if test in laws}
    return smallest({test: effect for test, effect in found.items() if effect is not None})


def psi_seen(limit: float, scene: Scene) -> float:
    """The true PSI whose estimate exceeds `limit` in 80 % of windows; 0 when chance alone does.

    >>> round(psi_seen(0.1, Scene(5000, 1000)), 3), psi_seen(0.1, Scene(500, 50))
    (0.109, 0.0)
    """
    from scipy import special

    degrees, x = CELLS - 1, limit / scene.f
    if special.chdtr(degrees, x) <= 1 - POWER:
        return 0.0
    return float(special.chndtrinc(x, degrees, 1 - POWER)) * scene.f


def _psi_p_seen(alpha: float, scene: Scene) -> float:
    from scipy import special

    return psi_seen(float(special.chdtri(CELLS - 1, alpha)) * scene.f, scene)


def _ks_limit(alpha: float, scene: Scene) -> float:
    """The distance at which the classical p is `alpha`, by the asymptotic law of both sides."""
    from scipy import stats

    return float(stats.kstwo.isf(alpha, max(1, round(1 / scene.f))))


def _ks_seen(limit: float, scene: Scene) -> float | None:
    """The true distance at which D exceeds `limit` in 80 % of windows; None when it never does.

    D is the largest of a whole process, not the process at the place of the true distance, and so
    lies above the truth: Donsker's limit, a Brownian bridge over what a shift does, is drawn.
    """
    noise = _bridges() * math.sqrt(scene.f)
    places = _quantiles(noise.shape[1])

    def seen(shift: float) -> bool:
        moved = _distribution(places + shift / 2) - _distribution(places - shift / 2)
        largest = np.max(np.abs(noise + moved), axis=1)
        return float(np.mean(largest >= limit)) >= POWER

    shift = _first(seen, LARGEST_SHIFT)
    return None if shift is None else ks_of_shift(shift)


@lru_cache(maxsize=1)
def _bridges() -> Floats:
    """Brownian bridges, one a row, at evenly spaced places; always the same ones."""
    steps = np.random.default_rng(0).normal(size=(BRIDGES, PLACES + 1)) / math.sqrt(PLACES + 1)
    walks = np.cumsum(steps, axis=1)
    bridges: Floats = walks[:, :-1] - walks[:, -1:] * np.arange(1, PLACES + 1) / (PLACES + 1)
    return bridges


def _distribution(values: Floats) -> Floats:
    from scipy import special

    shares: Floats = special.ndtr(values)
    return shares


def _seen_by(test: DriftTest, tolerance: float, level: float, scene: Scene) -> float | None:
    """What the test itself says it sees on such windows, whatever they show."""
    evidence = test.measure(_picture(scene), Bounds(level, tolerance, math.inf))
    return evidence.minimum_detectable if evidence else None


@lru_cache(maxsize=8)
def _picture(scene: Scene) -> Pair:
    """A normal column that did not drift, without noise."""
    return Pair("", Kind.NUMBER, _side(scene.reference), _side(scene.window))


def _side(rows: float) -> Summary:
    shown = max(1, min(int(rows), MOST_PICTURED))
    return Summary(shown, 0, _quantiles(shown))


def _quantiles(rows: int) -> Floats:
    from scipy import special

    values: Floats = special.ndtri((np.arange(rows) + 0.5) / rows)
    return values


def _first(seen: Callable[[float], bool], most: float) -> float | None:
    """The smallest number that is seen, by bisection; None when not even `most` is."""
    if not seen(most):
        return None
    low, high = 0.0, most
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return high
