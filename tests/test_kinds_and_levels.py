"""What a column is taken for, and when two spellings are one value."""

from dataclasses import replace

import numpy as np
import pytest
from column_fixtures import booleans, counted, empty, numbers, pair_of, plan, texts

from monitor.core import feed
from monitor.core.columns import Column, Kind
from monitor.core.comparison import Plan, compare_columns
from monitor.core.kinds import decide_kind
from monitor.core.records import ColumnResult, Verdict
from monitor.core.spelling import canonical, level_counts, number_in
from monitor.core.summaries.collecting import summarize
from monitor.core.summaries.kept import Summaries
from monitor.core.summaries.summary import Summary


def compared(reference: Column, current: Column, asked: Plan | None = None) -> ColumnResult:
    return compare_columns({"x": reference}, {"x": current}, asked or plan())[0]


# --- Kinds ---

GENERATOR = np.random.default_rng(0)
COLUMNS: dict[str, tuple[Column, Kind]] = {
    "fractions": (numbers(GENERATOR.normal(size=100)), Kind.NUMBER),
    "few integers": (numbers(np.arange(500) % 20, dtype="integer"), Kind.CATEGORY),
    "more integers": (numbers(np.arange(500) % 21, dtype="integer"), Kind.NUMBER),
    "few integers as floats, because some are missing": (
        numbers([12, 24, np.nan, 36] * 50),
        Kind.CATEGORY,
    ),
    "few fractions": (numbers([0.5, 1.5] * 50), Kind.NUMBER),
    "one infinity among few integers": (numbers([1, 2, np.inf] * 50), Kind.NUMBER),
    "a counter": (numbers(np.arange(100, 150), dtype="integer"), Kind.ID),
    "shuffled unique integers": (
        numbers(GENERATOR.permutation(5000), dtype="integer"),
        Kind.ID,
    ),
    "few rows, by chance all different": (
        numbers(GENERATOR.permutation(200), dtype="integer"),
        Kind.NUMBER,
    ),
    "one value": (numbers([7.0] * 100), Kind.CATEGORY),
    "no value": (numbers([np.nan] * 100), Kind.NUMBER),
    "booleans": (booleans([True, False] * 20), Kind.BOOLEAN),
    "one boolean": (booleans([True] * 20), Kind.BOOLEAN),
    "words": (texts(["red", "green", "blue"] * 30), Kind.CATEGORY),
    "codes": (texts(["007", "001", "010"] * 30), Kind.CATEGORY),
    "keys": (texts([f"user-{i}" for i in range(100)]), Kind.ID),
    "sentences": (texts([f"the {i} th remark" for i in range(100)]), Kind.TEXT),
    "mostly different words": (texts([f"w{i % 70}" for i in range(100)]), Kind.TEXT),
    "dates": (texts([f"2024-01-{i:02}" for i in range(1, 29)]), Kind.TIME),
    "times": (texts(["2024-01-01T10:00:00Z", "2024-01-01 10:00:00.5+02:00"]), Kind.TIME),
    "a date and a word": (texts(["2024-01-01", "never"] * 30), Kind.CATEGORY),
    "moments": (Column("x", "time", 2, 0, numbers=np.array([1.7e9, 1.8e9])), Kind.TIME),
    "nothing": (empty(50), Kind.CATEGORY),
    "no rows": (texts([]), Kind.CATEGORY),
    "three rows": (texts(["a", "b", "c"]), Kind.CATEGORY),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_kinds(name: str) -> None:
    column, kind = COLUMNS[name]
    decision = decide_kind(column)
    assert decision.kind is kind
    assert decision.reason


def test_times_and_identifiers_are_listed_with_the_reason() -> None:
    keys, dates = COLUMNS["keys"][0], COLUMNS["dates"][0]
    for column, why in ((keys, "identifier"), (dates, "dates written as text")):
        result = compared(column, column)
        assert not result.compared
        assert result.verdict is Verdict.PASSED
        assert result.reason.startswith("not compared: ")
        assert why in result.reason
        assert result.findings == ()


def test_a_kind_once_frozen_is_not_guessed_again() -> None:
    """Integers that are few in the window stay numbers; those that were few stay categories."""
    many, few = COLUMNS["more integers"][0], COLUMNS["few integers"][0]
    assert compared(many, few).kind is Kind.NUMBER
    assert compared(few, many).kind is Kind.CATEGORY
    asked = plan(kinds={"x": Kind.NUMBER})
    assert compared(few, many, asked).kind is Kind.NUMBER


def test_an_unreadable_column_is_undecided_unless_it_is_only_listed() -> None:
    broken = Column("x", "other", 5, 5, problem="values of type list are not compared")
    result = compared(broken, broken)
    assert result.verdict is Verdict.UNDECIDED
    assert result.reason == "values of type list are not compared"
    listed = compared(broken, broken, plan(kinds={"x": Kind.ID}))
    assert listed.verdict is Verdict.PASSED
    assert not listed.compared


# --- Spellings ---


@pytest.mark.parametrize(
    "current",
    [
        numbers([1, 2, 2, 3], dtype="integer"),
        numbers([1.0, 2.0, 2.0, 3.0]),
        numbers([1, np.nan, 2, 2, 3]),
        texts(["1", "2", "2", "3"]),
        texts(["1.0", "2.0", "2.00", "3"]),
        numbers(np.array([1, 2, 2, 3], dtype=np.float32)),
    ],
)
def test_one_value_is_one_level_in_any_type(current: Column) -> None:
    assert summarize(current, Kind.CATEGORY).counts == {"1": 1, "2": 2, "3": 1}


def test_levels_that_look_alike_and_are_not() -> None:
    counts = level_counts(
        texts(["007", "7", "7.0", "07.0", "+7", "1.10", "1.1", "-0.0", "0", " 7"])
    )
    assert counts == {"007": 1, "7": 2, "07": 1, "+7": 1, "1.10": 1, "1.1": 1, "0": 2, " 7": 1}


def test_numbers_as_levels() -> None:
    assert level_counts(numbers([0.1, 0.1, -0.0, 0.0, 1e16, np.inf])) == {
        "0.1": 2,
        "0": 2,
        "1e+16": 1,
        "inf": 1,
    }
    assert canonical(2.0**53 - 1) == "9007199254740991"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1.0),
        (" 2.5 ", 2.5),
        ("1e5", 1e5),
        ("-inf", -np.inf),
        ("True", 1.0),
        ("false", 0.0),
        ("1_000", None),
        ("twelve", None),
        ("", None),
        ("NaN", None),
        ("0x10", None),
        ("1,5", None),
    ],
)
def test_text_as_a_number(text: str, number: float | None) -> None:
    found = number_in(text)
    assert np.isnan(found) if number is None else found == number


