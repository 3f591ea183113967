"""The one sentence of a check, and how it tells numbers."""

import numpy as np
import pytest
from column_fixtures import empty, numbers, plan, texts

from monitor.core.columns import Column, Kind
from monitor.core.comparison import compare_columns
from monitor.core.headline import change_in_words, headline
from monitor.core.numerals import number, pair, share
from monitor.core.records import (
    ColumnResult,
    ExpectationReport,
    ExpectationResult,
    Finding,
    SampleInfo,
    Severity,
    Verdict,
)

SAMPLE = SampleInfo(1000, 1000, "all")
GENERATOR = np.random.default_rng(0)
NORMAL = GENERATOR.normal(40, 10, 4000)


def drifted(reference: Column, current: Column, kind: Kind | None = None) -> ColumnResult:
    asked = plan(kinds={"x": kind} if kind else None)
    result = compare_columns({"x": reference}, {"x": current}, asked)[0]
    assert result.verdict is Verdict.DRIFTED
    return result


def levels(**rows: int) -> Column:
    return texts([level for level, count in rows.items() for _ in range(count)])


# --- What changed in a column ---


@pytest.mark.parametrize(
    ("reference", "current", "told"),
    [
        (numbers([9.5, 50.5, 60.0] * 900), numbers([19.5, 60.5, 70.0] * 300), "is 25 % higher"),
        (numbers(NORMAL), numbers(NORMAL[:900] - 20), "is 50 % lower"),
        (numbers(NORMAL - 40), numbers(NORMAL[:900]), "is higher than in training (mean "),
        (numbers(NORMAL), numbers(60 * NORMAL[:900]), "is 60 times as high as in training (mean "),
        (numbers(NORMAL), numbers((NORMAL[:900] - 40) * 3 + 40), "is spread wider"),
        (numbers(NORMAL), numbers(np.full(900, 40.0)), "is spread closer"),
        (
            numbers(NORMAL),
            numbers(np.r_[NORMAL[:500], np.full(500, np.nan)]),
            "is missing in 50 % of rows, 0 % in training",
        ),
        (numbers(NORMAL), empty(500), "is missing in 100 % of rows, 0 % in training"),
        (empty(500), numbers(NORMAL), "is missing in 0 % of rows, 100 % in training"),
        (
            numbers(NORMAL),
            numbers(np.r_[NORMAL[:500], np.full(500, np.inf)]),
            "changed its share of infinite values by 50 % of rows",
        ),
        (
            numbers(NORMAL),
            texts([*map(str, NORMAL[:500]), *["?"] * 500]),
            "changed its share of values that are no numbers by 50 % of rows",
        ),
        (
            levels(a=500, b=500),
            levels(a=100, b=900),
            "has `b` at 90 %, 50 % in training",
        ),
        (
            levels(a=500, b=500),
            levels(a=300, b=300, c=300),
            "has `c` at 33 %, 0 % in training",
        ),
        (
            levels(a=500, b=500),
            levels(**{"a": 300, "b": 300, "": 300}),
            "has empty text at 33 %, 0 % in training",
        ),
        (
            levels(a=500, b=500),
            levels(a=300, b=300, c=30, d=30, e=30, f=30),
            "has levels unknown in training in 17 % of rows (`c`, `d`, `e`, ...)",
        ),
    ],
)
def test_what_changed(reference: Column, current: Column, told: str) -> None:
    assert change_in_words(drifted(reference, current)).startswith(told)


def test_a_change_of_shape_alone_has_no_figures() -> None:
    two_peaks = np.r_[GENERATOR.normal(30, 1, 450), GENERATOR.normal(50, 1, 450)]
    assert change_in_words(drifted(numbers(NORMAL), numbers(two_peaks))) == "changed its shape"


def test_a_text_changes_its_length() -> None:
    before = texts(["word " * (3 + i % 5) + str(i) for i in range(1000)])
    now = texts(["word " * (8 + i % 5) + str(i) for i in range(400)])
    told = change_in_words(drifted(before, now, Kind.TEXT))
    assert "higher than in training (length " in told


def test_level_names_can_be_kept_out() -> None:
    secret = levels(alice=500, bob=500)
    for current in (levels(alice=100, bob=900), levels(alice=400, carol=200, dave=200)):
        told = change_in_words(drifted(secret, current), names=False)
        assert not any(name in told for name in ("alice", "bob", "carol", "dave"))
        assert told.startswith(("has one level at", "has levels unknown"))


# --- The sentence ---


def column(
    name: str,
    verdict: Verdict,
    *,
    strength: float = 1.0,
    compared: bool = True,
    needed: int | None = None,
    critical: bool = False,
    design_effect: float = 1.0,
) -> ColumnResult:
    finding = Finding("psi", verdict, "because", rows_needed=needed)
    statistics = {"mean": (40.0, 50.0), "sd": (10.0, 10.0)}
    return ColumnResult(
        name,
        Kind.NUMBER,
        verdict,
        "because",
        critical=critical,
        strength=strength,
        compared=compared,
        design_effect=design_effect,
        findings=(finding,),
        statistics=statistics,
    )


PASSED, DRIFTED, UNDECIDED = Verdict.PASSED, Verdict.DRIFTED, Verdict.UNDECIDED


