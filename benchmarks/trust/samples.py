"""How a reference and its windows are drawn from a population, as the summaries of the core."""

from typing import Any, Protocol

import numpy as np

from benchmarks.trust import populations
from benchmarks.trust.populations import LEVELS, SHARES, Change
from monitor.core.columns import Floats, Kind
from monitor.core.summaries.summary import Summary


class Sampler(Protocol):
    """Draws both sides of one law; a base is what all changes of one window share."""

    kind: Kind

    def reference(self, rng: np.random.Generator, n: int) -> Summary: ...

    def base(self, rng: np.random.Generator, m: int) -> Any: ...

    def window(
        self, rng: np.random.Generator, base: Any, m: int, change: Change, reference: Summary
    ) -> Summary: ...


class Numbers:
    """One base of uniform shares serves every change: each is another function of it."""

    kind = Kind.NUMBER

    def __init__(self, law: str) -> None:
        self._law = law

    def reference(self, rng: np.random.Generator, n: int) -> Summary:
        return Summary(n, 0, values=populations.values(self._law, populations.uniforms(rng, n)))

    def base(self, rng: np.random.Generator, m: int) -> Floats:
        return populations.uniforms(rng, m)

    def window(
        self, rng: np.random.Generator, base: Floats, m: int, change: Change, reference: Summary
    ) -> Summary:
        return Summary(m, 0, values=populations.values(self._law, base, change))


class _Seeded:
    """A base is a seed, so that the draws of one change do not hang on those of another."""

    def base(self, rng: np.random.Generator, m: int) -> int:
        return int(rng.integers(1 << 62))


class Levels(_Seeded):
    """Counts of all levels at once."""

    kind = Kind.CATEGORY

    def __init__(self, law: str) -> None:
        self._law = law
        self._shares: dict[Change, Floats] = {}

    def reference(self, rng: np.random.Generator, n: int) -> Summary:
        return populations.counted(rng.multinomial(n, self._p(populations.QUIET)))

    def window(
        self, rng: np.random.Generator, base: int, m: int, change: Change, reference: Summary
    ) -> Summary:
        own = np.random.default_rng(base)
        if change.way != "new levels":
            return populations.counted(own.multinomial(m, self._p(change)))
        return self._with_new_levels(own, m, change.size, reference)

    def _with_new_levels(
        self, rng: np.random.Generator, m: int, size: float, reference: Summary
    ) -> Summary:
        """Unseen levels grow by exactly `size` of rows beyond what is unseen anyway."""
        p = self._p(populations.QUIET)
        unseen = sum(
            share for k, share in enumerate(p.tolist()) if _name(k) not in reference.counts
        )
        new = rng.binomial(m, size / (1 - unseen))
        known = populations.counted(rng.multinomial(m - new, p))
        return Summary(m, 0, counts={**known.counts, "new": new} if new else known.counts)

    def _p(self, change: Change) -> Floats:
        if change not in self._shares:
            self._shares[change] = populations.level_shares(self._law, change)
        return self._shares[change]


class Faults(_Seeded):
    """Missing, infinite and unreadable values, each in a share of the rows of its own."""

    kind = Kind.NUMBER

    def __init__(self, law: str) -> None:
        self._share = SHARES[law]

    def reference(self, rng: np.random.Generator, n: int) -> Summary:
        return _faulty(rng, n, self._share)

    def window(
        self, rng: np.random.Generator, base: int, m: int, change: Change, reference: Summary
    ) -> Summary:
        by = {"up": change.size, "down": -change.size}.get(change.way, 0.0)
        return _faulty(np.random.default_rng(base), m, self._share + by)


def _faulty(rng: np.random.Generator, rows: int, share: float) -> Summary:
    missing, infinite, unreadable, _ = rng.multinomial(rows, [share] * 3 + [1 - 3 * share])
    return populations.with_faults(rows, int(missing), int(infinite), int(unreadable))


def _name(level: int) -> str:
    return f"level {level}"


def sampler_of(law: str) -> Sampler:
    if law in LEVELS:
        return Levels(law)
    return Faults(law) if law in SHARES else Numbers(law)