@pytest.mark.parametrize(
    "current",
    [
        booleans([True, True, False, None]),
        numbers([1, 1, 0, np.nan]),
        texts(["1", "1", "0", None]),
        texts(["True", "true", "False", None]),
        texts(["YES", "yes", "no", None]),
        texts(["t", "T", "f", None]),
    ],
)
def test_a_boolean_in_any_spelling(current: Column) -> None:
    summary = summarize(current, Kind.BOOLEAN)
    assert summary.counts == {"true": 2, "false": 1}
    assert summary.missing == 1


@pytest.mark.parametrize("words", [("1", "0"), ("yes", "no"), ("True", "False"), ("Y", "N")])
def test_booleans_where_the_reference_has_two_words(words: tuple[str, str]) -> None:
    reference = texts([words[0]] * 300 + [words[1]] * 700)
    current = booleans([True] * 150 + [False] * 350)
    result = compared(reference, current)
    assert result.kind is Kind.CATEGORY
    assert result.verdict is Verdict.PASSED


def test_booleans_where_the_reference_has_other_words() -> None:
    """1, 2 and 3 are no booleans, so true is a new level."""
    reference = numbers(np.arange(900) % 3 + 1, dtype="integer")
    assert compared(reference, booleans([True] * 200)).verdict is Verdict.DRIFTED


# --- The same values in another type are no drift ---


def retyped(values: np.ndarray) -> dict[str, Column]:
    return {
        "float64": numbers(values),
        "float32": numbers(values.astype(np.float32)),
        "text": texts([repr(float(v)) for v in values]),
        "with nulls": numbers(np.r_[values, np.nan]),
    }


