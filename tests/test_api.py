"""`compare` in Python: what it takes, what it answers, and that the command says the same."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor.api import Result, compare, freeze
from monitor.cli.main import run
from monitor.core.records import Verdict
from monitor.errors import AskedWrongly, NoCommonColumns, PathNotFound
from monitor.question import Question


def people(count: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "at": pd.date_range("2026-03-01", periods=count, freq="h"),
            "age": draw.normal(40 + shift, 10, count),
            "city": draw.choice(["Rome", "Oslo"], count),
        }
    )


BEFORE, ALIKE, OLDER = people(1200, 1), people(600, 2), people(600, 3, 15.0)


def stable(document: dict[str, Any]) -> dict[str, Any]:
    """Without what differs from run to run."""
    return {k: v for k, v in document.items() if k not in ("id", "made_at", "timings_s")}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    before, after = tmp_path / "before.parquet", tmp_path / "after.parquet"
    BEFORE.to_parquet(before)
    OLDER.to_parquet(after)
    return before, after


def test_frames_are_compared() -> None:
    result = compare(BEFORE, OLDER)
    assert isinstance(result, Result)
    assert (result.verdict, result.exit_code) == (Verdict.DRIFTED, 1)
    assert result.headline.startswith("Drifted: `age` is")
    assert repr(result) == f"<{result.headline}>"
    assert compare(BEFORE, ALIKE).exit_code == 0


FORMS: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "frame": lambda frame, _: frame,
    "indexed frame": lambda frame, _: frame.set_index(np.arange(len(frame))[::-1]),
    "table": lambda frame, _: pa.Table.from_pandas(frame),
    "batch": lambda frame, _: pa.RecordBatch.from_pandas(frame),
    "path": lambda frame, folder: _written(frame, folder / "p.parquet"),
    "text": lambda frame, folder: str(_written(frame, folder / "t.parquet")),
    "folder": lambda frame, folder: _written(frame, folder / "d" / "f.parquet").parent,
}


def _written(frame: pd.DataFrame, path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pandas(frame), path)
    return path


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_data_says_the_same(form: str, tmp_path: Path) -> None:
    expected = compare(BEFORE, OLDER).to_dict()
    found = compare(BEFORE, FORMS[form](OLDER, tmp_path)).to_dict()
    assert found["columns"] == expected["columns"]
    assert found["dataset"] == expected["dataset"]
    assert compare(FORMS[form](BEFORE, tmp_path), OLDER).to_dict()["columns"] == found["columns"]


def test_the_command_writes_the_same_document(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = files
    out = tmp_path / "out.json"
    flags = (
        "--tests psi --tolerance psi=0.2 --alpha 0.05 --exclude city --time-column at "
        "--sample 400 --seed 3"
    )
    code = run(["compare", str(before), str(after), *flags.split(), "--json", str(out)])
    result = compare(
        str(before), str(after), tests=["psi"], tolerance={"psi": 0.2}, alpha=0.05,
        exclude=["city"], time_column="at", sample=400, seed=3,
    )  # fmt: skip
    assert code == result.exit_code
    assert stable(json.loads(out.read_text())) == stable(result.to_dict())
    capsys.readouterr()


def test_a_result_shows_itself_in_a_notebook() -> None:
    result = compare(BEFORE, OLDER)
    page = result.html()
    assert page.startswith("<!doctype html>")
    shown = result._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert "<script" not in shown.partition(">")[0]


def test_the_window_is_that_of_the_new_data() -> None:
    for current in (OLDER, OLDER.assign(at=OLDER["at"].astype(str)), pa.Table.from_pandas(OLDER)):
        window = compare(BEFORE.drop(columns="at"), current, time_column="at").to_dict()["window"]
        assert window == {
            "start": "2026-03-01T00:00:00+00:00", "end": "2026-03-25T23:00:00.000001+00:00",
        }  # fmt: skip
        assert compare(BEFORE, current, time_column="at", sample=50).to_dict()["window"] == window
    with pytest.raises(AskedWrongly, match="no row has a readable time in 'city'"):
        compare(BEFORE, OLDER, time_column="city")


def test_a_last_time_at_the_end_of_time_is_no_fault() -> None:
    odd = OLDER.assign(at=["9999-12-31T23:59:59.999999"] * len(OLDER))
    window = compare(BEFORE, odd, time_column="at").to_dict()["window"]
    assert window["start"].startswith("9999-12-31")


def test_the_reference_has_a_version_that_follows_from_its_content(
    files: tuple[Path, Path],
) -> None:
    def version(reference: Any) -> str:
        found: str = compare(reference, ALIKE).to_dict()["reference"]["version"]
        return found

    assert version(BEFORE) == version(BEFORE.copy())
    assert version(BEFORE) != version(BEFORE.assign(age=BEFORE["age"] + 1e-9))
    assert version(files[0]) == version(str(files[0]))
    assert version(files[0]).startswith("sha256:")


def test_what_was_asked_is_kept_for_the_report() -> None:
    setup = compare(BEFORE, OLDER, tests=["ks"], sample=100).to_dict()["setup"]
    assert setup["tests"] == ["ks"]
    assert setup["reference"] == "a DataFrame in memory"
    assert setup["sample"] == {"rows": 100, "seed": 0}


def test_an_unreadable_file_is_a_result(tmp_path: Path) -> None:
    path = tmp_path / "cut.parquet"
    path.write_bytes(b"PAR1 and no more")
    result = compare(BEFORE, path)
    assert (result.verdict, result.exit_code) == (Verdict.UNDECIDED, 3)
    assert "cut.parquet" in result.headline
    assert result.html().startswith("<!doctype html>")


def test_no_rows_are_undecided_and_no_reference_is_asked_wrongly() -> None:
    assert compare(BEFORE, BEFORE.head(0)).verdict is Verdict.UNDECIDED
    with pytest.raises(AskedWrongly, match="the reference has no rows: a DataFrame in memory"):
        compare(BEFORE.head(0), BEFORE)


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ({"tolerence": {"psi": 1}}, "tolerence: unknown key; did you mean `tolerance`?"),
        ({"separator": ";"}, "separator: unknown key here; it belongs under `csv:`"),
        ({"tests": "ks"}, "tests: should be a list, like [a, b]"),
        ({"columns": "age"}, "columns: should be a list, like [a, b]"),
        ({"alpha": 2}, "alpha: should be less than 0.5"),
        ({"tolerance": 0.1}, "tolerance: should hold keys and values"),
        ({"sample": 0}, "sample: should be greater than or equal to 1"),
        ({"sample": 1.5}, "sample: should be a whole number"),
        ({"kinds": {"age": "numeric"}}, "kinds.age: should be 'number', "),
        ({"csv": {"decimal": "x"}}, "csv.decimal: should be '.' or ','"),
        ({"tests": ["kss"]}, "there is no drift test named 'kss'"),
        ({"columns": ["agee"]}, "columns: there is no column named 'agee'; there are: age, at"),
        ({"label": "agee"}, "label: there is no column named 'agee'"),
        ({"p_value": 0.1, "threshold": {"psi": 1}}, "are two different rules"),
    ],
)
def test_a_wrong_question_is_told(question: dict[str, Any], told: str) -> None:
    with pytest.raises(AskedWrongly) as caught:
        compare(BEFORE, ALIKE, **question)
    assert told in str(caught.value)


def test_data_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(AskedWrongly, match="cannot read rows from a dict"):
        compare(BEFORE, {"age": [1, 2]})
    with pytest.raises(AskedWrongly, match="cannot read rows from a NoneType"):
        compare(None, BEFORE)
    with pytest.raises(PathNotFound):
        compare(BEFORE, tmp_path / "nosuch.csv")
    with pytest.raises(NoCommonColumns, match="share no column"):
        compare(BEFORE, pd.DataFrame({"x": [1.0]}))
    with pytest.raises(AskedWrongly, match="time_column: there is no column"):
        compare(BEFORE, _written(ALIKE, tmp_path / "a.parquet"), time_column="att")


# --- Names that other tools use ---


@pytest.mark.parametrize(
    ("elsewhere", "here"),
    [
        ("jensenshannon", "jensen_shannon"),
        ("chisquare", "chi_squared"),
        ("TVD", "total_variation"),
        ("ks_2samp", "ks"),
        ("wasserstein_distance", "wasserstein"),
        ("Kolmogorov-Smirnov", "ks"),
        ("mannw", "mann_whitney"),
        ("t_test", "welch_t"),
        ("anderson", "anderson_darling"),
        ("cramer_von_mises", "cramer_von_mises"),
        ("energy distance", "energy"),
        ("population_stability_index", "psi"),
    ],
)
def test_a_test_answers_to_what_other_tools_call_it(elsewhere: str, here: str) -> None:
    rng = np.random.default_rng(0)
    before = pd.DataFrame({"x": rng.normal(size=800), "c": rng.choice(list("abc"), 800)})
    now = pd.DataFrame({"x": rng.normal(1, 1, 300), "c": rng.choice(list("abc"), 300)})
    found = compare(before, now, tests=[elsewhere], tolerance={elsewhere: 0.2})
    main = [f for c in found.check.columns for f in c.findings if not f.guard]
    assert {f.test for f in main} == {here}
    assert {f.tolerance for f in main} == {0.2}


def test_the_docstring_lists_every_field_of_a_question() -> None:
    told = (compare.__doc__ or "").partition("fields of `Question`:")[2].partition("Raises")[0]
    assert set(re.findall(r"`(\w+)`", told)) == set(Question.model_fields)


BROKEN = "age,city\n1,Rome\n2,Oslo,3\n"  # a row with too many cells: reading ends there


@pytest.mark.parametrize(
    ("question", "told", "hint"),
    [
        ({"exclude": ["aeg"]}, "exclude: there is no column named 'aeg'; there are: age, at, city",
         "did you mean 'age'?"),
        ({"columns": ["age", "ctiy"]}, "columns: there is no column named 'ctiy'",
         "did you mean 'city'?"),
        ({"time_column": "when"}, "time_column: there is no column named 'when'", ""),
    ],
    ids=["exclude", "columns", "time"],
)  # fmt: skip
def test_a_misspelt_column_is_told_before_anything_is_read(
    tmp_path: Path, question: dict[str, Any], told: str, hint: str
) -> None:
    broken = tmp_path / "broken.csv"
    broken.write_text(BROKEN)
    for current in (broken, str(broken)):
        with pytest.raises(AskedWrongly, match=told) as refused:
            compare(BEFORE, current, **question)
        assert refused.value.hint == hint
    assert compare(BEFORE, broken, exclude=["age"]).verdict is Verdict.UNDECIDED
    with pytest.raises(AskedWrongly, match=told.partition(";")[0]):
        freeze(broken, tmp_path / "x.reference", **question)


def test_a_column_of_one_file_in_the_middle_may_be_named(tmp_path: Path) -> None:
    for number, more in enumerate(("", ",promo", "")):
        text = f"age,city{more}\n" + "".join(f"{n},Rome{more and ',1'}\n" for n in range(50))
        (tmp_path / f"{number}.csv").write_text(text)
    found = compare(tmp_path / "*.csv", tmp_path / "*.csv", exclude=["promo"])
    assert found.verdict is not Verdict.VIOLATED


def test_a_late_key_of_json_may_be_named(tmp_path: Path) -> None:
    """JSON states no columns: what a first look does not find may come in any row."""
    lines = [json.dumps({"age": n, "text": "x" * 200}) for n in range(50_000)]
    (tmp_path / "a.ndjson").write_text("\n".join([*lines, json.dumps({"age": 1, "late": 2})]))
    assert (tmp_path / "a.ndjson").stat().st_size > 8 << 20  # more than is looked at first
    data = str(tmp_path / "a.ndjson")
    found = compare(data, data, exclude=["late", "text"], dataset_tests=[])
    assert found.verdict is Verdict.PASSED
    with pytest.raises(AskedWrongly, match="exclude: there is no column named 'lat'"):
        compare(data, data, exclude=["lat"])
