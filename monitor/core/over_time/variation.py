"""How much past windows vary: in one column, beyond what independent rows would.

Rows that depend on one another (autocorrelation, a bad day, a season) make the shares of windows
vary more than independent rows would. How much more is told as a design effect (Kish 1965): rows
count for that many times fewer.

1. Count the cells of each window, and look at them in some directions: of numbers the cumulative
   share below each cut, and the scores that see a shift or a spread; of levels the share of each.
2. Do phases differ? Analysis of variance between and within phases, in every direction.
3. Hold each window against the others without its neighbours. The design effect is the largest
   ratio over the directions of the variance found to that of independent rows, and 1 unless the
   excess is significant. The largest of some ratios is above its truth by about as much as few
   windows leave uncertain, so nothing is added for that.
"""

from dataclasses import dataclass

import numpy as np

from monitor.core import spelling
from monitor.core.cells import MIN_EXPECTED
from monitor.core.columns import Codes, Column, Floats, Kind
from monitor.core.over_time.phases import PastWindows
from monitor.core.summaries.collecting import measured
from monitor.core.summaries.summary import Summary

MIN_WINDOWS = 20  # fewer tell nothing of how much they vary
SEASON_LEVEL = 0.001  # of the test whether phases differ, for all directions together
# Of the test whether windows vary more than independent rows would. It is generous, for to overlook
# that cries wolf, and a little too much caution does not.
EXCESS_LEVEL = 0.1


@dataclass(frozen=True, slots=True)
class Variation:
    """How much past windows vary in one column, as design effects of one whole window."""

    rows: float = 0.0  # values a window holds on average
    around_all: float = 1.0  # against all others
    around_phase: float = 1.0  # against those of the same phase
    seasonal: bool = False  # whether phases differ

    def design_effect(self, n: int, m: int, *, in_phase: bool, against_window: bool) -> float:
        """How many times fewer n reference and m window rows count; at least 1.

        What windows vary beyond chance does not shrink with their rows, so a window of another
        size is scaled; both sides together vary as n and m rows of one design effect would.
        """
        whole = self.around_phase if in_phase else self.around_all
        if whole <= 1 or not n or not m:
            return 1.0
        now = 1 + (whole - 1) * m / self.rows
        before = 1 + (whole - 1) * n / self.rows if against_window else whole
        return (before * m + now * n) / (n + m)


def variation(column: Column, kind: Kind, summary: Summary, past: PastWindows) -> Variation:
    """How windows of the reference vary in one column; nothing told by fewer than 20 of them."""
    cells = _cells_by_row(column, kind, summary, past.count)
    rows = past.rows if column.present is None else past.rows[column.present]
    if cells is None or cells.shape != rows.shape:
        return Variation()
    inside = (rows >= 0) & (cells >= 0)
    size = int(cells.max(initial=0)) + 1
    counts = np.bincount(rows[inside] * size + cells[inside], minlength=past.count * size)
    return variation_of(
        counts.reshape(past.count, size).astype(np.float64),
        past.phases,
        past.instances,
        ordered=kind in (Kind.NUMBER, Kind.TEXT),
    )