@pytest.mark.parametrize("to", ["float64", "float32", "text", "with nulls"])
@pytest.mark.parametrize("of", ["float64", "float32"])
@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).normal(size=4000),
        np.random.default_rng(2).choice([0.1, 0.2, 0.3, 0.7], 4000),
        np.random.default_rng(3).integers(0, 5000, 4000) / 100,
        np.random.default_rng(4).integers(0, 1000, 4000).astype(float),
        np.random.default_rng(5).normal(size=4000) * 1e-6,
        np.random.default_rng(6).normal(1e9, 1e8, 4000),
    ],
    ids=["normal", "few fractions", "cents", "integers", "tiny", "huge"],
)
def test_a_change_of_type_is_no_drift(values: np.ndarray, of: str, to: str) -> None:
    reference, current = retyped(values)[of], retyped(values)[to]
    result = compared(reference, current)
    assert result.verdict is Verdict.PASSED
    psi = next(f for f in result.findings if f.test == "psi")
    assert psi.effect == pytest.approx(0, abs=1e-3)


def test_integers_that_became_floats_with_nulls_are_the_same_levels() -> None:
    reference = numbers([12, 24, 36] * 200, dtype="integer")
    current = numbers([12, 24, 36, np.nan] * 50)
    result = compared(reference, current)
    assert result.kind is Kind.CATEGORY
    assert result.shape is not None
    assert set(result.shape.levels) == {"12", "24", "36"}
    names = [f.test for f in result.findings if f.verdict is Verdict.DRIFTED]
    assert names == ["missing_share"]


def test_a_change_of_type_is_a_notice() -> None:
    reference = {"a": "integer", "b": "string", "c": "other", "d": "float", "e": "float"}
    current = {
        "a": numbers([1.0], "a"),
        "b": texts(["x"], "b"),
        "c": numbers([1.0], "c"),
        "d": empty(3, "d"),
        "new": numbers([1.0], "new"),
    }
    findings, notices = feed.schema(reference, current, late=(), layouts={}, optional=())
    told = [(n.kind, n.column, n.text) for n in notices]
    assert told == [
        ("column_new", "new", "new is not in the reference and is not compared"),
        ("dtype_changed", "a", "a was integer in the reference and is float now"),
    ]
    assert [(f.verdict, f.reason) for f in findings] == [
        (Verdict.VIOLATED, "the column `e` is missing (the window has `new` instead)")
    ]


def test_a_lost_column_is_told_beside_what_came_in_its_place() -> None:
    reference = {"id": "string", "duration_min": "float"}
    layouts = {"rentals_1.csv": ("id", "duration_minutes", "note")}

    def lost(*new: Column) -> str:
        current = {c.name: c for c in (texts(["x"], "id"), *new)}
        [finding], _ = feed.schema(reference, current, (), layouts, ())
        return finding.reason

    note, minutes = texts(["y"], "note"), numbers([3.0], "duration_minutes")
    assert lost(note, minutes) == (
        "the column `duration_min` is missing (rentals_1.csv has `duration_minutes` instead)"
    )
    plain = "the column `duration_min` is in the reference and not in the window"
    assert lost(note) == plain  # text is no number by another name
    assert lost(*(numbers([1.0], f"n{i}") for i in range(4))) == plain  # and it is not all of these


def test_a_label_that_has_not_arrived_is_no_violation() -> None:
    findings, notices = feed.schema(
        {"repaid": "boolean"}, {}, late={"repaid"}, layouts={}, optional=()
    )
    assert findings == ()
    assert [n.kind for n in notices] == ["label_absent"]


def test_words_in_a_number_column_are_a_finding_of_their_own() -> None:
    reference = numbers(np.random.default_rng(0).normal(size=2000))
    mixed = [*map(str, np.random.default_rng(1).normal(size=300)), *["unknown"] * 200]
    result = compared(reference, texts(mixed))
    fired = {f.test for f in result.findings if f.verdict is Verdict.DRIFTED}
    assert result.verdict is Verdict.DRIFTED
    assert fired == {"unreadable_share"}


# --- Columns without values ---


def test_a_column_without_values_on_both_sides_is_as_it_was() -> None:
    result = compared(empty(3000), empty(400))
    assert result.verdict is Verdict.PASSED
    assert (result.missing_reference, result.missing_current) == (1.0, 1.0)
    assert result.shape is None or not any(result.shape.reference)


def test_a_column_that_lost_or_found_its_values_drifted() -> None:
    for filled in (numbers(np.random.default_rng(0).normal(size=400)), texts(["a", "b"] * 200)):
        assert compared(filled, empty(400)).verdict is Verdict.DRIFTED
        assert compared(empty(400), filled).verdict is Verdict.DRIFTED


def test_a_column_of_few_rows_without_values_is_undecided() -> None:
    assert compared(empty(3000), empty(3)).verdict is Verdict.UNDECIDED


# --- What a column is described and drawn by ---


