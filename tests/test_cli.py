"""The commands of a project: from `init` to alerts, as a newcomer and as a pipeline meet them."""

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
import yaml
from projects import SECRET, write_project

from monitor.cli.main import run
from monitor.core.wire import check_schema
from monitor.demo.receiver import Receiver

HEAVY = {
    "evidently", "great_expectations", "numpy", "pandas", "pyarrow", "pydantic", "scipy",
    "sklearn", "sqlalchemy", "yaml",
}  # fmt: skip
COMMANDS = (
    "demo", "init", "compare", "check", "backfill", "diff", "backtest", "report", "serve",
    "explain", "retrain", "config check", "schema check", "reference build", "reference list",
    "reference show", "reference promote", "status", "episodes", "audit", "acknowledge", "resolve",
    "mute", "maintenance", "silences", "lift", "token make", "token list", "token rotate",
    "token revoke", "alerts list", "alerts test", "prune", "backup", "restore", "export",
)  # fmt: skip
SCHEMA = jsonschema.Draft202012Validator(check_schema())


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Monitor = Callable[..., Said]


@pytest.fixture
def monitor(capsys: pytest.CaptureFixture[str]) -> Monitor:
    """Run a command line in this process."""

    def call(*arguments: str) -> Said:
        capsys.readouterr()
        code = run(list(arguments))
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Said(code, said.out, said.err)

    return call


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of two quiet and four drifted days, all checked."""
    folder = tmp_path_factory.mktemp("made")
    write_project(folder)
    assert run(["backfill", "orders", "--config", str(folder / "monitor.yaml")]) == 0
    return folder


@pytest.fixture
def checked(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the checked project, as the current folder."""
    shutil.copytree(made, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that was never checked, as the current folder."""
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> dict[str, int]:
    """Every file and when it was changed."""
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


def process(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "monitor", *arguments],
        capture_output=True,
        text=True,
        check=False,
        **more,
    )


# --- The program ---


@pytest.mark.parametrize("line", ["--help", "config --help", "compare --help", "--version"])
def test_help_is_quick_since_nothing_heavy_is_imported(line: str) -> None:
    code = (
        "import sys; from monitor.cli.main import run; "
        f"code = run({line.split()!r}); "
        "print(code, *{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    status, *loaded = done.stderr.split()
    assert status == "0"
    by_typer = {"pydantic"} if " " in line else set()  # it reads the types of options with it
    assert set(loaded) & HEAVY <= by_typer
    assert "monitor" in done.stdout


def test_the_version() -> None:
    done = process("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("drift-monitor ")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_the_common_options(monitor: Monitor, command: str) -> None:
    said = monitor(*command.split(), "--help")
    assert said.code == 0
    for option in ("--json", "--config", "--verbose", "-v"):
        assert option in said.out


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("nosuch", "No such command 'nosuch'."),
        ("compar a b", "Did you mean 'compare'?"),
        ("--nosuch", "No such option"),
        ("check", "Missing argument 'NAME'."),
        ("retrain x", "Missing option '--why'."),
        ("reference nosuch", "No such command 'nosuch'."),
        ("check x --at", "Option '--at' requires an argument."),
    ],
)
def test_a_wrong_command_line_is_asked_wrongly(monitor: Monitor, line: str, told: str) -> None:
    said = monitor(*line.split())
    assert (said.code, said.out) == (64, "")
    assert said.err.startswith("monitor: ")
    assert told in said.err
    assert "--help` shows how it is used" in said.err


@pytest.mark.parametrize("line", ["", "config", "reference", "schema"])
def test_no_command_at_all_shows_what_there_is(monitor: Monitor, line: str) -> None:
    said = monitor(*line.split())
    assert (said.code, said.err) == (64, "")
    assert "Commands" in said.out


def test_a_reader_that_went_away_is_no_fault() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "monitor", "schema", "check"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


# --- To look things up ---


def test_explain_lists_tests_and_rules(monitor: Monitor) -> None:
    lines = monitor("explain").out.splitlines()
    cells = [re.split(r" {2,}", line, maxsplit=2) for line in lines]
    roles = {name: role for name, role, _ in cells}
    assert roles["psi"] == roles["ks"] == "default"
    assert roles["missing_share"] == "always"
    assert roles["tolerance"] == "rule"
    assert roles["wasserstein"] == "on demand"
    starts = {line.index(text) for line, (*_, text) in zip(lines, cells, strict=True)}
    assert len(starts) == 1  # aligned
    document = monitor("explain", "--json", "-").json
    assert {"psi", "ks"} <= {test["name"] for test in document["tests"]}
    assert {"tolerance", "p_value", "threshold", "false_alarms", "calibrate", "compare_with",
            "segments", "importance"} == {rule["name"] for rule in document["rules"]}  # fmt: skip


def test_explain_says_what_a_test_or_rule_means(monitor: Monitor) -> None:
    said = monitor("explain", "psi")
    assert said.out.startswith("psi (default; number, category, boolean, text; decides)\n\n")
    assert "\nblind to   " in said.out
    assert max(len(line) for line in said.out.splitlines()) <= 100
    assert monitor("explain", "psi", "--json", "-").json["tolerance"] == 0.1
    said = monitor("explain", "tolerance")
    assert said.out.startswith("tolerance (a rule)\n\nThe default.")
    assert monitor("explain", "tolerance", "--json", "-").json["name"] == "tolerance"
    assert monitor("explain", "calibrate").out.startswith("calibrate (a rule)\n\nRows of one day")


def test_explain_knows_the_nearest(monitor: Monitor) -> None:
    said = monitor("explain", "chi_sqared")
    assert (said.code, said.out) == (64, "")
    assert "hint: did you mean 'chi_squared'?" in said.err
    assert "did you mean 'tolerance'?" in monitor("explain", "tolerence").err


def test_the_schema_is_a_json_schema(monitor: Monitor, tmp_path: Path) -> None:
    document = monitor("schema", "check").json
    jsonschema.Draft202012Validator.check_schema(document)
    assert document["properties"]["schema"] == {"const": 1}
    assert monitor("schema", "check", "--json", str(tmp_path / "s.json")).out == ""
    assert json.loads((tmp_path / "s.json").read_text()) == document


# --- A newcomer ---


def production(day: str, seed: int, factor: float = 1.0, rows: int = 400) -> pd.DataFrame:
    """Orders of one day, as pandas writes them: an index column, times as text, some NaN."""
    draw = np.random.default_rng(seed)
    seconds = np.sort(draw.random(rows)) * 86400
    frame = pd.DataFrame(
        {
            "created_at": (pd.Timestamp(day) + pd.to_timedelta(seconds, unit="s")).strftime(
                "%Y-%m-%d %H:%M:%S"
            ),
            "amount": draw.lognormal(4, 1, rows) * factor,
            "country": draw.choice(["de", "fr", "it"], rows),
        }
    )
    frame.loc[draw.random(rows) < 0.02, "amount"] = np.nan
    return frame


@pytest.fixture
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with train.csv and three days in data/."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    production("2026-01-01", 1, rows=3000).to_csv("train.csv")
    for number, factor in enumerate((1.0, 1.0, 3.0)):
        day = f"2026-03-0{number + 1}"
        production(day, number + 2, factor).to_csv(f"data/{day}.csv")
    return tmp_path


INIT = ("init", "watch", "--name", "orders", "--reference", "train.csv", "--production")


def test_ten_minutes_to_ones_own_data(
    newcomer: Path, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = monitor(*INIT, "data/*.csv")
    assert (said.code, said.err) == (0, "")
    assert "the time of a row is in the column 'created_at'" in said.out
    assert "  cd watch" in said.out
    monkeypatch.chdir("watch")
    said = monitor("config", "check")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "monitor.yaml is in order",
        "  orders  windows of 1d, held against a reference, 1 expectation",
    ]
    said = monitor("backfill", "orders")
    assert said.code == 0
    first, second, third, last = said.out.splitlines()
    assert first.startswith("2026-03-01  Passed: 2 of 2 columns are as in training")
    assert second.startswith("2026-03-02  Passed: ")
    assert third.startswith("2026-03-03  Drifted: `amount` is ")
    assert last == "3 windows: 2 passed, 1 drifted"
    assert "orders: drift opened" not in said.err  # the past alerts nobody, unless asked to
    said = monitor("check", "orders", "--at", "2026-03-03", "--json", "-")
    assert said.code == 1
    assert "--again looks anew" in said.err
    kinds = {c["name"]: c["kind"] for c in said.json["columns"]}
    assert kinds == {
        "Unnamed: 0": "id", "created_at": "time", "amount": "number", "country": "category",
    }  # fmt: skip


def test_init_leaves_alone_what_exists(newcomer: Path, monitor: Monitor) -> None:
    assert monitor(*INIT, "data/*.csv").code == 0
    before = files(newcomer)
    said = monitor(*INIT, "data/*.csv")
    assert said.code == 64
    assert "watch/monitor.yaml exists and is left alone" in said.err
    assert files(newcomer) == before


def test_init_without_anything_is_a_project_in_order(newcomer: Path, monitor: Monitor) -> None:
    shutil.rmtree("data")
    said = monitor("init", "--json", "-")
    assert said.code == 0
    assert said.json == {
        "written": ["monitor.yaml", "expectations/my_model.json"],
        "time": "timestamp",
        "notes": [],
        "csv": {},
    }
    said = monitor("config", "check", "--json", "-")
    assert said.code == 0
    [found] = said.json["monitors"]
    assert found["monitor"] == "my_model"
    assert [note.partition(":")[0] for note in found["notes"]] == ["production", "reference"]
    assert "not there yet" in said.err


def test_init_writes_what_is_valid_whatever_the_names_are(newcomer: Path, monitor: Monitor) -> None:
    odd = "it's {odd} #1.csv"
    production("2026-03-01", 3).to_csv(odd)
    said = monitor("init", "a b/c", "--reference", odd, "--production", odd)
    assert said.code == 0
    config = yaml.safe_load(Path("a b/c/monitor.yaml").read_text())
    assert config["monitors"]["my_model"]["reference"] == f"../../{odd}"
    assert monitor("config", "check", "--config", "a b/c/monitor.yaml").code == 0


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("init w --name a/b", "'a/b' cannot name a monitor: use at most 64 letters, digits"),
        ("init train.csv", "train.csv cannot be written to: "),
        (
            "init w --production data/*.csv --time created",
            "there is no column named 'created'; there are: Unnamed: 0, amount, country, created_at"
            "\n  hint: did you mean 'created_at', the only column that tells a time?",
        ),
        (
            "init w --production data/*.csv --time country",
            "none of the first rows has a readable time in 'country' (the first is 'fr'); there "
            "are times in 'created_at'\n  hint: times are timestamps, ISO 8601 text, or seconds",
        ),
        (
            "init w --production timeless.csv",
            "no column of timeless.csv tells a time: a, b\n  hint",
        ),
        (
            "init w --production german.csv --separator ;",
            "no column of german.csv tells a time: at, n; not understood as a time: at has "
            "'12.11.2026 08:00:00'\n  hint: times are timestamps, ISO 8601 text, or seconds",
        ),
        (
            "init w --production german.csv --separator ; --time at",
            "none of the first rows has a readable time in 'at' (the first is '12.11.2026 08:00:00'"
            ")\n  hint: times are timestamps, ISO 8601 text, or seconds since 1970",
        ),
        ("init w --production german.csv", "hint: is its separator ';'? `--separator` or `csv: {"),
        (
            "init w --production latin.csv",
            "invalid UTF8 data\n  hint: name the encoding it was written in, as `--encoding",
        ),
        ("init w --later --separator ;;", "a CSV separator is one character, not ';;'"),
        ("init w --decimal ;", "decimal: should be '.' or ','"),
        ("init w --production twice.csv", "several columns of twice.csv tell a time: a, b\n  hint"),
    ],
)
def test_init_refuses_what_cannot_work(
    newcomer: Path, monitor: Monitor, line: str, told: str
) -> None:
    Path("timeless.csv").write_text("a,b\n1,2\n3,4\n")
    Path("german.csv").write_text("at;n\n12.11.2026 08:00:00;1,5\n13.11.2026 08:00:00;2,5\n")
    Path("latin.csv").write_text("at,city\n2026-11-12,Köln\n", encoding="latin-1")
    Path("twice.csv").write_text("a,b\n2026-01-01,2026-01-02\n2026-02-01,2026-02-02\n")
    before = files(newcomer)
    said = monitor(*line.split())
    assert (said.code, said.out) == (64, "")
    assert told in said.err
    assert files(newcomer) == before


WAY = {"separator": ";", "decimal": ","}


@pytest.mark.parametrize("german", ["train", "met", "both"])
def test_init_notes_how_each_side_is_written(
    newcomer: Path, monitor: Monitor, monkeypatch: pytest.MonkeyPatch, german: str
) -> None:
    for side in ("train", "met"):
        way = {"sep": ";", "decimal": ","} if german in (side, "both") else {}
        production("2026-03-01", 3, rows=300).to_csv(f"{side}.csv", index=False, **way)
    flags = ("--separator", ";", "--decimal", ",")
    said = monitor("init", "w", "--reference", "train.csv", "--production", "met.csv", *flags)
    assert (said.code, said.err) == (0, "")
    config = yaml.safe_load(Path("w/monitor.yaml").read_text())["monitors"]["my_model"]
    assert config["production"].get("csv", {}) == (WAY if german != "train" else {})
    trained = {"path": "../train.csv", "csv": WAY} if german != "met" else "../train.csv"
    assert config["reference"] == trained
    monkeypatch.chdir("w")
    said = monitor("check", "my_model", "--at", "2026-03-01", "--dry-run", "--json", "-")
    kinds = {column["name"]: column["kind"] for column in said.json["columns"]}
    assert said.code == 0 and kinds["amount"] == "number"


@pytest.mark.parametrize(
    ("train", "met"), [("utf-8", "latin-1"), ("latin-1", "utf-8"), ("latin-1", "latin-1")]
)
def test_init_takes_no_utf_8_for_another_encoding(
    newcomer: Path, monitor: Monitor, train: str, met: str
) -> None:
    for name, encoding in (("train.csv", train), ("met.csv", met)):
        Path(name).write_text("at,city\n2026-03-01 08:00:00,Köln\n", encoding=encoding)
    sides = ("--reference", "train.csv", "--production", "met.csv", "--encoding", "latin-1")
    said = monitor("init", "w", *sides, "--json", "-")
    named = {"reference": train, "production": met}
    told = {side: '{encoding: "latin-1"}' for side, way in named.items() if way != "utf-8"}
    assert (said.code, said.json["csv"]) == (0, told)


def test_init_says_nothing_of_csv_where_there_is_none(newcomer: Path, monitor: Monitor) -> None:
    monitor("reference", "freeze", "train.csv", "train.reference")
    sides = ("--reference", "train.reference", "--production", "to_come.parquet", "--later")
    said = monitor("init", "w", *sides, "--separator", ";", "--json", "-")
    assert (said.code, said.json["csv"]) == (0, {})


def test_init_looks_into_a_frozen_reference(newcomer: Path, monitor: Monitor) -> None:
    assert monitor("reference", "freeze", "train.csv", "train.reference").code == 0
    content = Path("train.reference").read_bytes()
    Path("damaged.reference").write_bytes(content[:-50])
    for name, told in (("damaged", "cut off or damaged"), ("trian", "there is no")):
        said = monitor("init", "watch", "--reference", f"{name}.reference")
        assert said.code == 64 and told in said.err and not Path("watch").exists()
    assert monitor("init", "watch", "--reference", "train.reference").code == 0


@pytest.mark.parametrize(("text", "told"), [("", "is empty (0 bytes)"), ("a,b\n", "has no rows")])
def test_init_refuses_training_data_without_rows(
    newcomer: Path, monitor: Monitor, text: str, told: str
) -> None:
    Path("none.csv").write_text(text)
    before = files(newcomer)
    said = monitor("init", "--reference", "none.csv")
    assert (said.code, said.out) == (64, "")
    assert "none.csv" in said.err and told in said.err
    assert files(newcomer) == before


def test_init_refuses_misspelt_data_and_names_what_is_near(
    newcomer: Path, monitor: Monitor
) -> None:
    before = files(newcomer)
    said = monitor("init", "watch", "--reference", "trian.csv", "--production", "dta/*.csv")
    assert (said.code, said.out) == (64, "")
    assert said.err.splitlines()[0] == "monitor: 2 mistakes"
    assert "  reference: there is no trian.csv; . has: data, train.csv" in said.err
    assert "  production: nothing matches dta/*.csv; . has: data, train.csv" in said.err
    assert "  hint: did you mean 'train.csv'?\n  hint: did you mean 'data'?" in said.err
    assert "nothing was written; --later begins before the data are there" in said.err
    assert files(newcomer) == before


def test_init_may_come_before_its_data(newcomer: Path, monitor: Monitor) -> None:
    said = monitor(*INIT, "incoming/*.csv", "--time", "at", "--later")
    assert (said.code, said.err) == (0, "")
    assert "not there yet  production: nothing matches incoming/*.csv; . has: " in said.out
    config = yaml.safe_load(Path("watch/monitor.yaml").read_text())
    assert config["monitors"]["orders"]["production"]["path"] == "../incoming/*.csv"


# --- Configuration ---


def test_all_mistakes_of_a_configuration_are_told_with_their_lines(
    newcomer: Path, monitor: Monitor
) -> None:
    Path("monitor.yaml").write_text(
        "monitors:\n"
        "  a:\n"
        "    production: {path: data, time: created_at}\n"
        "    drift: {tests: [chi_sqared]}\n"
        "  b:\n"
        "    production: {path: data, time: created_at}\n"
        "    expectations: nosuch.json\n"
        "    drift: {must_see: {psi: 0.05}}\n"
    )
    said = monitor("config", "check")
    assert (said.code, said.out) == (64, "")
    assert said.err.splitlines() == [
        "monitor: 3 mistakes",
        "  monitor.yaml:4: monitors.a.drift: there is no drift test named 'chi_sqared'; there are: "
        + said.err.partition("there are: ")[2].partition("\n")[0],
        "  monitor.yaml:7: monitors.b.expectations: there is no expectation suite "
        f"{newcomer / 'nosuch.json'}",
        "  monitor.yaml:8: monitors.b.drift: must_see of psi is 0.05, and effects up to its "
        "tolerance of 0.1 do not matter",
        "  hint: did you mean 'chi_squared'?",
        "  hint: an effect that must be seen lies above the tolerance; lower that as well",
    ]


@pytest.mark.parametrize(
    ("old", "new", "told", "hint"),
    [
        ("time: at}", "time: att}", "6: monitors.orders.production.time: there is no column named "
         "'att'; there are: age, amount, at, region",
         "did you mean 'at', the only column that tells a time?"),
        ("time: at}", "time: region}", "6: monitors.orders.production.time: none of the first "
         "rows has a readable time in 'region'; there are times in 'at'", "times are timestamps"),
        ("explorer: never", "drift: {segments: [regoin]}", "monitors.orders.drift: the reference "
         "has no column 'regoin' (drift); there are: at, amount", "'region' for 'regoin'"),
        ("explorer: never", "drift: {importance: w.csv}", "monitors.orders.drift.importance: the "
         "reference has no column 'amonut' (drift.importance)", "'amount' for 'amonut'"),
        ("explorer: never", "model: {label: lable}", "monitors.orders.model: the reference has no "
         "column 'lable' (model)", ""),
        ("reference: reference.parquet", "reference: {from: 2026-03-02, to: 2026-03-04}\n"
         "    columns: {reg: {critical: true}}", "monitors.orders.columns: the reference has no "
         "column 'reg' (columns)", "'region' for 'reg'"),
    ],
    ids=["time", "timeless", "segment", "weight", "model", "range"],
)  # fmt: skip
def test_names_that_the_data_do_not_know_are_mistakes(
    project: Path, monitor: Monitor, old: str, new: str, told: str, hint: str
) -> None:
    Path("w.csv").write_text("column,importance\namonut,3\n")
    config = project / "monitor.yaml"
    assert monitor("config", "check").out.startswith("monitor.yaml is in order\n")
    config.write_text(config.read_text().replace(old, new))
    said = monitor("config", "check")
    assert (said.code, said.out) == (64, "")
    assert told in said.err and hint in said.err


def test_data_that_are_not_there_are_told_and_no_mistake(project: Path, monitor: Monitor) -> None:
    config = project / "monitor.yaml"
    text = config.read_text()
    config.write_text(text.replace("reference: reference.parquet", "reference: referense.parquet"))
    said = monitor("config", "check")
    assert said.code == 0
    first, _, title, note = said.out.splitlines()
    assert first == "monitor.yaml has no mistake that shows without the data below"
    assert title == "not there yet, or not to be reached:"
    assert "reference: there is no" in note
    assert note.endswith(f"(did you mean '{project / 'reference.parquet'}'?)")
    sql = "{sql: {url: sqlite:///none.db, table: t}, time: at}"
    config.write_text(text.replace("{path: data/*.parquet, time: at}", sql))
    said = monitor("config", "check")
    assert said.code == 0 and "production: " in said.out and "none.db" in said.out


def test_files_that_are_not_like_the_others_are_told(
    newcomer: Path, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert monitor(*INIT, "data/*.csv").code == 0
    second = Path("data/2026-03-02.csv")
    second.write_text(second.read_text().replace("amount", "Amount_usd", 1))
    Path("data/2026-03-03.csv").write_bytes(b"")
    monkeypatch.chdir("watch")
    said = monitor("config", "check")
    assert said.code == 0
    assert said.out.splitlines() == [
        "monitor.yaml has no mistake, but its data are uneven",
        "  orders  windows of 1d, held against a reference, 1 expectation",
        "files that are not like the others:",
        "  orders  production: 1 of 3 files is empty: 2026-03-03.csv",
        "  orders  production: 1 of 2 files has no column `amount`: 2026-03-02.csv; it has "
        "`Amount_usd`, which no other file has",
    ]
    told = monitor("config", "check", "--json", "-").json["monitors"][0]
    assert told["notes"] == [] and len(told["uneven"]) == 2
    said = monitor("check", "orders", "--at", "2026-03-02", "--dry-run")
    assert said.code == 2 and "the rows of the window are those of 2026-03-02.csv" in said.out
    assert "1 of 3 files is empty: 2026-03-03.csv" in said.out


def test_a_file_that_cannot_be_read_hides_no_mistake(
    newcomer: Path, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert monitor(*INIT, "data/*.csv").code == 0
    Path("data/2026-03-02.csv").write_text("a,a\n1,2\n")  # neither the first file nor the last
    monkeypatch.chdir("watch")
    [told] = monitor("config", "check", "--json", "-").json["monitors"]
    [note] = told["notes"]
    assert note.startswith("production: ") and "two columns have the same name: 'a'" in note
    config = Path("monitor.yaml")
    config.write_text(config.read_text().replace("created_at", "country"))
    said = monitor("config", "check")
    assert said.code == 64 and "'country'" in said.err


def test_a_time_that_was_to_be_compared_is_told_to_be_left_out(
    project: Path, monitor: Monitor
) -> None:
    told = "notice at tells the time of a row and is not compared"
    line = ("check", "orders", "--at", "2026-03-02", "--dry-run")
    assert "tells the time" not in monitor(*line).out
    config = project / "monitor.yaml"
    text = config.read_text()
    for wanted in ("drift: {columns: [at, amount]}", "columns: {at: {importance: 3}}"):
        config.write_text(text.replace("explorer: never", f"explorer: never\n    {wanted}"))
        said = monitor(*line)
        assert said.code == 0
        assert told in " ".join(said.out.split())


def test_a_configuration_elsewhere(
    made: Path, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made.parent)
    for config in (made / "monitor.yaml", (made / "monitor.yaml").relative_to(made.parent)):
        assert monitor("config", "check", "--config", str(config)).code == 0
        said = monitor("check", "orders", "--at", "2026-03-02", "--config", str(config))
        assert said.code == 0
        assert str(made / "reports" / "orders-20260302T0000") in said.out
    said = monitor("check", "orders")
    assert said.code == 64
    assert said.err == (
        "monitor: there is no configuration monitor.yaml\n"
        "  hint: `monitor init` writes one to start from\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        "check order", "backfill order", "retrain order --why x", "reference build order",
        "reference list order", "reference show order",
    ],
)  # fmt: skip
def test_an_unknown_monitor(checked: Path, monitor: Monitor, line: str) -> None:
    said = monitor(*line.split())
    assert (said.code, said.out) == (64, "")
    assert "there is no monitor named 'order'; there are: orders" in said.err
    assert "did you mean 'orders'?" in said.err


# --- check ---


def test_a_stored_window_answers_with_its_stored_result(checked: Path, monitor: Monitor) -> None:
    before = files(checked)
    first = monitor("check", "orders", "--at", "2026-03-05", "--json", "-")
    assert first.code == 1
    SCHEMA.validate(first.json)
    assert first.json["monitor"] == "orders"
    assert first.json["window"]["start"] == "2026-03-05T00:00:00+00:00"
    assert first.json["expectations"]["evaluated"] == 1
    assert "stored:" in first.err
    second = monitor("check", "orders", "--at", "2026-03-05T23:59", "--json", "-")
    assert (second.code, second.json) == (1, first.json)
    assert files(checked) == before
    assert monitor("check", "orders", "--at", "2026-03-05", "--exit-zero").code == 0


def test_again_looks_anew(checked: Path, monitor: Monitor) -> None:
    first = monitor("check", "orders", "--at", "2026-03-03", "--json", "-")
    again = monitor("check", "orders", "--at", "2026-03-03", "--again", "--json", "-")
    assert again.code == first.code == 0
    assert again.json["id"] == first.json["id"] + "-2"
    assert "stored:" not in again.err
    assert monitor("check", "orders", "--at", "2026-03-03", "--json", "-").json == again.json


def test_exit_codes_of_check(project: Path, monitor: Monitor) -> None:
    assert monitor("check", "orders", "--at", "2026-03-02").code == 0
    assert monitor("check", "orders", "--at", "2026-03-06").code == 1
    config = project / "monitor.yaml"
    config.write_text(config.read_text().replace("    freshness: {max_age: 12h}\n", ""))
    said = monitor("check", "orders", "--at", "2026-01-06", "--json", "-")
    assert (said.code, said.json["headline"]) == (3, "Undecided: no rows in the window")
    lost = (project / "data" / "day1.parquet").read_bytes()
    (project / "data" / "day1.parquet").write_bytes(lost[:-100])
    said = monitor("check", "orders", "--at", "2026-03-03", "--json", "-")
    assert (said.code, said.json["verdict"]) == (3, "undecided")
    assert "day1.parquet" in said.json["headline"]
    (project / "data" / "day1.parquet").unlink()
    frame = pd.read_parquet(project / "data" / "day2.parquet").assign(amount=None)
    frame.to_parquet(project / "data" / "day2.parquet")
    said = monitor("check", "orders", "--at", "2026-03-04", "--json", "-")
    assert (said.code, said.json["verdict"]) == (2, "violated")


def test_no_rows_say_when_the_last_one_came(project: Path, monitor: Monitor) -> None:
    said = monitor("check", "orders", "--at", "2026-04-01", "--dry-run")
    assert said.code == 2  # freshness is promised
    assert "newest:  the last row before is of 2026-03-07 23:" in said.out


@pytest.mark.parametrize("reference", ["file", "range"])
def test_a_dry_run_leaves_nothing_behind(project: Path, monitor: Monitor, reference: str) -> None:
    if reference == "range":
        config = project / "monitor.yaml"
        text = config.read_text().replace(
            "reference: reference.parquet", "reference: {from: 2026-03-02, to: 2026-03-04}"
        )
        config.write_text(text)
    before = files(project)
    said = monitor("check", "orders", "--at", "2026-03-06", "--dry-run", "--json", "-")
    assert said.code == 1
    SCHEMA.validate(said.json)
    assert "opened" not in said.err
    assert "report:" not in said.err
    assert files(project) == before
    assert not (project / "reports").exists()


def test_a_dry_run_on_a_project_with_a_past(checked: Path, monitor: Monitor) -> None:
    before = files(checked)
    stored = monitor("check", "orders", "--at", "2026-03-05", "--json", "-").json
    said = monitor("check", "orders", "--at", "2026-03-05", "--dry-run", "--json", "-")
    assert (said.code, said.json["columns"]) == (1, stored["columns"])
    assert monitor("check", "orders", "--at", "2026-03-05", "--json", "-").json == stored
    assert files(checked) == before


def test_a_window_that_is_not_complete_is_refused(project: Path, monitor: Monitor) -> None:
    tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
    said = monitor("check", "orders", "--at", tomorrow)
    assert (said.code, said.out) == (64, "")
    assert f"the window of {tomorrow} is complete at" in said.err
    assert "hint: without --at the latest complete window is checked" in said.err
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    said = monitor("check", "orders", "--at", today)
    assert "--dry-run looks at what is there" in said.err
    assert monitor("check", "orders", "--at", today, "--dry-run").code == 2
    said = monitor("check", "orders", "--at", "yesterday")
    assert said.code == 64
    assert "'yesterday' is not a time\n  hint: write 2026-03-01" in said.err


def test_a_column_that_the_reference_does_not_have(project: Path, monitor: Monitor) -> None:
    config = project / "monitor.yaml"
    config.write_text(config.read_text() + "    columns: {amonut: {importance: 2}}\n")
    said = monitor("check", "orders", "--at", "2026-03-02")
    assert said.code == 64
    assert "the reference has no column 'amonut' (columns); there are: at, amount" in said.err
    assert "hint: did you mean 'amount' for 'amonut'?" in said.err


# --- backfill ---


def test_backfill_skips_what_is_stored(checked: Path, monitor: Monitor) -> None:
    before = files(checked / "reports")
    said = monitor("backfill", "orders", "--json", "-")
    assert said.code == 0
    assert [w["verdict"] for w in said.json] == ["passed"] * 2 + ["drifted"] * 4
    assert said.json[0].keys() == {"id", "window", "verdict", "headline", "rows", "report"}
    assert "6 windows: 4 drifted, 2 passed (6 stored before; --again looks anew)" in said.err
    assert files(checked / "reports") == before
    said = monitor("backfill", "orders", "--again", "--to", "2026-03-03", "--json", "-")
    assert [w["id"] for w in said.json] == ["orders-20260302T0000-20260303T0000-2"]


def test_backfill_tells_people_when_asked_to(project: Path, monitor: Monitor) -> None:
    said = monitor("backfill", "orders", "--tell")
    assert said.code == 0 and "drift opened" in said.err and "nobody is told" not in said.out
    said = monitor("backfill", "orders", "--again", "--tell", "--to", "2026-03-05")
    assert "3 windows are older than the newest that was checked before (2026-03-07)" in said.out
    assert "drift opened" not in said.err


def test_backfill_takes_a_range(project: Path, monitor: Monitor) -> None:
    said = monitor("backfill", "orders", "--from", "2026-03-03", "--to", "2026-03-05")
    assert [line.split()[0] for line in said.out.splitlines()] == ["2026-03-03", "2026-03-04", "2"]
    said = monitor("backfill", "orders", "--from", "2026-03-03", "--to", "2026-03-03T05:00")
    assert (said.code, said.out) == (0, "there is no complete window in this range\n")
    for ends in (("--from", "2026-03-05", "--to", "2026-03-03"), ("--from", "2027-01-01")):
        said = monitor("backfill", "orders", *ends)
        assert (said.code, said.out) == (64, "")
        assert "which is not before" in said.err
    Path("data").rename("gone")
    assert "nothing matches" in monitor("backfill", "orders").err


def test_progress_is_shown_on_a_terminal_and_not_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, monitor: Monitor
) -> None:
    write_project(tmp_path, suite=False)
    monkeypatch.chdir(tmp_path)
    quiet = monitor("backfill", "orders", "--to", "2026-03-03")
    assert (quiet.code, quiet.err) == (0, "")
    reader, writer = pty.openpty()
    command = [sys.executable, "-m", "monitor", "backfill", "orders", "--to", "2026-03-04"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=writer) as run:
        os.close(writer)
        shown = b""
        with suppress(OSError):  # the terminal is gone when the process is
            while more := os.read(reader, 65536):  # a terminal holds little: nobody may wait for it
                shown += more
    os.close(reader)
    assert run.returncode == 0 and b"orders" in shown


def test_long_reasons_wrap_within_their_column_on_a_terminal(checked: Path) -> None:
    reader, writer = pty.openpty()
    command = [sys.executable, "-m", "monitor", "check", "orders", "--at", "2026-03-05"]
    done = subprocess.run(command, stdout=writer, check=False, env={**os.environ, "COLUMNS": "60"})
    os.close(writer)
    lines = os.read(reader, 65536).decode().splitlines()
    os.close(reader)
    assert done.returncode == 1
    at = next(i for i, line in enumerate(lines) if line.startswith("  drifted"))
    assert max(map(len, lines[at : at + 2])) <= 60
    start = lines[at].index("amount") + len("amount  ")
    assert lines[at + 1][:start].strip() == "" and lines[at + 1][start] != " "


# --- report ---


def test_a_report_is_drawn_again(checked: Path, monitor: Monitor) -> None:
    [page] = (checked / "reports").glob("orders-20260305*.html")
    drawn = page.read_text()
    page.unlink()
    said = monitor("report", page.stem, "--json", "-")
    assert said.code == 0
    SCHEMA.validate(said.json)
    assert said.err == f"report: {page}\n"
    assert page.read_text().partition("<title>")[2][:60] == drawn.partition("<title>")[2][:60]
    assert monitor("report", page.stem, "--html", "mine.html").out == "report: mine.html\n"
    assert Path("mine.html").read_text().startswith("<!doctype html>")


def test_a_report_of_no_check(checked: Path, monitor: Monitor) -> None:
    said = monitor("report", "orders-20260305T0000-20260306T000")
    assert said.code == 64
    assert "did you mean 'orders-20260305T0000-20260306T0000'?" in said.err
    for begun in ("orders-20260303", "orders-2026-03-03", "2026-03-03", "2026-03-03T00:00"):
        said = monitor("report", begun)
        assert "did you mean 'orders-20260303T0000-20260304T0000'?" in said.err, begun
    assert " ids begin so: orders-2026030" in monitor("report", "orders-2026").err
    said = monitor("report", "2020-01-01")
    assert "hint: `monitor check NAME --at TIME` ends by naming the id of its check" in said.err
    assert "cannot be written" in monitor("report", "x", "--html", "no/such.html").err


# --- reference ---


def test_the_reference_is_built_listed_and_shown(project: Path, monitor: Monitor) -> None:
    said = monitor("reference", "show", "orders")
    assert said.code == 64
    assert "`monitor reference build orders` makes one" in said.err
    assert "has no reference yet" in monitor("reference", "list", "orders").out
    built = monitor("reference", "build", "orders", "--json", "-").json
    assert built["version"].startswith("sha256:")
    assert (built["rows"], built["current"]) == (5000, True)
    assert built["columns"]["region"] == {"kind": "category", "dtype": "string"}
    assert monitor("reference", "list", "orders", "--json", "-").json == [built]
    assert monitor("reference", "show", "orders", "--json", "-").json == built
    shown = monitor("reference", "show", "orders").out.splitlines()
    assert shown[0] == f"{built['version']}, 5000 rows from reference.parquet"
    assert ["at", "time", "time"] in [line.split() for line in shown]


def test_a_reference_that_changed_is_refused_until_it_is_built(
    checked: Path, monitor: Monitor
) -> None:
    frame = pd.read_parquet("reference.parquet")
    frame.head(4000).to_parquet("reference.parquet")
    for line in ("check orders --at 2026-03-02 --again", "check orders --at 2026-02-02 --dry-run"):
        said = monitor(*line.split())
        assert (said.code, said.out) == (64, "")
        assert "the reference of orders is not the one that was frozen on" in said.err
        assert "`monitor reference build orders` accepts it" in said.err
    assert monitor("check", "orders", "--at", "2026-03-02").code == 0  # stored, so still told
    assert monitor("reference", "build", "orders").code == 0
    versions = monitor("reference", "list", "orders", "--json", "-").json
    assert [v["current"] for v in versions] == [True, False]
    assert [v["rows"] for v in versions] == [4000, 5000]
    again = monitor("check", "orders", "--at", "2026-03-02", "--again", "--json", "-")
    assert again.json["reference"] == {"version": versions[0]["version"], "rows": 4000}


def version_held(monitor: Monitor, day: str) -> str:
    said = monitor("check", "orders", "--at", day, "--again", "--json", "-")
    assert "reference" in (said.json or {}), said.err
    version: str = said.json["reference"]["version"]
    return version


def test_a_promoted_reference_holds_until_other_data_are_configured(
    checked: Path, monitor: Monitor
) -> None:
    config = checked / "monitor.yaml"
    first = version_held(monitor, "2026-03-02")
    newer = pd.read_parquet("reference.parquet").head(4000)
    newer.to_parquet("newer.parquet")
    config.write_text(config.read_text().replace("reference.parquet", "newer.parquet", 1))
    assert monitor("reference", "build", "orders").code == 0
    second = version_held(monitor, "2026-03-02")
    assert second != first
    assert monitor("reference", "promote", "orders", first, "--why", "it was better").code == 0
    assert version_held(monitor, "2026-03-02") == version_held(monitor, "2026-03-03") == first
    newer.head(3000).to_parquet("newer.parquet")
    said = monitor("check", "orders", "--at", "2026-03-02", "--again")
    assert (said.code, said.out) == (64, "")
    assert "`monitor reference build orders` accepts it" in said.err
    newer.to_parquet("newer.parquet")
    assert version_held(monitor, "2026-03-02") == first
    assert monitor("reference", "build", "orders").code == 0
    assert version_held(monitor, "2026-03-02") == second


def test_a_promoted_reference_is_read_as_its_files_are_written(
    project: Path, monitor: Monitor
) -> None:
    """Also where it lies beside the snapshots that are ours."""
    config, folder = project / "monitor.yaml", project / "reference_data"
    text, frame = config.read_text(), pd.read_parquet("reference.parquet")
    folder.mkdir()
    versions = []
    for name, count in (("old", 5000), ("new", 4000)):
        frame.head(count).to_csv(folder / f"{name}.csv", sep=";", index=False)
        written = f"{{path: reference_data/{name}.csv, csv: {{separator: ';'}}}}"
        config.write_text(text.replace("reference.parquet", written, 1))
        versions.append(monitor("reference", "build", "orders", "--json", "-").json["version"])
    said = monitor("reference", "promote", "orders", versions[0], "--why", "it was better")
    assert said.code == 0, said.err
    assert version_held(monitor, "2026-03-02") == versions[0]


def test_a_reference_whose_rows_are_gone_is_not_promoted(checked: Path, monitor: Monitor) -> None:
    first = version_held(monitor, "2026-03-02")
    pd.read_parquet("reference.parquet").head(4000).to_parquet("reference.parquet")
    assert monitor("reference", "build", "orders").code == 0
    second = version_held(monitor, "2026-03-02")
    said = monitor("reference", "promote", "orders", first, "--why", "it was better")
    assert said.code == 64
    assert f"reference {first[:19]} of orders cannot be held against" in said.err
    assert "reference.parquet holds other data now" in said.err
    assert version_held(monitor, "2026-03-02") == second


def test_a_range_that_was_frozen_before_is_promoted(project: Path, monitor: Monitor) -> None:
    config = project / "monitor.yaml"
    text = config.read_text()
    versions = []
    for start in ("2026-03-02", "2026-03-03"):
        config.write_text(text.replace("reference.parquet", f"{{from: {start}, to: 2026-03-05}}"))
        versions.append(monitor("reference", "build", "orders", "--json", "-").json["version"])
    assert version_held(monitor, "2026-03-06") == versions[1]
    monitor("reference", "promote", "orders", versions[0], "--why", "the longer one")
    assert version_held(monitor, "2026-03-06") == versions[0]


def test_a_range_of_production_is_frozen_as_a_snapshot(project: Path, monitor: Monitor) -> None:
    config = project / "monitor.yaml"
    text = config.read_text()
    config.write_text(text.replace("reference.parquet", "{from: 2026-03-02, to: 2026-03-04}", 1))
    assert monitor("check", "orders", "--at", "2026-03-06").code == 1
    stored = monitor("reference", "show", "orders", "--json", "-").json
    assert stored["rows"] == 1600
    assert "from 2026-03-02T00:00:00+00:00 to 2026-03-04T00:00:00+00:00" in stored["origin"]
    assert len(list((project / "reference_data" / "orders").iterdir())) == 1
    (project / "data" / "day0.parquet").unlink()  # production goes, the snapshot stays
    assert monitor("check", "orders", "--at", "2026-03-07").code == 1
    config.write_text(text.replace("reference.parquet", "{from: 2026-03-03, to: 2026-03-04}", 1))
    said = monitor("check", "orders", "--at", "2026-03-05")
    assert said.code == 64
    assert "monitor reference build orders" in said.err


def test_a_reference_that_is_not_there(project: Path, monitor: Monitor) -> None:
    (project / "reference.parquet").unlink()
    said = monitor("check", "orders", "--at", "2026-03-02")
    assert (said.code, said.out) == (64, "")
    assert "there is no" in said.err and "reference.parquet" in said.err
    config = project / "monitor.yaml"
    config.write_text(config.read_text().replace("    reference: reference.parquet\n", ""))
    said = monitor("reference", "build", "orders")
    assert said.code == 64
    assert "monitor orders has no reference\n  hint: configure `reference: PATH`" in said.err


# --- retrain ---


@pytest.fixture
def trainer() -> Iterator[Receiver]:
    with Receiver(SECRET) as receiver:
        yield receiver


def test_a_new_model_is_asked_for_by_hand(
    tmp_path: Path, trainer: Receiver, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path, trainer=trainer.url)
    monkeypatch.chdir(tmp_path)
    said = monitor("retrain", "orders", "--why", "new products", "--json", "-")
    assert said.code == 0
    assert (said.json["monitor"], said.json["state"]) == ("orders", "delivered")
    assert said.err == f"retrain request {said.json['request_id']}: delivered\n"
    [request] = trainer.acted_on
    assert request["request_id"] == said.json["request_id"]
    assert "new products" in " ".join(request["reasons"])


def test_a_training_system_that_is_away_gets_its_request_later(
    tmp_path: Path, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path, trainer="http://127.0.0.1:9/hook")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("monitor.cli.monitors.DELIVER_S", 0.2)
    said = monitor("retrain", "orders", "--why", "x", "--json", "-", "-v")
    assert (said.code, said.json["state"]) == (0, "requested")
    assert "it stays in the outbox" in said.err
    assert SECRET not in said.err + said.out


def test_a_monitor_without_a_training_system(checked: Path, monitor: Monitor) -> None:
    said = monitor("retrain", "orders", "--why", "x")
    assert said.code == 64
    assert "monitor orders has no training system to ask\n  hint: configure `retrain: " in said.err


# --- Secrets ---


def test_secrets_are_neither_told_nor_kept(
    project: Path, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {"HOOK": "http://127.0.0.1:9/s3cret-path", "TOKEN": "xoxb-s3cret", "KEY": "s3cret"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("monitor.cli.monitors.DELIVER_S", 0.2)
    config = project / "monitor.yaml"
    config.write_text(
        config.read_text() + "alerts:\n"
        "  slack: {token: ${TOKEN}, channel: c, api_url: 'http://127.0.0.1:9/'}\n"
        "  webhook: {url: ${HOOK}, secret: ${KEY}}\n"
    )
    for line in ("check orders --at 2026-03-06 -v --json -", "config check -v"):
        said = monitor(*line.split())
        assert said.code in (0, 1)
        assert "s3cret" not in said.out + said.err
    for path in project.rglob("*"):
        if path.is_file():
            assert b"s3cret" not in path.read_bytes(), path


# --- The store ---


def test_a_store_that_cannot_be_used_is_our_fault_to_tell(project: Path, monitor: Monitor) -> None:
    (project / "monitor.db").write_bytes(b"this is no database at all, " * 100)
    said = monitor("check", "orders", "--at", "2026-03-02")
    assert (said.code, said.out) == (70, "")
    assert "monitor.db" in said.err
