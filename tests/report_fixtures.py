"""Checks built by hand, for looking at and testing reports."""

# ruff: noqa: E501  sentences are kept whole

import math
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.core.columns import Kind
from monitor.core.records import (
    Check,
    ColumnResult,
    DatasetResult,
    ExpectationReport,
    ExpectationResult,
    Finding,
    Notice,
    ReferenceInfo,
    SampleInfo,
    Severity,
    Shape,
    Verdict,
    Window,
)
from monitor.ports import PastCheck, PastColumn

N, M = 50_000, 10_000
DAY = Window(datetime(2019, 3, 31, tzinfo=UTC), datetime(2019, 4, 1, tzinfo=UTC))
REFERENCE = ReferenceInfo("sha256:9f31c07ad2b55e10c3f1fdf0d62c4c2c9a1d6cf2e1b1c9a3", N)
SAMPLE = SampleInfo(M, M, "all", None, datetime(2019, 3, 31, 23, 59, tzinfo=UTC))
SETUP: Mapping[str, Any] = {
    "command": "monitor check car_loan --at 2019-03-31 --again",
    "tests": {"number": ["ks", "psi"], "category": ["chi_squared", "psi"]},
    "tolerance": {"psi": 0.1, "ks": 0.1},
    "must_see": {"psi": 0.5, "ks": 0.35},
    "alpha": 0.01,
    "seed": 0,
    "versions": {"drift-monitor": "0.1.0", "python": "3.11.9", "numpy": "2.4.0"},
}


def psi(effect: float, *, m: int = M) -> Finding:
    state = Verdict.DRIFTED if effect > 0.13 else Verdict.WATCH if effect > 0.06 else Verdict.PASSED
    reason = {
        Verdict.DRIFTED: f"PSI {effect:.2f} is above 0.13: the data prove more than the tolerated 0.1.",
        Verdict.WATCH: f"Something changed, but PSI {effect:.2f} may still be within 0.1.",
        Verdict.PASSED: f"PSI {effect:.3f} is within the tolerance of 0.1.",
    }[state]
    return Finding(
        "psi",
        state,
        reason,
        effect,
        effect,
        effect * 0.93,
        effect * 1.08,
        0.0 if effect > 0.06 else 0.4,
        0.0 if effect > 0.13 else 0.8,
        0.13,
        0.1,
        0.145,
        N,
        m,
    )


def ks(effect: float, *, m: int = M) -> Finding:
    state = Verdict.DRIFTED if effect > 0.119 else Verdict.PASSED
    return Finding(
        "ks",
        state,
        f"The largest gap between the two curves is {effect:.3f}; 0.1 is tolerated.",
        effect,
        effect,
        max(effect - 0.014, 0),
        effect + 0.014,
        1e-9 if effect > 0.02 else 0.31,
        0.0 if effect > 0.119 else 1.0,
        0.119,
        0.1,
        0.13,
        N,
        m,
        exact=False,
        error_bound=0.0002,
    )


def bell(cells: int, centre: float, width: float) -> tuple[float, ...]:
    raw = [math.exp(-0.5 * ((i + 0.5 - centre) / width) ** 2) for i in range(cells)]
    return tuple(value / sum(raw) for value in raw)


def number(
    name: str,
    effect: float,
    mean: float,
    shift_sd: float,
    sd: float,
    *,
    widen: float = 1.0,
    **more: Any,
) -> ColumnResult:
    """A bell-shaped column moved by `shift_sd` standard deviations."""
    low, high, cells = mean - 4 * sd, mean + 6 * sd, 40
    verdict = psi(effect).verdict
    reason = {
        Verdict.DRIFTED: f"`{name}` moved: mean {mean:.3g} to {mean + shift_sd * sd:.3g}.",
        Verdict.WATCH: f"`{name}` changed, within what is tolerated.",
        Verdict.PASSED: f"`{name}` is as it was in training.",
    }[verdict]
    missing = Finding(
        "missing_share",
        Verdict.PASSED,
        "Missing as often as in training.",
        0.0,
        0.0,
        tolerance=0.05,
        rows_reference=N,
        rows_current=M,
    )
    given: dict[str, Any] = {
        "missing_reference": 0.0,
        "missing_current": 0.0,
        "p_value": 0.0,
        "p_tolerance": 0.0,
        "strength": effect / 0.1,
        "findings": (psi(effect), ks(min(effect * 0.5, 0.95)), missing),
        "statistics": {
            "mean": (mean, mean + shift_sd * sd),
            "sd": (sd, sd * widen),
            "median": (mean * 0.98, mean * 0.98 + shift_sd * sd),
            "min": (low + sd, low + sd),
            "max": (high - sd, high + 3 * sd if effect > 1 else high - sd),
        },
        "shape": Shape(
            bell(cells, 16, 4),
            bell(cells, 16 + 4 * shift_sd, 4 * widen),
            tuple(low + i * (high - low) / cells for i in range(cells + 1)),
        ),
    }
    return ColumnResult(name, Kind.NUMBER, verdict, reason, **{**given, **more})


