"""One battery for every drift test: whatever lies in the socket folder is put through it."""

import math
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from column_fixtures import DRIFT_SOCKET, TESTS, booleans, empty, numbers, pair_of, plan, texts

from monitor import catalogue
from monitor.core.columns import COMPARED_KINDS, Column, Kind
from monitor.core.comparison import compare_columns
from monitor.core.drift_socket import DriftTest, Rule, TestSpec, find
from monitor.core.records import Finding, Verdict

MEMBERS = [
    pytest.param(name, kind, id=f"{name}-{kind}")
    for name, test in TESTS.items()
    for kind in test.SPEC.kinds
]
every_member = pytest.mark.parametrize(("name", "kind"), MEMBERS)
RULE = Rule()
LETTERS = "abcdefghij"
OF_CELLS = (
    "psi",
    "chi_squared",
    "g_test",
    "jensen_shannon",
    "hellinger",
    "total_variation",
    "l_infinity",
)


def random_numbers(rows: int, seed: int) -> Column:
    return numbers(np.random.default_rng(seed).normal(50, 10, rows))


def random_levels(rows: int, seed: int) -> Column:
    generator = np.random.default_rng(seed)
    return texts([LETTERS[int(i)] for i in generator.geometric(0.4, rows) % len(LETTERS)])


def random_booleans(rows: int, seed: int) -> Column:
    return booleans([bool(v) for v in np.random.default_rng(seed).random(rows) < 0.3])


def random_texts(rows: int, seed: int) -> Column:
    generator = np.random.default_rng(seed)
    return texts(
        [f"{'word ' * int(k)}{seed + i:06}" for i, k in enumerate(generator.poisson(5, rows))]
    )


SAMPLES: dict[Kind, Callable[[int, int], Column]] = {
    Kind.NUMBER: random_numbers,
    Kind.CATEGORY: random_levels,
    Kind.BOOLEAN: random_booleans,
    Kind.TEXT: random_texts,
}


def found(name: str, kind: Kind, reference: Column, current: Column) -> Finding | None:
    """The finding, after looking at what every finding must be."""
    finding = find(name, TESTS[name], pair_of(kind, reference, current), RULE)
    if finding is not None:
        sound(finding)
    return finding


def sound(finding: Finding) -> None:
    """Finite numbers in their ranges, a reason, and a verdict that follows from them."""
    for field in fields(finding):
        value = getattr(finding, field.name)
        if isinstance(value, float | np.floating):
            assert type(value) is float, f"{field.name} is a {type(value)}"
            assert math.isfinite(value), f"{field.name} is {value}"
    assert finding.reason
    for p in (finding.p_value, finding.p_tolerance):
        assert p is None or 0 <= p <= 1
    if finding.effect is not None:
        assert finding.effect >= 0
    if finding.effect_low is not None and finding.effect is not None:
        assert finding.effect_high is not None
        assert 0 <= finding.effect_low <= finding.effect_high
    proven = finding.p_tolerance is not None and finding.p_tolerance <= RULE.alpha
    assert (finding.verdict is Verdict.DRIFTED) == proven


def quiet(finding: Finding | None) -> bool:
    return finding is None or finding.verdict is not Verdict.DRIFTED


def shuffled(column: Column) -> Column:
    order = np.random.default_rng(3).permutation(column.rows - column.missing)
    return Column(
        column.name,
        column.dtype,
        column.rows,
        column.missing,
        numbers=None if column.numbers is None else column.numbers[order],
        codes=None if column.codes is None else column.codes[order],
        levels=column.levels,
    )


def with_missing(column: Column, missing: int) -> Column:
    """`missing` rows more, all without a value."""
    return Column(
        column.name,
        column.dtype,
        column.rows + missing,
        column.missing + missing,
        numbers=column.numbers,
        codes=column.codes,
        levels=column.levels,
    )


# --- The battery ---


def test_the_folder_is_not_empty() -> None:
    assert {"ks", "psi", "chi_squared", "missing_share", "unseen_share"} <= TESTS.keys()


@every_member
def test_the_same_sample_never_drifts(name: str, kind: Kind) -> None:
    for rows in (1, 2, 7, 30, 500, 3000):
        sample = SAMPLES[kind](rows, rows)
        finding = found(name, kind, sample, sample)
        assert quiet(finding)
        assert finding is None or finding.p_value is None or finding.p_value > 0.5


@every_member
def test_a_sample_of_the_same_population_does_not_drift(name: str, kind: Kind) -> None:
    for seed, rows in enumerate((20, 100, 1000)):
        assert quiet(found(name, kind, SAMPLES[kind](4000, 50 + seed), SAMPLES[kind](rows, seed)))


