"""A measured rate with its bounds, and when it fails: never by what chance alone would do.

Rates are kept as sums (trials, hits, ...), so that parts of a simulation made in any order, by any
number of processes, add up to the same figure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.999  # one-sided, of every bound
MOST = 1.5  # a rate of false alarms may be as many times its nominal level
LEAST = 0.5  # of the nominal level, for a classical p that is not declared conservative
NOMINAL = (0.01, 0.05)
Sums = dict[str, list[float]]


def add(parts: Iterable[Mapping[str, Sequence[float]]]) -> Sums:
    """Sums of the same name added up, element by element.

    >>> add([{"a": [1, 2]}, {"a": [10, 20], "b": [5]}])
    {'a': [11, 22], 'b': [5]}
    """
    total: Sums = {}
    for part in parts:
        for name, values in part.items():
            known = total.get(name)
            total[name] = (
                list(values)
                if known is None
                else [a + b for a, b in zip(known, values, strict=True)]
            )
    return total


@dataclass(frozen=True, slots=True)
class Rate:
    """`hits` of `trials`; `spread` is how many times more they vary than independent ones would."""

    trials: float
    hits: float
    spread: float = 1.0

    @property
    def value(self) -> float:
        return self.hits / self.trials if self.trials else 0.0

    @property
    def lower(self) -> float:
        """Clopper & Pearson (1934), one-sided; trials that hang together count for fewer.

        >>> Rate(20_000, 0).lower, round(Rate(1000, 30).lower, 4)
        (0.0, 0.016)
        """
        from scipy import special

        n, k = self.trials / self.spread, self.hits / self.spread
        return float(special.betaincinv(k, n - k + 1, 1 - CONFIDENCE)) if k else 0.0

    @property
    def upper(self) -> float:
        from scipy import special

        n, k = self.trials / self.spread, self.hits / self.spread
        return float(special.betaincinv(k + 1, n - k, CONFIDENCE)) if k < n else 1.0

    def too_high(self, nominal: float, most: float = MOST) -> bool:
        return self.lower > most * nominal

    def too_low(self, nominal: float) -> bool:
        return self.upper < LEAST * nominal


def clustered(clusters: float, size: float, hits: float, squares: float) -> Rate:
    """The rate over `clusters` of `size` trials each; `squares` sums the squared hits of each.

    The variance between clusters takes the place of the binomial one where it is larger.

    >>> clustered(100, 50, 100, 5000).spread  # two clusters in a hundred hit at all fifty
    50.505
    """
    trials = clusters * size
    mean = hits / clusters if clusters else 0.0
    share = mean / size
    if clusters < 2 or not 0 < share < 1:
        return Rate(trials, hits)
    between = max(0.0, squares - clusters * mean**2) / (clusters - 1)
    return Rate(trials, hits, max(1.0, round(between / (size * share * (1 - share)), 3)))