def category(
    name: str, effect: float, levels: Mapping[str, tuple[float, float]], **more: Any
) -> ColumnResult:
    chi = Finding(
        "chi_squared",
        Verdict.WATCH,
        "The shares differ.",
        812.4,
        0.2,
        p_value=0.0,
        rows_reference=N,
        rows_current=M,
        decides=False,
    )
    verdict = psi(effect).verdict
    shape = Shape(
        tuple(a for a, _ in levels.values()),
        tuple(b for _, b in levels.values()),
        (),
        tuple(levels),
        tuple(k for k, (a, _) in levels.items() if a == 0),
        tuple(k for k, (_, b) in levels.items() if b == 0),
    )
    given: dict[str, Any] = {
        "missing_reference": 0.021,
        "missing_current": 0.022,
        "strength": effect / 0.1,
        "findings": (psi(effect), chi),
        "shape": shape,
    }
    reason = (
        f"The shares of `{name}` moved." if effect > 0.06 else f"`{name}` is as it was in training."
    )
    return ColumnResult(name, Kind.CATEGORY, verdict, reason, **{**given, **more})


def loan_columns() -> tuple[ColumnResult, ...]:
    return (
        number("car_value", 1.81, 30_123.0, 2.2, 8_400.0, importance=2.0, critical=True),
        number("debt_to_income_ratio", 0.42, 0.341, 0.66, 0.12),
        category(
            "salary_range",
            0.31,
            {
                "20k-40k": (0.33, 0.16),
                "40k-60k": (0.41, 0.38),
                "0-20k": (0.12, 0.09),
                "60k+": (0.14, 0.28),
                "60k-80k, confirmed by the employer": (0.0, 0.09),
            },
            importance=2.0,
        ),
        number("y_pred_proba", 0.28, 0.62, -0.52, 0.21, widen=1.4, critical=True),
        category(
            "region",
            0.16,
            {
                "north": (0.25, 0.36),
                "south": (0.25, 0.27),
                "east": (0.25, 0.37),
                "west": (0.25, 0.0),
            },
        ),
        number(
            "loan_length", 0.08, 42.0, 0.15, 9.0, missing_reference=0.004, missing_current=0.031
        ),
        number("driver_tenure", 0.004, 8.2, 0.01, 2.4),
        number("age", 0.006, 41.3, 0.02, 12.1),
        category("repaid_loan_on_prev_car", 0.002, {"yes": (0.8, 0.79), "no": (0.2, 0.21)}),
        category(
            "size_of_downpayment",
            0.01,
            {
                f"{p}%": (0.1, 0.1 + d / 100)
                for p, d in zip(range(5, 55, 5), (1, -1, 0, 0, 1, -1, 0, 0, 0, 0), strict=True)
            },
        ),
        ColumnResult(
            "notes",
            Kind.TEXT,
            Verdict.UNDECIDED,
            "Only 41 rows hold a text.",
            missing_reference=0.99,
            missing_current=0.996,
            findings=(
                Finding(
                    "ks",
                    Verdict.UNDECIDED,
                    "41 rows show only a gap above 0.4; 0.35 must be seen.",
                    0.11,
                    0.11,
                    rows_reference=500,
                    rows_current=41,
                    tolerance=0.1,
                    minimum_detectable=0.41,
                    rows_needed=120,
                ),
            ),
        ),
        ColumnResult(
            "id",
            Kind.ID,
            Verdict.PASSED,
            "unique in every row of the training data",
            compared=False,
        ),
    )