def test_a_drift_names_its_causes_most_telling_first() -> None:
    columns = [
        column("a", DRIFTED, strength=2),
        column("b", DRIFTED, strength=9),
        column("c", PASSED),
        column("when", PASSED, compared=False),
    ]
    change = "is 25 % higher than in training (mean 40 → 50)"
    told = headline(DRIFTED, columns[1:], [], None, SAMPLE)
    assert told == f"Drifted: `b` {change}; no other of 2 columns drifted"
    told = headline(DRIFTED, columns, [], None, SAMPLE)
    assert told == f"Drifted: `b` {change}; 2 of 3 columns drifted, next `a`"
    many = [column(name, DRIFTED, strength=9 - i) for i, name in enumerate("abcde")]
    told = headline(DRIFTED, many, [], None, SAMPLE)
    assert told.endswith("; 5 of 5 columns drifted, next `b`, `c` and 2 more")
    assert headline(DRIFTED, many[:1], [], None, SAMPLE) == f"Drifted: `a` {change}"


def failed(reason: str, success: bool | None = False) -> ExpectationResult:
    return ExpectationResult("e", Severity.CRITICAL, success, reason, column="age")


def test_a_violation_names_what_broke() -> None:
    lost = Finding("schema", Verdict.VIOLATED, "the column x is lost")
    report = ExpectationReport((failed("is null"), failed("is old"), failed("is new")))
    told = headline(Verdict.VIOLATED, [], [lost], report, SAMPLE)
    assert told == "Violated: the column x is lost; `age`: is null; `age`: is old; and 1 more"


@pytest.mark.parametrize(
    ("columns", "dataset", "report", "sample", "told"),
    [
        ([], [Finding("source", UNDECIDED, "cut short")], None, SAMPLE, "cut short"),
        ([], [], None, SampleInfo(0, 0, "none"), "no rows in the window"),
        (
            [],
            [],
            ExpectationReport((failed("no such column", None),)),
            SAMPLE,
            "1 expectation could not be evaluated: `age`: no such column",
        ),
        ([], [], None, SAMPLE, "there is no column that can be compared"),
        (
            [column("a", UNDECIDED, needed=80), column("b", UNDECIDED, needed=1200)],
            [],
            None,
            SampleInfo(30, 30, "all"),
            "2 columns cannot be judged on 30 rows; 1\u202f200 rows would do",
        ),
        (
            [column("a", UNDECIDED, needed=80)],
            [],
            None,
            SampleInfo(1, 1, "all"),
            "1 column cannot be judged on 1 row; 80 rows would do",
        ),
        (
            [column("a", UNDECIDED), column("b", UNDECIDED, critical=True)],
            [],
            None,
            SAMPLE,
            "2 columns cannot be judged: `b`: because",
        ),
    ],
)
def test_an_undecided_check_says_why(
    columns: list[ColumnResult],
    dataset: list[Finding],
    report: ExpectationReport | None,
    sample: SampleInfo,
    told: str,
) -> None:
    assert headline(UNDECIDED, columns, dataset, report, sample) == f"Undecided: {told}"


def test_a_pass_counts_what_was_looked_at() -> None:
    columns = [
        column("a", PASSED),
        column("b", UNDECIDED),
        column("when", PASSED, compared=False),
    ]
    report = ExpectationReport((failed("", True), failed("", True)))
    told = headline(PASSED, columns, [], report, SampleInfo(500, 12_000, "reservoir"))
    assert told == (
        "Passed in part: 1 of 2 columns (`b`) cannot be judged: `b`: because; 1 of 2 columns are "
        "as in training, 2 of 2 expectations met, 12\u202f000 rows"
    )
    assert headline(PASSED, [], [], None, SAMPLE) == "Passed: 1\u202f000 rows"


def test_a_pass_does_not_reassure_about_columns_that_windows_of_the_reference_blind() -> None:
    effects = {"a": 4.0, "b": 81.3, "c": 2.0, "d": 1.0}
    blind = [column(name, UNDECIDED, design_effect=e) for name, e in effects.items()]
    told = headline(PASSED, [*blind, column("e", PASSED)], [], None, SAMPLE)
    assert told == (
        "Passed in part: 4 of 5 columns (`a`, `b`, `c` and 1 more) cannot be judged: windows of "
        "the reference vary so much that rows count for up to 81 times fewer; 1 of 5 columns are "
        "as in training, 1\u202f000 rows"
    )


# --- Numbers at the edges of units ---


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (999, "999"),
        (999.4, "999"),
        (999.9, "1 k"),
        (1000, "1\u202f000"),
        (9999, "9\u202f999"),
        (9999.9, "10 k"),
        (99_999, "100 k"),
        (999_499, "999 k"),
        (999_999, "1 M"),
        (999_999_999, "1 bn"),
        (999_999_999_999, "1 × 10¹²"),
        (1e12, "1 × 10¹²"),
        (-999_999, "-1 M"),
        (9.9999e-5, "1 × 10⁻⁴"),
        (0.0001, "0.0001"),
    ],
)
def test_numbers_at_the_edge_of_a_unit(value: float, told: str) -> None:
    assert number(value) == told


def test_shares_and_pairs() -> None:
    assert [share(v) for v in (0, 1e-9, 0.001, 0.0995, 0.999999, 1)] == [
        "0 %",
        "< 0.1 %",
        "0.1 %",
        "10 %",
        "> 99.9 %",
        "100 %",
    ]
    assert pair(999_000, 999_400) == "999 k → 999.4 k"
