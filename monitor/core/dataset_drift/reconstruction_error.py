"""Reconstruction error: do the rows still follow the patterns that hold the columns together?

1. The reference is dealt into two halves at random (fixed seed). On one of them columns are scaled
   (median and middle half; gaps and frequent levels as features of their own) and the principal
   components are found that hold four fifths of the spread.
2. Every other row is rebuilt from these components; its error is what is left over.
3. The errors of the held-out reference rows are compared with those of the window: no row is
   judged by patterns that were learnt from it. The effect is twice the distance of their AUC from
   ½ (Somers' D): 0 is no difference, 1 is complete. p_value is that of Mann-Whitney, two-sided.

Fewer than twenty rows of a side: undecided. None where fewer than two features vary.
"""

import numpy as np

from monitor.core.columns import Floats
from monitor.core.dataset_socket import DatasetSpec
from monitor.core.drift_socket import Bounds, Evidence
from monitor.core.features import Encoder
from monitor.core.ordering import Ordering, expected_variance, needed, ordering, visible_from
from monitor.core.table import SEED, Rows

SPEC = DatasetSpec(
    title="reconstruction error",
    effect="how clearly rows of the window are rebuilt worse, or better, than those of training",
    unit="Somers' D, 0 to 1",
    tolerance=0.2,
    must_see=0.5,
    asks="Do rows still follow the patterns between columns that training had?",
    blind_to="changes along the patterns themselves, such as all columns growing together, and "
    "patterns that are no straight lines",
    null_law="Mann-Whitney on the errors of rows that no pattern was learnt from",
    source="Pearson 1901; Jackson & Mudholkar 1979 (residuals of principal components); Mann & "
    "Whitney 1947; DeLong, DeLong & Clarke-Pearson 1988; Hanley & McNeil 1982",
    aliases=("pca_reconstruction", "data_reconstruction"),
)
FEWEST = 20  # rows of a side
KEPT = 0.8  # share of the spread that the components hold
VARIES = 1e-9  # variance of a feature that does


def measure(rows: Rows, bounds: Bounds) -> Evidence | None:
    """Evidence on the whole table; None where there is nothing to rebuild a row from."""
    from scipy.special import ndtr, ndtri

    if not rows.variables:
        return None
    if min(rows.sizes) < FEWEST:
        return Evidence(missing_input=f"fewer than {FEWEST} rows on a side show no pattern")
    errors = _errors(rows)
    if errors is None:
        return None
    found = ordering(*errors)
    effect = abs(2 * found.auc - 1)
    noise = _noise(found, bounds.tolerance) * float(np.sqrt(rows.design_effect))
    beyond, opposite = ((bounds.tolerance + side * effect) / noise for side in (-1, 1))
    sizes = found.sizes[0] / rows.design_effect, found.sizes[1] / rows.design_effect
    as_auc = Bounds(bounds.alpha, (1 + bounds.tolerance) / 2, (1 + bounds.must_see) / 2)
    return Evidence(
        statistic=found.auc,
        effect=effect,
        low=max(0.0, effect - 1.96 * noise),
        high=min(1.0, effect + 1.96 * noise),
        p_value=2 * float(ndtr(-abs(found.z) / np.sqrt(rows.design_effect))),
        p_tolerance=min(1.0, float(ndtr(beyond) + ndtr(-opposite))),
        threshold=bounds.tolerance - float(ndtri(bounds.alpha)) * noise,
        minimum_detectable=2 * visible_from(as_auc, sizes) - 1,
        rows_needed=needed(as_auc, sizes[0], rows.design_effect),
        law=rows.left_out,
        what=_what(found),
    )


def _errors(rows: Rows) -> tuple[Floats, Floats] | None:
    """What is left over of held-out reference rows and of the window's; shapes (n / 2,), (m,)."""
    n, m = rows.sizes
    fitted, held_out = np.array_split(np.random.default_rng(SEED).permutation(n), 2)
    encoder = Encoder(rows.variables, fitted)
    known = encoder.reference(fitted)
    middle, spread = known.mean(axis=0), known.std(axis=0)
    varies = spread > VARIES
    if np.count_nonzero(varies) < 2:
        return None
    scaled = [
        (side[:, varies] - middle[varies]) / spread[varies]
        for side in (known, encoder.reference(held_out), encoder.current(np.arange(m)))
    ]
    variances, axes = np.linalg.eigh(scaled[0].T @ scaled[0] / scaled[0].shape[0])
    left = np.cumsum(variances) <= (1 - KEPT) * variances.sum()  # ascending: the smallest first
    left[0] = True
    before, now = (np.sum((side @ axes[:, left]) ** 2, axis=1) for side in scaled[1:])
    return before, now


def _noise(found: Ordering, tolerance: float) -> float:
    """Standard error of the effect: as seen, and at least that of a tolerated one."""
    at_tolerance = expected_variance((1 + tolerance) / 2, *found.sizes)
    return 2 * float(np.sqrt(max(found.variance, at_tolerance)))


def _what(found: Ordering) -> str:
    worse = found.auc >= 0.5
    chance = f"{max(found.auc, 1 - found.auc):.0%}".replace("%", " %")
    how = "worse" if worse else "better"
    return f"rows fit the patterns of the reference {how} than its own do in {chance} of cases"