def variation_of(counts: Floats, phases: Codes, instances: Codes, *, ordered: bool) -> Variation:
    """Of the counts of windows in order of time, shape (K, cells).

    >>> rng = np.random.default_rng(0)
    >>> windows = rng.multinomial(100, [0.1] * 10, size=40).astype(float)
    >>> variation_of(windows, np.zeros(40, int), np.arange(40), ordered=True).around_all
    1.0
    """
    sizes = counts.sum(axis=1)
    held = sizes > 0
    if np.count_nonzero(held) < MIN_WINDOWS:
        return Variation()
    counts, sizes, phases = counts[held], sizes[held], phases[held]
    _, instances = np.unique(instances[held], return_inverse=True)
    mean_rows = float(sizes.mean())
    sums = counts @ _directions(counts.sum(axis=0), mean_rows, ordered=ordered)
    if not sums.size:
        return Variation(mean_rows)
    windows = _Windows(sums, sizes, phases, instances)
    seasonal = _phases_differ(windows)
    return Variation(
        mean_rows,
        _design_effect(windows, _around_all(windows), sizes.size - 1),
        _design_effect(windows, _around_phase(windows), windows.degrees) if seasonal else 1.0,
        seasonal,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Windows:
    """K windows seen in d directions; a score has mean 0 and variance 1 over all rows."""

    sums: Floats  # shape (K, d): of the scores of the rows
    sizes: Floats  # shape (K,)
    phases: Codes
    instances: Codes

    @property
    def degrees(self) -> int:
        """Of freedom within phases."""
        return int(np.unique(self.instances).size - np.unique(self.phases).size)


# --- Cells and directions ---


def _cells_by_row(column: Column, kind: Kind, summary: Summary, windows: int) -> Codes | None:
    """The cell of each value that is there, shape (rows - missing,); -1 for what is no number.

    Of numbers those between the cuts of the reference, of levels one each.
    """
    if kind in (Kind.NUMBER, Kind.TEXT):
        values = measured(column, kind)
        bounds = [np.nextafter(at, -np.inf) if side == "left" else at for at, side in summary.cuts]
        cells = np.searchsorted(np.array(bounds), values, "left")
        return np.where(np.isnan(values), -1, cells)
    if column.codes is None:
        return None
    places: dict[str, int] = {}
    number = [places.setdefault(spelling.plain(v), len(places)) for v in column.levels]
    return _with_rest(np.array(number, dtype=np.int64)[column.codes], windows)


def _with_rest(cells: Codes, windows: int) -> Codes:
    """All levels of which a window expects too few rows are one cell, which is the first."""
    totals = np.bincount(cells)
    frequent = totals >= MIN_EXPECTED * windows
    return np.asarray(np.where(frequent, np.cumsum(frequent), 0)[cells])


def _directions(totals: Floats, mean_rows: float, *, ordered: bool) -> Floats:
    """Scores of the cells, shape (cells, d), each with mean 0 and variance 1 over all rows.

    Only the shares of which an average window expects enough rows, inside and outside.
    """
    shares = totals / totals.sum()
    cells = np.eye(shares.size)
    members = np.cumsum(cells, axis=1)[:, :-1] if ordered else cells  # of the cells below each cut
    below = shares @ members
    enough = mean_rows * np.minimum(below, 1 - below) >= MIN_EXPECTED
    if not enough.any():
        return np.empty((shares.size, 0))
    wanted = members[:, enough]
    if ordered:
        scores = _normal_scores(shares)
        wanted = np.column_stack([wanted, scores, scores**2])
    centred = wanted - shares @ wanted
    spread = np.sqrt(shares @ centred**2)
    return np.asarray(centred[:, spread > 0] / spread[spread > 0])


def _normal_scores(shares: Floats) -> Floats:
    """What the middle rank of each cell would be in a normal distribution; shape (cells,)."""
    from scipy import special

    middle = np.cumsum(shares) - shares / 2
    return np.asarray(special.ndtri(np.clip(middle, 1e-6, 1 - 1e-6)))


# --- Variances ---


def _phases_differ(windows: _Windows) -> bool:
    """One-way analysis of variance over the instances of phases, in every direction."""
    from scipy import special

    between = np.unique(windows.phases).size - 1
    if between < 1 or windows.degrees < 2:
        return False
    sums, sizes = (
        _totals(windows.sums, windows.instances),
        _totals(windows.sizes, windows.instances),
    )
    first = np.unique(windows.instances, return_index=True)[1]
    phases = windows.phases[first]
    phase_sizes = _totals(windows.sizes, windows.phases)
    phase_means = _totals(windows.sums, windows.phases) / phase_sizes[:, None]
    inner = sizes @ (sums / sizes[:, None] - phase_means[phases]) ** 2
    outer = phase_sizes @ (phase_means - windows.sums.sum(axis=0) / sizes.sum()) ** 2
    ratio = (outer / between) / np.maximum(inner / windows.degrees, 1e-12)
    p = special.fdtrc(between, windows.degrees, ratio)
    return bool(np.min(p) * p.size <= SEASON_LEVEL)


def _totals(values: Floats, groups: Codes) -> Floats:
    """Sums of the rows of each group, shape (groups, ...)."""
    total = np.zeros((int(groups.max()) + 1, *values.shape[1:]))
    np.add.at(total, groups, values)
    return total


def _around_all(windows: _Windows) -> tuple[Floats, Floats]:
    """Sums and rows of all other windows but the neighbours, shapes (K, d) and (K,)."""
    return _others(windows.sums), _others(windows.sizes)


def _others(values: Floats) -> Floats:
    near = values.copy()
    near[1:] += values[:-1]
    near[:-1] += values[1:]
    return np.asarray(values.sum(axis=0) - near)


def _around_phase(windows: _Windows) -> tuple[Floats, Floats]:
    """Sums and rows of the other instances of each window's phase."""
    sums, sizes = (
        _totals(v, windows.phases)[windows.phases]
        - _totals(v, windows.instances)[windows.instances]
        for v in (windows.sums, windows.sizes)
    )
    return sums, sizes


def _design_effect(windows: _Windows, others: tuple[Floats, Floats], degrees: int) -> float:
    """The largest ratio of variances over the directions; 1 when no excess is significant."""
    from scipy import special

    sums, sizes = others
    held = sizes > 0
    gaps = windows.sums[held] / windows.sizes[held, None] - sums[held] / sizes[held, None]
    ratios = np.mean(gaps**2 / (1 / windows.sizes[held] + 1 / sizes[held])[:, None], axis=0)
    p = special.chdtrc(degrees, degrees * ratios)
    if np.min(p) * p.size > EXCESS_LEVEL:
        return 1.0
    return max(1.0, float(np.max(ratios)))