@every_member
def test_the_order_of_rows_is_irrelevant(name: str, kind: Kind) -> None:
    reference, current = SAMPLES[kind](800, 1), SAMPLES[kind](300, 2)
    assert found(name, kind, reference, current) == found(
        name, kind, shuffled(reference), shuffled(current)
    )


@every_member
def test_it_is_pure(name: str, kind: Kind) -> None:
    reference, current = SAMPLES[kind](800, 1), SAMPLES[kind](300, 2)
    arrays = [a for c in (reference, current) for a in (c.numbers, c.codes) if a is not None]
    before = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    state = np.random.get_state()[1].copy()  # type: ignore[index]
    first = found(name, kind, reference, current)
    assert found(name, kind, reference, current) == first
    assert np.array_equal(np.random.get_state()[1], state)  # type: ignore[index]
    assert all(np.array_equal(a, b) for a, b in zip(arrays, before, strict=True))


@every_member
def test_missing_values_do_not_change_what_is_said_of_the_others(name: str, kind: Kind) -> None:
    reference, current = SAMPLES[kind](800, 1), SAMPLES[kind](300, 2)
    alone = found(name, kind, reference, current)
    beside = found(name, kind, with_missing(reference, 80), with_missing(current, 30))
    if TESTS[name].SPEC.guard:
        assert quiet(beside)
    else:
        assert beside == alone


@every_member
@pytest.mark.parametrize(
    ("rows_before", "rows_now"), [(0, 0), (0, 50), (50, 0), (1, 1), (1, 400), (400, 1), (2, 3)]
)
def test_windows_and_references_of_no_size(
    name: str, kind: Kind, rows_before: int, rows_now: int
) -> None:
    finding = found(name, kind, SAMPLES[kind](rows_before, 1), SAMPLES[kind](rows_now, 2))
    assert quiet(finding)
    if finding is not None and not finding.guard:
        assert finding.verdict is Verdict.UNDECIDED


@every_member
def test_columns_without_any_value(name: str, kind: Kind) -> None:
    filled = SAMPLES[kind](500, 1)
    for reference, current in ((empty(500), filled), (filled, empty(500)), (empty(9), empty(9))):
        finding = found(name, kind, reference, current)
        if name == "missing_share" and filled in (reference, current):
            assert finding is not None
            assert finding.verdict is Verdict.DRIFTED
        else:
            assert quiet(finding)


@every_member
def test_a_constant_on_both_sides(name: str, kind: Kind) -> None:
    for value in (0.0, 3.0, -1e300):
        same = found(name, kind, numbers([value] * 400), numbers([value] * 200))
        assert same is None or same.verdict is Verdict.PASSED
        assert same is None or same.p_value is None or same.p_value > 0.99


@every_member
def test_a_constant_that_came_alive(name: str, kind: Kind) -> None:
    """The main tests of numbers and levels see it, whatever the scale, and so do all of cells."""
    for scale in (1e-300, 1.0, 1e300):
        alive = np.repeat([1.0, 3.0, 7.0, 45.0], 100) * scale
        finding = found(name, kind, numbers([scale * 2] * 400), numbers(alive))
        if name in ("ks", *OF_CELLS) and kind is not Kind.TEXT:
            assert finding is not None
            assert finding.verdict is Verdict.DRIFTED


@every_member
def test_mixed_types(name: str, kind: Kind) -> None:
    """Any dtype may arrive as any kind: text in a number column, numbers where text was."""
    sides = [
        random_numbers(200, 1),
        numbers(range(200), dtype="integer"),
        texts([str(i / 4) for i in range(200)]),
        texts(["12", "twelve", "", " ", "1e5", "-inf", "nan", "1_000", "07", "é" * 300] * 20),
        booleans([True, False] * 100),
        numbers([math.inf, -math.inf, 0.0, -0.0, 5e-324, 1.7e308, -1.7e308, 1.0] * 25),
        empty(200),
    ]
    for reference in sides:
        for current in sides:
            found(name, kind, reference, current)


@every_member
def test_infinities(name: str, kind: Kind) -> None:
    values = np.random.default_rng(5).normal(size=600)
    values[:60] = math.inf
    values[60:90] = -math.inf
    column = numbers(values)
    assert quiet(found(name, kind, column, column))
    finding = found(name, kind, numbers(np.random.default_rng(6).normal(size=2000)), column)
    if name == "infinite_share":
        assert finding is not None
        assert finding.verdict is Verdict.DRIFTED


@every_member
def test_ties(name: str, kind: Kind) -> None:
    generator = np.random.default_rng(7)
    reference, current = generator.integers(0, 4, 3000), generator.integers(0, 4, 700)
    assert quiet(found(name, kind, numbers(reference), numbers(current)))


