"""Files of one dataset that are not like the others: renamed columns, and files without content."""

import datetime as dt
import gzip
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from monitor.api import compare
from monitor.configuration.datasets import SourceSettings
from monitor.core.layouts import lacking
from monitor.core.records import Verdict, Window
from monitor.errors import SourceUnreadable, UnknownName
from monitor.sources.files import FileSource

DAYS = ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"]
ROWS = 200

Write = Callable[[pd.DataFrame, Path], None]


def orders(day: str, seed: int, rows: int = ROWS) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "at": pd.date_range(day, periods=rows, freq="7min").astype(str),
            "amount": draw.normal(100, 15, rows).round(2),
            "country": draw.choice(["de", "fr"], rows),
        }
    )


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path.with_suffix(".csv"), index=False)


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    frame.to_parquet(path.with_suffix(".parquet"), index=False)


def write_ndjson(frame: pd.DataFrame, path: Path) -> None:
    frame.to_json(path.with_suffix(".ndjson"), orient="records", lines=True)


def days(folder: Path, renamed: Mapping[str, Mapping[str, str]], write: Write = write_csv) -> Path:
    """A file a day; in those of `renamed` columns have other names."""
    folder.mkdir(exist_ok=True)
    for number, day in enumerate(DAYS):
        write(orders(day, number + 2).rename(columns=dict(renamed.get(day, {}))), folder / day)
    return folder


def window(day: str, days: int = 1) -> Window:
    start = dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC)
    return Window(start, start + dt.timedelta(days=days))


def source(folder: Path, time: str | None = "at") -> FileSource:
    return FileSource(SourceSettings(path=str(folder), time=time), Path("/nowhere"))


@pytest.fixture
def train(tmp_path: Path) -> Path:
    write_csv(orders("2026-01-01", 1, 2000), tmp_path / "train")
    return tmp_path / "train.csv"


# --- In words ---


def test_what_replaces_a_column_is_told_beside_it() -> None:
    files = {f"{n}.csv": ("t", "amount") for n in range(5)}
    assert lacking(files) == []
    told = "1 of 5 files has no column `amount`: 2.csv; it has `amt`, which no other file has"
    assert [lack.text for lack in lacking(files | {"2.csv": ("t", "amt")})] == [told]
    two = files | {"2.csv": ("t", "amt"), "3.csv": ("t",)}
    told = (
        "2 of 5 files have no column `amount`: 2.csv, 3.csv; 2.csv has `amt`, which no other "
        "file has"
    )
    assert [lack.text for lack in lacking(two)] == [told]
    assert lacking(two, ["t"]) == []


def test_a_column_of_few_files_is_told_with_those_that_have_it() -> None:
    files = {f"{n}.csv": ("t", "a") for n in range(9)} | {"4.csv": ("t", "a", "promo", "code")}
    [lack] = lacking(files)
    assert lack.columns == ("promo", "code")
    assert lack.text == "only 1 of 9 files has the columns `promo`, `code`: 4.csv"


def test_long_lists_are_counted() -> None:
    files = {f"{n}.csv": ("t",) if n < 5 else ("t", "a", "b", "c", "d") for n in range(12)}
    assert [lack.text for lack in lacking(files)] == [
        "5 of 12 files have no columns `a`, `b`, `c` and 1 more: 0.csv, 1.csv, 2.csv and 2 more"
    ]


# --- Columns that only some files have ---


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_a_column_renamed_in_one_file_violates_and_names_the_file(
    tmp_path: Path, train: Path, write: Write
) -> None:
    folder = days(tmp_path / "data", {"2026-03-03": {"amount": "Amount_usd"}}, write)
    found = compare(train, folder, time_column="at")
    assert found.verdict is Verdict.VIOLATED
    assert found.headline.startswith(
        f"Violated: 1 of 4 files has no column `amount`: 2026-03-03{_ending(write)}; "
        "it has `Amount_usd`, which no other file has"
    )


def _ending(write: Write) -> str:
    return ".csv" if write is write_csv else ".parquet"


def test_columns_that_are_not_compared_may_differ(tmp_path: Path, train: Path) -> None:
    folder = days(tmp_path / "data", {"2026-03-03": {"amount": "Amount_usd"}})
    assert compare(train, folder, exclude=["amount", "at"]).verdict is Verdict.PASSED
    assert compare(train, folder, label="amount", exclude=["at"]).verdict is not Verdict.VIOLATED