@pytest.mark.parametrize(
    "values",
    [
        [],
        [0.0],
        [np.nan],
        [np.inf, -np.inf],
        [1.7e308, -1.7e308],
        [1e17, 1e17 + 2],
        [1e300],
        [5e-324, 0.0],
        [3, 3, 3],
        [0.1, 0.1 + 1e-17],
        list(range(24)),
        [2.0**53, 2.0**53 + 2],
    ],
)
def test_everything_can_be_described_and_drawn(values: list[float]) -> None:
    column, other = numbers(values), numbers(np.random.default_rng(0).normal(size=50))
    for reference, current in ((column, column), (column, other), (other, column)):
        result = compared(reference, current, plan(kinds={"x": Kind.NUMBER}))
        assert "could not be compared" not in result.reason
        told = [v for both in result.statistics.values() for v in both if v is not None]
        assert all(np.isfinite(told))
        if result.shape is not None:
            edges = np.array(result.shape.edges)
            assert np.all(np.isfinite(edges))
            assert np.all(np.diff(edges) > 0)
            assert len(edges) == len(result.shape.reference) + 1 == len(result.shape.current) + 1
            for shares in (result.shape.reference, result.shape.current):
                assert sum(shares) == pytest.approx(1, abs=1e-4) or not any(shares)


def test_mean_and_spread_of_large_values_do_not_overflow() -> None:
    told = Summary(2, 0, np.array([-1e308, 1e308])).description
    assert told["mean"] == pytest.approx(0, abs=1e292)
    assert told["sd"] == pytest.approx(1e308)
    assert Summary(4, 0, np.array([-np.inf, 1, 3, np.inf])).description["median"] == 2


def test_a_shape_names_a_dozen_levels_and_counts_the_rest() -> None:
    reference = counted({f"level {i:02}": 100 - i for i in range(40)})
    current = counted({f"level {i:02}": 100 - i for i in range(1, 40)} | {"new": 50})
    shape = compared(reference, current).shape
    assert shape is not None
    assert len(shape.levels) == 13
    assert shape.levels[-1] == "29 other levels"
    assert shape.new_levels == ("new",)
    assert shape.lost_levels == ("level 00",)
    assert sum(shape.reference) == pytest.approx(1, abs=1e-4)


def test_levels_may_be_numbered_instead_of_named() -> None:
    """Where values may not be shown, no name of a level is found anywhere in what is found."""
    secret = counted({f"secret {i:02}": 100 - i for i in range(30)} | {"secret gone": 90})
    current = counted({f"secret {i:02}": 10 for i in range(30)} | {"secret new": 300})
    named = compared(secret, current)
    assert "secret new" in repr(named.findings)
    numbered = compared(secret, current, replace(plan(), names=False))
    assert "secret" not in repr(numbered)
    assert numbered.shape is not None
    assert numbered.shape.levels[-1] == "20 other levels"
    assert [f.effect for f in numbered.findings] == [f.effect for f in named.findings]


# --- What is kept of a reference ---


def test_summaries_are_made_once_a_column_and_kind() -> None:
    kept, column = Summaries(), numbers([3.0, 1.0, 2.0])
    first = kept.of(column, Kind.NUMBER)
    assert kept.of(column, Kind.NUMBER) is first
    assert kept.of(column, Kind.CATEGORY) is not first
    other = numbers([5.0])
    assert kept.of(other, Kind.NUMBER).rows == 1


def test_kept_summaries_change_no_result() -> None:
    generator = np.random.default_rng(0)
    reference = {"x": numbers(generator.choice([0.1, 0.3, 2.5], 900))}
    kept = Summaries()
    for current in (
        generator.choice([0.1, 0.3], 200),
        generator.choice([0.1, 2.5], 200).astype(np.float32),
        generator.normal(size=300),
    ):
        window = {"x": numbers(current)}
        assert compare_columns(reference, window, plan(), kept) == compare_columns(
            reference, window, plan()
        )


def test_pairs_are_in_one_precision() -> None:
    both = pair_of(Kind.NUMBER, numbers([0.1, 0.2]), numbers(np.array([0.1, 0.2], np.float32)))
    assert both.reference.values is not None
    assert np.array_equal(both.reference.values, both.current.values)  # type: ignore[arg-type]
    far = pair_of(Kind.NUMBER, numbers([1e300, 0.1]), numbers(np.array([0.1], np.float32)))
    assert np.isfinite(far.reference.values).all()  # type: ignore[arg-type]