@pytest.mark.parametrize("name", [n for n, t in TESTS.items() if Kind.NUMBER in t.SPEC.kinds])
@pytest.mark.parametrize("scale", [1e-300, 1e-6, 1.0, 1e6, 1e300])
def test_the_scale_is_irrelevant(name: str, scale: float) -> None:
    """A shift by fifty standard deviations is one at any scale; no shift is none."""
    generator = np.random.default_rng(8)
    reference, same = generator.normal(0, 1, 2000), generator.normal(0, 1, 500)
    assert quiet(found(name, Kind.NUMBER, numbers(reference * scale), numbers(same * scale)))
    moved = found(name, Kind.NUMBER, numbers(reference * scale), numbers((same + 50) * scale))
    if not TESTS[name].SPEC.guard:
        assert moved is not None
        assert moved.verdict is Verdict.DRIFTED


@every_member
def test_a_great_many_levels(name: str, kind: Kind) -> None:
    reference = texts([f"level {i % 20_000}" for i in range(30_000)])
    current = texts([f"level {i}" for i in range(19_000, 29_000)])
    found(name, kind, reference, current)
    assert quiet(found(name, kind, reference, reference))


@pytest.mark.parametrize("name", TESTS)
def test_it_is_documented(name: str) -> None:
    test = TESTS[name]
    module = sys.modules[f"{DRIFT_SOCKET}.{name}"]
    assert isinstance(test.SPEC, TestSpec)
    for field in fields(TestSpec):
        value = getattr(test.SPEC, field.name)
        optional = field.name == "conservative"
        assert optional or not isinstance(value, str) or value.strip(), f"{field.name} is empty"
    assert test.SPEC.kinds
    assert set(test.SPEC.kinds) <= set(COMPARED_KINDS)
    assert 0 < test.SPEC.tolerance < test.SPEC.must_see
    assert not (test.SPEC.guard and test.SPEC.title in ("", name))
    text = module.__doc__ or ""
    assert len(text.split()) >= 8, "the docstring says too little"
    assert test.measure.__doc__, "measure says nothing about itself"
    assert test.SPEC.source[0].isupper()


@pytest.mark.parametrize("name", [n for n, t in TESTS.items() if not t.SPEC.guard])
def test_a_main_test_says_where_it_comes_from(name: str) -> None:
    text = sys.modules[f"{DRIFT_SOCKET}.{name}"].__doc__ or ""
    author = TESTS[name].SPEC.source.split(" (")[0].split(" &")[0]
    assert author in text or "Source:" in text


# --- A file dropped in ---

DROPPED = '''
"""Median shift: did the median move? An example of a test that somebody drops in."""

import numpy as np

from monitor.core.columns import Kind
from monitor.core.drift_socket import Evidence, TestSpec

SPEC = TestSpec(
    title="median shift", kinds=(Kind.NUMBER,), effect="change of the median over the IQR",
    unit="IQR", tolerance=0.1, must_see=1.0, asks="Did the median move?",
    blind_to="everything else", null_law="none", source="Nobody (2026)",
)


def measure(pair, bounds):
    """Evidence from both medians."""
    if not all(pair.sizes):
        return Evidence(missing_input="no values")
    before, now = (float(np.median(s.values)) for s in (pair.reference, pair.current))
    effect = abs(now - before)
    return Evidence(statistic=effect, effect=effect, p_value=0.5, p_tolerance=float(effect < 1))
'''


@pytest.fixture
def dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DriftTest]:
    """The folder of a stranger who lays one more file beside the tests there are."""
    (tmp_path / "median_shift.py").write_text(textwrap.dedent(DROPPED).lstrip())
    package = sys.modules[DRIFT_SOCKET]
    assert package.__spec__ is not None
    folders = [*package.__path__, str(tmp_path)]
    monkeypatch.setattr(package, "__path__", folders)
    monkeypatch.setattr(package.__spec__, "submodule_search_locations", folders)
    catalogue._built_in.cache_clear()
    yield catalogue.load(DRIFT_SOCKET, "median_shift", "drift test")
    sys.modules.pop(f"{DRIFT_SOCKET}.median_shift", None)
    catalogue._built_in.cache_clear()


def test_a_file_dropped_in_is_listed_and_used(dropped: DriftTest) -> None:
    assert "median_shift" in catalogue.names(DRIFT_SOCKET)
    reference, current = numbers(np.arange(500.0) / 500), numbers(np.arange(200.0) / 200 + 5)
    for chosen in ((), ("median_shift",)):
        asked = plan(*chosen)
        asked = type(asked)(tests={**asked.tests, "median_shift": dropped}, chosen=asked.chosen)
        column = compare_columns({"x": reference}, {"x": current}, asked)[0]
        finding = next(f for f in column.findings if f.test == "median_shift")
        assert column.verdict is Verdict.DRIFTED
        assert finding.reason.startswith("median shift 5")