FRESH = Finding(
    "freshness",
    Verdict.PASSED,
    "The newest row is 1 min older than the window's end; 2 h are allowed.",
    1 / 60,
    1 / 60,
    threshold=2.0,
)
VOLUME = Finding("volume", Verdict.PASSED, "10 000 rows; at least 100 are asked for.", 10_000.0)


def expectations(*failed: ExpectationResult, passed: int = 20) -> ExpectationReport:
    good = [
        ExpectationResult("expect_column_to_exist", Severity.CRITICAL, True, "exists", f"c{i}")
        for i in range(passed)
    ]
    return ExpectationReport((*good, *failed))


def drifted() -> Check:
    warning = ExpectationResult(
        "expect_column_values_to_be_between",
        Severity.WARNING,
        False,
        "1.2 % of `car_value` lie above 100 000.",
        "car_value",
        131_000.0,
        {"column": "car_value", "min_value": 0, "max_value": 100_000, "mostly": 0.99},
        120,
        0.012,
        (131_000.0, 120_400.5, 104_000),
    )
    return Check(
        "chk_01J8ZK3",
        Verdict.DRIFTED,
        "Drifted: `car_value` is 62 % higher than in training (mean 30.1 k → 48.6 k), and 4 of 10 columns moved with it.",
        loan_columns(),
        DatasetResult(0.0, 5, 10, (FRESH, VOLUME)),
        SAMPLE,
        REFERENCE,
        "car_loan",
        DAY,
        expectations(warning),
        (
            Notice(
                "dtype_changed",
                "`repaid_loan_on_prev_car` was boolean in training and is an integer now.",
                "repaid_loan_on_prev_car",
            ),
            Notice("column_new", "`promo_code` is not in the training data.", "promo_code"),
        ),
        {"sample": 0.31, "validate": 0.22, "compare": 0.09, "report": 0.04},
        "local",
        datetime(2019, 4, 1, 0, 15, tzinfo=UTC),
        SETUP,
    )


def violated() -> Check:
    nulls = ExpectationResult(
        "expect_column_values_to_not_be_null",
        Severity.CRITICAL,
        False,
        "34 % of `age` are missing; at most 1 % may be.",
        "age",
        0.34,
        {"column": "age", "mostly": 0.99},
        3_400,
        0.34,
    )
    mean = ExpectationResult(
        "expect_column_mean_to_be_between",
        Severity.CRITICAL,
        False,
        "The mean of `loan_length` is 61.2.",
        "loan_length",
        61.2,
        {"column": "loan_length", "min_value": 36, "max_value": 48},
    )
    levels = ExpectationResult(
        "expect_column_values_to_be_in_set",
        Severity.CRITICAL,
        False,
        "2 levels of `region` are not in the set.",
        "region",
        ["centre", "abroad"],
        {"value_set": ["north", "south", "east", "west"]},
        211,
        0.0211,
        ("centre", "abroad"),
    )
    broken = ExpectationResult(
        "expect_column_values_to_match_regex",
        Severity.WARNING,
        None,
        "The pattern could not be compiled.",
        "notes",
        None,
        {"regex": "([a-z"},
    )
    late = Finding(
        "freshness",
        Verdict.VIOLATED,
        "The newest row is 5 h old; 2 h are allowed.",
        5.0,
        5.0,
        threshold=2.0,
    )
    return replace(
        drifted(),
        id="chk_v",
        verdict=Verdict.VIOLATED,
        headline="Violated: 34 % of `age` are missing, and two more critical expectations fail.",
        expectations=expectations(
            nulls,
            mean,
            replace(nulls, type="expect_column_values_to_be_unique", unexpected_share=0.1),
            levels,
            broken,
        ),
        dataset=DatasetResult(0.0, 5, 10, (late, VOLUME)),
    )