def test_only_files_with_rows_of_the_window_count(tmp_path: Path) -> None:
    files = source(days(tmp_path / "data", {"2026-03-03": {"amount": "amt"}}))
    assert set(files.read(window("2026-03-01", 2)).layouts) == {"2026-03-01.csv", "2026-03-02.csv"}
    for _ in range(2):  # what is remembered of files changes nothing
        assert lacking(files.read(window("2026-03-01", 2)).layouts) == []
        [lack] = lacking(files.read(window("2026-03-02", 2)).layouts)
        assert lack.text.startswith("1 of 2 files has no column `amount`: 2026-03-03.csv")


def test_the_reference_may_be_uneven_as_well(tmp_path: Path) -> None:
    before = days(tmp_path / "before", {"2026-03-02": {"amount": "amt"}})
    found = compare(before, days(tmp_path / "data", {}), exclude=["amt"])
    told = [n.text for n in found.check.notices if n.kind == "files_uneven"]
    assert found.verdict is not Verdict.VIOLATED
    assert told == [
        "the reference: 1 of 4 files has no column `amount`: 2026-03-02.csv; it has `amt`, which "
        "no other file has"
    ]


def test_what_files_lacked_in_training_may_be_lacking(tmp_path: Path) -> None:
    renamed = {"2026-03-02": {"amount": "amt"}}
    before, now = days(tmp_path / "before", renamed), days(tmp_path / "data", renamed)
    found = compare(before, now, exclude=["at"])
    told = [n.text for n in found.check.notices if n.kind == "files_uneven"]
    assert found.verdict is not Verdict.VIOLATED
    assert told[0].removeprefix("the reference: ") == told[1]


def test_a_lost_column_names_the_files_of_the_window(tmp_path: Path, train: Path) -> None:
    renamed = {day: {"amount": "amt"} for day in DAYS}
    found = compare(train, days(tmp_path / "data", renamed))
    assert found.headline == "Violated: the column `amount` is missing (4 files have `amt` instead)"
    assert ("files_of_window", "the rows of the window are those of 2026-03-01.csv, "
            "2026-03-02.csv, 2026-03-03.csv and 1 more") in [
        (n.kind, n.text) for n in found.check.notices
    ]  # fmt: skip


def test_keys_of_json_may_be_left_out_and_are_told(tmp_path: Path, train: Path) -> None:
    folder = days(tmp_path / "data", {"2026-03-03": {"amount": "amt"}}, write_ndjson)
    found = compare(train, folder)
    assert found.verdict is not Verdict.VIOLATED
    [told] = [n.text for n in found.check.notices if n.kind == "files_uneven"]
    assert told.startswith("1 of 4 files has no column `amount`: 2026-03-03.ndjson")


def test_a_file_without_the_time_column_is_named(tmp_path: Path) -> None:
    files = source(days(tmp_path / "data", {"2026-03-03": {"at": "ts"}}))
    for day, rows in (("2026-03-02", ROWS), ("2026-03-03", 0)):
        sample = files.read(window(day))
        [notice] = sample.notices
        assert sample.info.rows == rows and notice.kind == "time_unreadable"
        assert notice.text == (
            "200 of 800 rows have no readable time in 'at'; 1 of 4 files has no column `at`: "
            "2026-03-03.csv; it has `ts`, which no other file has"
        )


# --- Files without content ---


def test_an_empty_file_leaves_the_windows_of_others_alone(tmp_path: Path, train: Path) -> None:
    folder = days(tmp_path / "data", {})
    (folder / "2026-03-02.csv").write_bytes(b"")
    files = source(folder)
    told = ["1 of 4 files is empty: 2026-03-02.csv"]
    # That it may have held rows of the first day's last minutes, or of the third day, is told there
    for day, notices in (("2026-03-01", told), ("2026-03-03", told), ("2026-03-04", [])):
        sample = files.read(window(day))
        assert sample.info.rows == ROWS
        assert [n.text for n in sample.notices] == notices
    with pytest.raises(SourceUnreadable, match=r"no row of the window was.*2026-03-02\.csv"):
        files.read(window("2026-03-02"))
    assert files.read(window("2026-03-09")).info.rows == 0  # its file is not the one of the second
    assert compare(train, folder, time_column="at").verdict is Verdict.PASSED


@pytest.mark.parametrize("content", [b"", b"\n\n", gzip.compress(b""), gzip.compress(b"\n\n")])
@pytest.mark.parametrize(("write", "ending"), [(write_csv, "csv"), (write_ndjson, "ndjson")])
def test_an_empty_last_file_may_be_that_of_any_later_window(
    tmp_path: Path, write: Write, ending: str, content: bytes
) -> None:
    folder = days(tmp_path / "data", {}, write)
    last = folder / f"2026-03-04.{ending}"
    if content.startswith(b"\x1f\x8b"):
        last = last.rename(f"{last}.gz")
    last.write_bytes(content)
    before = source(folder).read(window("2026-03-01"))
    assert (before.info.rows, before.notices) == (ROWS, ())
    with pytest.raises(SourceUnreadable, match=rf"{last.name}, where its rows could have been"):
        source(folder).read(window("2026-03-05"))
    told = [n.text for n in source(folder).read().notices if n.kind == "file_empty"]
    assert told == [f"1 of 4 files is empty: {last.name}"]


