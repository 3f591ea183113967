"""The people of the demo: what applicants say about themselves, and how the model scores it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Columns = dict[str, Array]

_TERMS = {12: 0.10, 24: 0.18, 36: 0.26, 48: 0.20, 60: 0.16, 72: 0.10}
_PURPOSES = {
    "car": 0.30,
    "debt_consolidation": 0.24,
    "home_improvement": 0.20,
    "education": 0.12,
    "medical": 0.08,
    "travel": 0.06,
}
_CHANNELS = {"online": 0.58, "broker": 0.24, "branch": 0.18}
_CHANNELS_WEEKEND = {"online": 0.62, "broker": 0.24, "branch": 0.14}
_REGIONS = {"north": 0.25, "west": 0.22, "south": 0.21, "east": 0.18, "capital": 0.14}
_REGIONS_DRIFTED = {"north": 0.12, "west": 0.15, "south": 0.15, "east": 0.16, "capital": 0.42}
_EMPLOYMENTS = {
    "employed": 0.56,
    "public_sector": 0.17,
    "self_employed": 0.12,
    "retired": 0.08,
    "student": 0.04,
    "unemployed": 0.03,
}
_EMPLOYMENTS_DRIFTED = {
    "employed": 0.34,
    "public_sector": 0.09,
    "self_employed": 0.34,
    "retired": 0.07,
    "student": 0.09,
    "unemployed": 0.07,
}

_AMOUNT_EFFECT = -0.45  # of the logarithm of loan_amount / 10 000
_PURPOSE_EFFECTS = {"medical": -0.35, "travel": -0.30, "education": -0.10, "car": 0.20}
_EMPLOYMENT_EFFECTS = {
    "public_sector": 0.50,
    "employed": 0.25,
    "self_employed": -0.35,
    "student": -0.40,
    "unemployed": -1.30,
}
_TYPICAL_AMOUNT = {
    "car": 14_000,
    "debt_consolidation": 11_000,
    "home_improvement": 16_000,
    "education": 8_000,
    "medical": 6_000,
    "travel": 4_000,
}


def draw_features(rng: np.random.Generator, moved: Array, weekend: bool) -> Columns:
    """What the applicants say about themselves; `moved` marks those after the onset."""
    rows = len(moved)
    age = np.clip(18 + rng.gamma(3.2, 7.0, rows), 18, 80).astype(np.int64)
    purpose = _pick(rng.random(rows), _PURPOSES)
    typical = np.array([_TYPICAL_AMOUNT[each] for each in purpose])
    amount = typical * rng.lognormal(0.03 if weekend else 0.0, 0.45, rows)
    return {
        "applicant_age": age,
        "income": _incomes(rng, moved, weekend),
        "employment": _pick_either(rng, _EMPLOYMENTS, _EMPLOYMENTS_DRIFTED, moved),
        "years_employed": np.round((age - 18) * rng.beta(1.3, 2.6, rows), 1),
        "region": _pick_either(rng, _REGIONS, _REGIONS_DRIFTED, moved),
        "dependants": rng.binomial(5, 0.22, rows),
        "existing_customer": rng.random(rows) < (0.44 if weekend else 0.41),
        "channel": _pick(rng.random(rows), _CHANNELS_WEEKEND if weekend else _CHANNELS),
        "purpose": purpose,
        "loan_amount": np.clip(np.round(amount, -2), 500, 60_000),
        "loan_term_months": _pick(rng.random(rows), _TERMS),
        "debt_ratio": _debt_ratios(rng, moved),
        "open_accounts": np.minimum(rng.poisson(3.1, rows), 12),
        "bureau_score": _bureau_scores(rng, rows),
    }


def _incomes(rng: np.random.Generator, moved: Array, weekend: bool) -> Array:
    """Yearly income, to the hundred; after the onset about a third lower."""
    median = np.where(moved, 24_500, 37_000 if weekend else 38_000)
    return np.clip(np.round(median * rng.lognormal(0, 0.45, len(moved)), -2), 6_000, 400_000)


def _debt_ratios(rng: np.random.Generator, moved: Array) -> Array:
    """Share of the income that goes into debts already; after the onset higher by 0.16."""
    ratios = rng.beta(np.where(moved, 4.6, 2.6), np.where(moved, 4.8, 5.2))
    return np.round(ratios, 3)


def _bureau_scores(rng: np.random.Generator, rows: int) -> Array:
    """300 to 850; NaN for one applicant in twenty-five, whom the bureau does not know."""
    scores = np.clip(np.round(rng.normal(655, 75, rows)), 300, 850)
    scores[rng.random(rows) < 0.04] = np.nan
    return scores


def _pick(uniform: Array, shares: Mapping[Any, float]) -> Array:
    """One level per uniform number in [0, 1), by share."""
    edges = np.cumsum(list(shares.values()))[:-1]
    return np.array(list(shares))[np.searchsorted(edges, uniform, side="right")]


def _pick_either(
    rng: np.random.Generator,
    before: Mapping[str, float],
    after: Mapping[str, float],
    moved: Array,
) -> Array:
    uniform = rng.random(len(moved))
    return np.where(moved, _pick(uniform, after), _pick(uniform, before))


def log_odds_of(features: Columns) -> Array:
    """The scoring rule: the log odds of repayment, fixed once and read off the features alone."""
    score = np.nan_to_num(features["bureau_score"], nan=610)
    return (
        1.35
        + 1.1 * np.log(features["income"] / 36_000)
        - 4.2 * (features["debt_ratio"] - 0.33)
        + _AMOUNT_EFFECT * np.log(features["loan_amount"] / 10_000)
        + 0.009 * (score - 655)
        + 0.35 * features["existing_customer"]
        + 0.03 * (np.minimum(features["years_employed"], 20) - 6)
        + 0.008 * (features["applicant_age"] - 40)
        - 0.10 * (features["open_accounts"] - 3)
        + _effects(features["employment"], _EMPLOYMENT_EFFECTS)
        + _effects(features["purpose"], _PURPOSE_EFFECTS)
    )


def _effects(levels: Array, effects: Mapping[str, float]) -> Array:
    return np.array([effects.get(level, 0.0) for level in levels])


def probability_of(log_odds: Array) -> Array:
    return 1 / (1 + np.exp(-log_odds))
