"""Time and memory: what is given up, what is kept, and how long a warm validation takes."""

import gc
import json
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from monitor.core.records import ExpectationReport, ExpectationResult, SampleInfo
from monitor.ports import Sample
from monitor.tables.columns import to_sample
from monitor.validation.bounded import TookTooLong, run_within
from monitor.validation.matcher import Matcher
from monitor.validation.validator import SuiteValidator, check_suite

BETWEEN = "column_values_to_be_between"
IN_SET = "column_values_to_be_in_set"
REGEX = "column_values_to_match_regex"


@pytest.fixture(scope="module")
def validator() -> Iterator[SuiteValidator]:
    made = SuiteValidator()
    yield made
    made.close()


def sample_of(**columns: Any) -> Sample:
    table = pa.table(columns)
    return to_sample(table, SampleInfo(table.num_rows, table.num_rows, "all"))


def expectation(kind: str, **kwargs: object) -> dict[str, Any]:
    return {"type": f"expect_{kind}", "kwargs": kwargs}


def suite_file(folder: Path, *expectations: object) -> str:
    path = folder / "suite.json"
    path.write_text(json.dumps({"name": "s", "expectations": expectations}), encoding="utf-8")
    return str(path)


# --- Too long ---


def timed_out(folder: Path) -> tuple[float, tuple[ExpectationResult, ...]]:
    """Seconds and results of a suite whose second expectation never ends."""
    patterns = ["b", "^(a+)+$", "^a"]
    suite = suite_file(folder, *(expectation(REGEX, column="text", regex=p) for p in patterns))
    check_suite(suite)  # the library is imported now
    validator = SuiteValidator(timeout_s=1)
    rows = sample_of(text=["a" * 60 + "b"])
    began = time.perf_counter()
    results = validator.validate(suite, rows, show_values="never").results
    took = time.perf_counter() - began
    validator.close()
    return took, results


@pytest.mark.parametrize("main_thread", [True, False])
def test_catastrophic_backtracking_is_given_up(tmp_path: Path, main_thread: bool) -> None:
    found: list[tuple[float, tuple[ExpectationResult, ...]]] = []
    if main_thread:
        found.append(timed_out(tmp_path))
    else:
        thread = threading.Thread(target=lambda: found.append(timed_out(tmp_path)))
        thread.start()
        thread.join()
    ((took, results),) = found
    assert [r.success for r in results] == [True, None, True]
    assert results[1].reason == "took longer than 1 s and was given up"
    assert 1 <= took < 4


def test_given_up_work_ends() -> None:
    ticks = []

    def endless() -> None:
        while True:
            time.sleep(0.01)
            ticks.append(1)

    with pytest.raises(TookTooLong):
        run_within(0.1, endless)
    deadline = time.monotonic() + 5
    while any(t.name == "expectation" for t in threading.enumerate()):
        assert time.monotonic() < deadline, "the thread goes on"
        time.sleep(0.01)


def test_work_hands_over_its_result_and_its_error() -> None:
    assert run_within(5, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        run_within(5, lambda: 1 // 0)


def test_the_searching_process_limits_itself_and_starts_again() -> None:
    matcher = Matcher(limit_s=-0.9)  # one second is added, for the caller's clock to be first
    with pytest.raises(EOFError):
        matcher.search(["^(a+)+$"], ["a" * 60 + "b"])
    assert matcher.search(["a", "^b"], ["ab", "b\udcff"]) == [[True, False], [False, True]]
    matcher.stop()
    matcher.stop()


# --- Warm ---

TWENTY = [
    *(expectation(BETWEEN, column=f"n{k}", min_value=-3, max_value=3) for k in range(8)),
    *(expectation(IN_SET, column=f"c{k}", value_set=["a", "b"]) for k in range(4)),
    *(expectation("column_values_to_not_be_null", column=f"c{k}") for k in range(4)),
    *(expectation("column_mean_to_be_between", column=f"n{k}", min_value=-1) for k in range(2)),
    *(expectation(REGEX, column=f"c{k}", regex="^[a-c]$") for k in range(2)),
]


@pytest.fixture(scope="module")
def thousand() -> Sample:
    rng = np.random.default_rng(7)
    return sample_of(
        **{f"n{k}": rng.normal(size=1000) for k in range(8)},
        **{f"c{k}": rng.choice(list("abcd"), 1000) for k in range(4)},
    )


def test_a_warm_validation_is_quick(
    validator: SuiteValidator, thousand: Sample, tmp_path: Path
) -> None:
    suite = suite_file(tmp_path, *TWENTY)
    validator.validate(suite, thousand, show_values="levels")
    took = []
    for _ in range(5):
        began = time.process_time()  # a busy machine changes little of it
        validator.validate(suite, thousand, show_values="levels")
        took.append(time.process_time() - began)
    assert min(took) < 0.25, took  # 0.05 on an idle machine


def test_the_rows_are_let_go_at_once(validator: SuiteValidator, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    rows = sample_of(**{f"n{k}": rng.normal(size=50_000) for k in range(2)}, c0=["a", "b"] * 25_000)
    wanted = {"n0", "n1", "c0"}
    condition = {"row_condition": "c0 == 'a'"}
    suite = suite_file(
        tmp_path,
        *(item for item in TWENTY if item["kwargs"]["column"] in wanted),
        expectation(BETWEEN, column="n0", max_value=0, **condition),
    )
    validator.validate(suite, rows, show_values="all")
    gc.collect()
    gc.disable()
    try:
        before = pa.total_allocated_bytes()
        tracemalloc.start()
        for _ in range(2):
            validator.validate(suite, rows, show_values="all")
        assert tracemalloc.get_traced_memory()[0] < 400_000  # that is one column
        assert pa.total_allocated_bytes() <= before
    finally:
        tracemalloc.stop()
        gc.enable()


def test_nothing_is_kept(validator: SuiteValidator, thousand: Sample, tmp_path: Path) -> None:
    suite = suite_file(tmp_path, *TWENTY[::4])

    def run(times: int) -> int:
        for _ in range(times):
            validator.validate(suite, thousand, show_values="all")
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = run(2)
        after = run(8)
    finally:
        tracemalloc.stop()
    assert after - before < 32_000  # 4 000 a run


def test_two_threads_take_turns(
    validator: SuiteValidator, thousand: Sample, tmp_path: Path
) -> None:
    suite = suite_file(tmp_path, *TWENTY)
    expected = validator.validate(suite, thousand, show_values="all")
    found: list[ExpectationReport] = []

    def work() -> None:
        found.extend(validator.validate(suite, thousand, show_values="all") for _ in range(3))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 9