def test_where_names_do_not_follow_time_an_empty_file_may_be_that_of_any_window(
    tmp_path: Path,
) -> None:
    folder = days(tmp_path / "data", {})
    (folder / "2026-03-01.csv").rename(folder / "z.csv")
    (folder / "a.csv").touch()
    assert source(folder).read(window("2026-03-02")).info.rows == ROWS
    with pytest.raises(SourceUnreadable, match=r"a\.csv, where its rows could have been, is empty"):
        source(folder).read(window("2026-04-01"))


def test_a_header_alone_says_that_there_are_no_rows(tmp_path: Path) -> None:
    folder = days(tmp_path / "data", {})
    (folder / "2026-03-02.csv").write_text("at,amount,country\n")
    assert source(folder).read(window("2026-03-03")).notices == ()
    sample = source(folder).read(window("2026-03-02"))
    assert sample.info.rows == 0
    assert [n.text for n in sample.notices] == ["1 of 4 files has no rows: 2026-03-02.csv"]
    assert [n.kind for n in source(folder).read().notices] == ["file_without_rows"]


def test_nothing_but_empty_files_cannot_be_looked_at(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for day in DAYS:
        (tmp_path / "data" / f"{day}.csv").touch()
    for attempt in (source(tmp_path / "data").read, source(tmp_path / "data").span):
        with pytest.raises(SourceUnreadable, match="all 4 files are empty"):
            attempt()


def test_an_empty_parquet_file_among_others(tmp_path: Path) -> None:
    folder = days(tmp_path / "data", {}, write_parquet)
    (folder / "2026-03-02.parquet").write_bytes(b"")
    assert source(folder).read(window("2026-03-03")).info.rows == ROWS
    assert source(folder).columns() == ["at", "amount", "country"]


# --- What is asked without reading rows ---


def test_further_files_are_asked_for_what_is_sought(tmp_path: Path) -> None:
    files = source(days(tmp_path / "data", {"2026-03-02": {"amount": "amt"}}))
    assert files.columns() == ["at", "amount", "country"]
    assert "amt" in files.columns(["amt"])
    assert files.columns(["none"]) == ["at", "amount", "country", "amt"]
    assert set(files.layouts(2)) == {"2026-03-01.csv", "2026-03-04.csv"}


@pytest.mark.parametrize("write", [write_csv, write_parquet, write_ndjson])
def test_the_column_that_tells_a_time_is_the_hint(tmp_path: Path, write: Write) -> None:
    folder = days(tmp_path / "data", {}, write)
    assert source(folder).times() == ["at"]
    assert source(folder).times("amount") == ["at", "amount"]  # seconds since 1970, perhaps
    assert source(folder).times("country") == ["at"]
    with pytest.raises(UnknownName, match="no column named 'when'") as told:
        source(folder, "when").read(window(DAYS[0]))
    assert told.value.hint == "did you mean 'at', the only column that tells a time?"
    with pytest.raises(
        SourceUnreadable, match=r"in 'country' \(they look like 'aa'\); there are times in 'at'$"
    ):
        source(folder, "country").read(window(DAYS[0]))


@pytest.mark.skipif(os.name != "posix", reason="file names are text there")
def test_a_name_that_is_no_text_is_told_as_text(tmp_path: Path) -> None:
    """It is stored, sent and exported; what the bytes were can still be seen."""
    days(tmp_path / "now", {})
    odd = os.fsencode(tmp_path / "now") + b"/\xff.csv"
    Path(os.fsdecode(odd)).write_text("at,country\n2026-03-04T12:00,de\n")
    write_csv(orders("2026-02-01", 1), tmp_path / "train")
    check = compare(tmp_path / "train.csv", tmp_path / "now", time_column="at").check
    assert "has no column `amount`: \\xff.csv" in check.headline
    check.headline.encode()


def test_a_headline_is_one_line_whatever_columns_are_called(tmp_path: Path) -> None:
    renamed = {day: {"amount": "a\nPassed: all is well"} for day in DAYS[:2]}
    days(tmp_path / "now", renamed)
    write_csv(orders("2026-02-01", 1), tmp_path / "train")
    check = compare(tmp_path / "train.csv", tmp_path / "now", time_column="at").check
    assert check.verdict is Verdict.VIOLATED and "\n" not in check.headline
