"""Domain classifier: can a model tell, row by row, which side a row comes from?

1. Both sides are dealt into two halves at random (fixed seed).
2. Gradient-boosted trees are trained on one half, both sides weighing the same, and score the
   other half; then the other way round. No row is scored by a model that saw it, and scores of the
   two models are never mixed.
3. The effect is the mean of the two AUCs. p_value is twice the smaller of the two Mann-Whitney
   p-values (one-sided), valid whatever the model; p_tolerance holds the mean against the tolerance
   with the larger of DeLong's and Hanley & McNeil's variance.
4. Where anything changed at all (p_value at most alpha), a column's share is how much AUC the
   models lose on the held-out rows when its values are shuffled there. The largest are named.

Fewer than twenty rows of a side teach no model: undecided. None without columns.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.core.columns import Codes, Flags, Floats
from monitor.core.dataset_socket import DatasetSpec
from monitor.core.drift_socket import Bounds, Evidence
from monitor.core.features import side_by_side
from monitor.core.ordering import Ordering, expected_variance, needed, ordering, visible_from
from monitor.core.table import SEED, Rows

SPEC = DatasetSpec(
    title="domain classifier AUC",
    effect="chance that a model scores a row of the window above one of the reference",
    unit="AUC, 0.5 to 1",
    tolerance=0.6,
    must_see=0.75,
    asks="Can a model tell rows of the window from rows of training, by all columns together?",
    blind_to="differences that trees of four levels do not learn from so few rows; the order of "
    "rows. Where rows of a window are alike, it sees what sets this window apart from others",
    null_law="Mann-Whitney on held-out scores, twice the smaller p of two halves",
    source="Lopez-Paz & Oquab 2017 (classifier two-sample test); Friedman 2001 for the trees; "
    "DeLong, DeLong & Clarke-Pearson 1988; Hanley & McNeil 1982; Breiman 2001 for the importance "
    "of a column",
    aliases=("classifier_two_sample_test", "adversarial_validation"),
)
FEWEST = 20  # rows of a side that teach a model anything
NAMED = 3
LEAST_SHARE = 0.1  # of the whole importance, below which a column is not named


@dataclass(frozen=True, slots=True, eq=False)
class _Half:
    """One model and the rows it had not seen, those of the reference first."""

    model: Any
    rows: Floats
    reference_rows: int
    scored: Ordering

    def losses(self) -> Floats:
        """AUC lost by shuffling each column, shape (k,)."""
        chance = np.random.default_rng(SEED)
        losses = []
        for column in range(self.rows.shape[1]):
            mixed = self.rows.copy()
            mixed[:, column] = chance.permutation(mixed[:, column])
            losses.append(self.scored.auc - _score(self.model, mixed, self.reference_rows).auc)
        return np.array(losses)


def measure(rows: Rows, bounds: Bounds) -> Evidence | None:
    """Evidence on the whole table; None when there are no columns."""
    if not rows.variables:
        return None
    if min(rows.sizes) < FEWEST:
        return Evidence(missing_input=f"fewer than {FEWEST} rows on a side teach no model")
    with _one_thread():
        return _evidence(rows, bounds)


def _one_thread() -> Any:
    """Threads that wait for each other on a busy machine cost many times what they save here."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="openmp")


def _evidence(rows: Rows, bounds: Bounds) -> Evidence:
    from scipy.special import ndtr, ndtri

    halves = _halves(rows)
    n, m = rows.effective
    auc = float(np.mean([half.scored.auc for half in halves]))
    p_value = 2 * min(half.scored.p_higher(rows.design_effect) for half in halves)
    noise = _noise(halves, bounds.tolerance) * float(np.sqrt(rows.design_effect))
    shares = _shares(rows, halves) if p_value <= bounds.alpha else {}
    return Evidence(
        statistic=auc,
        effect=auc,
        low=max(0.0, auc - 1.96 * noise),
        high=min(1.0, auc + 1.96 * noise),
        p_value=min(1.0, p_value),
        p_tolerance=float(ndtr((bounds.tolerance - auc) / noise)),
        threshold=bounds.tolerance - float(ndtri(bounds.alpha)) * noise,
        minimum_detectable=visible_from(bounds, (n / 2, m / 2)),
        rows_needed=needed(bounds, n / 2, 2 * rows.design_effect),
        law=rows.left_out,
        what=_what(shares),
        by_column=shares,
    )


def _halves(rows: Rows) -> list[_Half]:
    values, levels = side_by_side(rows.variables)
    n, m = rows.sizes
    chance = np.random.default_rng(SEED)
    dealt = [np.array_split(side, 2) for side in (chance.permutation(n), n + chance.permutation(m))]
    one, other = ((dealt[0][k], dealt[1][k]) for k in (0, 1))
    return [_taught(values, levels, one, other), _taught(values, levels, other, one)]


def _taught(
    values: Floats, levels: Flags, train: tuple[Codes, Codes], held_out: tuple[Codes, Codes]
) -> _Half:
    """One model, and what it makes of the rows held out."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    fewest = min(side.size for side in train)
    model = HistGradientBoostingClassifier(
        max_iter=40,
        max_depth=4,
        min_samples_leaf=max(3, min(20, fewest // 4)),
        early_stopping=False,
        class_weight="balanced",
        categorical_features=levels,
        random_state=SEED,
    )
    of_window = np.repeat([0, 1], [side.size for side in train])
    model.fit(values[np.concatenate(train)], of_window)
    rows, n = values[np.concatenate(held_out)], held_out[0].size
    return _Half(model, rows, n, _score(model, rows, n))


def _score(model: Any, rows: Floats, n: int) -> Ordering:
    scores = model.decision_function(rows)
    return ordering(scores[:n], scores[n:])


def _noise(halves: list[_Half], tolerance: float) -> float:
    """Standard error of the mean of both AUCs: as seen, and at least that of a tolerated one.

    No smaller than that of one half: what each half has by chance, the model of the other half
    learns and finds again, so that both AUCs err to the same side.
    """
    variances = [
        max(half.scored.variance, expected_variance(tolerance, *half.scored.sizes))
        for half in halves
    ]
    return float(np.mean(np.sqrt(variances)))


def _shares(rows: Rows, halves: list[_Half]) -> dict[str, float]:
    """The share of each column in telling the sides apart, the largest first; they add up to 1."""
    losses = np.maximum(0.0, np.mean([half.losses() for half in halves], axis=0))
    total = float(losses.sum())
    named = zip(rows.variables, losses.tolist(), strict=True)
    ranked = sorted(((loss, v.name) for v, loss in named if loss > 0), key=lambda x: -x[0])
    return {name: loss / total for loss, name in ranked}


def _what(shares: dict[str, float]) -> str:
    named = [f"`{name}`" for name, share in shares.items() if share >= LEAST_SHARE][:NAMED]
    if not named:
        return ""
    told = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    return f"{told} {'tells' if len(named) == 1 else 'tell'} the rows from those of the reference"