def empty() -> Check:
    """No rows arrived in the window."""
    columns = tuple(
        replace(
            c,
            verdict=Verdict.UNDECIDED,
            reason="no rows",
            strength=0.0,
            missing_current=None,
            shape=c.shape and replace(c.shape, current=tuple(0.0 for _ in c.shape.current)),
            findings=(),
            statistics={k: (a, None) for k, (a, _) in c.statistics.items()},
        )
        if c.compared
        else c
        for c in loan_columns()
    )
    volume = Finding(
        "volume",
        Verdict.UNDECIDED,
        "No rows arrived; at least 100 are asked for.",
        0.0,
        threshold=100.0,
    )
    return Check(
        "chk_empty",
        Verdict.UNDECIDED,
        "Undecided: no rows arrived in the window.",
        columns,
        DatasetResult(None, 0, 11, (volume,)),
        SampleInfo(0, 0, "all"),
        REFERENCE,
        "car_loan",
        DAY,
        setup=SETUP,
    )


def nothing() -> Check:
    """An empty window as a monitor without a promised volume sees it: no column, no finding."""
    return replace(empty(), columns=(), dataset=DatasetResult(None, 0, 0))


def bare() -> Check:
    """Two files held against each other: no monitor, window or suite."""
    return replace(
        drifted(),
        monitor=None,
        window=None,
        expectations=None,
        made_at=None,
        notices=(),
        timings_s={},
        dataset=replace(drifted().dataset, findings=()),
        setup={"command": "monitor compare old.csv new.csv"},
    )


def passed() -> Check:
    calm = tuple(c for c in loan_columns() if c.verdict is Verdict.PASSED)
    return replace(
        drifted(),
        verdict=Verdict.PASSED,
        headline="Passed: all 4 columns are as they were in training.",
        columns=calm,
        dataset=DatasetResult(0.41, 0, 4, (FRESH, VOLUME)),
        expectations=expectations(),
        notices=(),
    )


def wide(columns: int, *, seed: int = 7) -> Check:
    """Many columns: a fifth drifted, some watched and undecided, a third categories."""
    rng = random.Random(seed)
    made: list[ColumnResult] = []
    for i in range(columns):
        effect = rng.uniform(0.14, 0.9) if i % 5 == 0 else rng.uniform(0.0, 0.08)
        if i % 3 == 0:
            shares = [rng.random() for _ in range(10)]
            levels = {
                f"level_{k}": (s / sum(shares), s * rng.uniform(0.7, 1.3) / sum(shares))
                for k, s in enumerate(shares)
            }
            made.append(
                category(f"category_{i:03}", effect, levels, importance=rng.choice([1.0, 1.0, 2.0]))
            )
        else:
            made.append(
                number(
                    f"measurement_{i:03}",
                    effect,
                    rng.uniform(-50, 5000),
                    effect * 1.5,
                    rng.uniform(1, 900),
                )
            )
    count = sum(c.verdict is Verdict.DRIFTED for c in made)
    return replace(
        drifted(),
        columns=tuple(made),
        headline=f"Drifted: {count} of {columns} columns moved.",
        dataset=DatasetResult(0.0, count, columns, (FRESH, VOLUME)),
    )


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></svg></details><h1>",
    "a`b`c & d",
    "\u202egnirts desrever",
    "nul\x00 bell\x07 half\ud800",
    "x" * 300,
    "  ",
    "{{ 7*7 }}{% raw %}",
    "javascript:alert(1)",
)


def hostile() -> Check:
    columns = tuple(
        replace(number(name, 0.9 - i / 20, 5.0, 1.0, 1.0), reason=f"`{name}` moved {name}")
        if i % 2
        else category(
            name, 0.9 - i / 20, {other: (0.1, 0.05 * k) for k, other in enumerate(HOSTILE)}
        )
        for i, name in enumerate(HOSTILE)
    )
    bad = ExpectationResult(
        HOSTILE[0],
        Severity.CRITICAL,
        False,
        HOSTILE[1],
        HOSTILE[2],
        HOSTILE[0],
        {HOSTILE[0]: HOSTILE[1], "value_set": list(HOSTILE)},
        3,
        0.5,
        HOSTILE,
    )
    return replace(
        drifted(),
        id=HOSTILE[0],
        monitor=HOSTILE[0],
        headline=" ".join(HOSTILE),
        columns=columns,
        engine=HOSTILE[0],
        expectations=expectations(bad),
        notices=(Notice(HOSTILE[0], HOSTILE[1]),),
        timings_s={HOSTILE[0]: 0.1},
        reference=ReferenceInfo(HOSTILE[0], 3),
        setup={HOSTILE[0]: HOSTILE[1], "command": HOSTILE[0]},
        dataset=DatasetResult(0.0, 1, 1, (Finding(HOSTILE[0], Verdict.VIOLATED, HOSTILE[1]),)),
    )


def sixty_levels() -> Check:
    names = [f"a rather long level name that goes on and on, number {i}" for i in range(60)]
    levels = {name: (1 / 60, 2 * i / 3540) for i, name in enumerate(names)} | {
        "brand new one": (0.0, 0.02)
    }
    return replace(drifted(), columns=(category("occupation", 0.5, levels),))


def extreme() -> Check:
    """Nothing where something may be missing, and numbers at the ends of what a float holds."""
    nan, inf = math.nan, math.inf
    none = Finding("unheard_of", Verdict.DRIFTED, "")
    wild = Finding(
        "psi",
        Verdict.DRIFTED,
        "x",
        inf,
        1e300,
        -inf,
        inf,
        0.0,
        0.0,
        1e-9,
        0.0,
        nan,
        0,
        0,
        3,
        False,
        1e-9,
    )
    columns = (
        ColumnResult("nothing", Kind.NUMBER, Verdict.DRIFTED, "", findings=(none,)),
        ColumnResult("bare", Kind.CATEGORY, Verdict.WATCH, ""),
        number("huge", 0.5, 1e300, 1.0, 1e299),
        number("tiny", 0.5, 1e-9, 1.0, 1e-10),
        number("flat", 0.5, 0.0, 1.0, 0.0),
        number("wild", 0.5, 1.0, 1.0, 1.0, findings=(wild,), strength=inf),
        number("hollow", 0.5, 1.0, 1.0, 1.0, shape=Shape((), (), (), ())),
        number("broken", 0.5, 1.0, 1.0, 1.0, shape=Shape((nan, 1.0), (inf, -1.0), (nan, 1.0, inf))),
        number("uneven", 0.5, 1.0, 1.0, 1.0, shape=Shape((0.5, 0.5), (1.0,), (0.0, 1.0, 2.0))),
        number("void", 0.5, 1.0, 1.0, 1.0, statistics={"mean": (None, nan), "sd": (inf, None)}),
    )
    odd = ExpectationResult(
        "expect_table_row_count_to_be_between",
        Severity.CRITICAL,
        False,
        "",
        None,
        10**400,
        {"min_value": 1e308, "max_value": -1e308},
        None,
        nan,
    )
    return Check(
        "",
        Verdict.VIOLATED,
        "",
        columns,
        DatasetResult(None, 0, 0, (none, wild)),
        SampleInfo(0, 5, "", None),
        None,
        expectations=ExpectationReport((odd, replace(odd, observed=1e299, unexpected_share=None))),
        setup={"when": DAY.start, "nan": nan, "set": {1}},
    )


def history(of: Check, count: int = 30, *, drift_from: int = 26) -> list[PastCheck]:
    """Older daily checks, calm until `drift_from`, with one that could not look."""
    past = []
    for i in range(count):
        before = timedelta(days=count - i)
        calm = i < drift_from
        damp = 0.1 + 0.02 * (i % 5) if calm else 0.8 + 0.05 * (i - drift_from)
        columns = {
            c.name: PastColumn(
                Verdict.PASSED if calm and c.verdict is Verdict.DRIFTED else c.verdict,
                c.strength * damp,
            )
            for c in of.columns
        }
        verdict = Verdict.UNDECIDED if i == 12 else Verdict.PASSED if calm else Verdict.DRIFTED
        window = of.window or DAY
        past.append(
            PastCheck(
                verdict,
                f"{verdict}: like every day",
                Window(window.start - before, window.end - before),
                of.sample.rows_in_window,
                columns,
            )
        )
    return past
