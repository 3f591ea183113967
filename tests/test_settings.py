"""monitor.yaml: what loads, what is refused, where the mistake is, and what is never shown."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.configuration.comparing import DriftSettings
from monitor.configuration.datasets import SourceSettings
from monitor.configuration.mistakes import checked
from monitor.core.columns import Kind
from monitor.core.windows import Span
from monitor.errors import AskedWrongly, ConfigError, PathNotFound, UnknownName
from monitor.settings import RangeSettings, Settings, datasets_folder, load_settings

SECRETS = {
    "SLACK_BOT_TOKEN": "xoxb-very-secret",
    "WEBHOOK_SECRET": "hook-secret",
    "RETRAIN_SECRET": 'tricky: "secret" }, {x: [y',
}

# As the documentation prints it.
EXAMPLE = """\
store: sqlite:///monitor.db            # or postgresql+psycopg://...
reports: reports/                      # or an fsspec URL
alerts:
  slack: {token: ${SLACK_BOT_TOKEN}, channel: "#ml-alerts"}
  webhook: {url: ..., secret: ${WEBHOOK_SECRET}}
monitors:
  car_loan:
    reference: reference_data/car_loan/reference.parquet
    production: {path: "data/car_loan/*.parquet", time: timestamp}
    schedule: {every: 1h}              # or {cron: "5 * * * *", timezone: Europe/Berlin}
    window: 1d                         # tumbling, aligned to local midnight
    lateness: 10m                      # wait this long before a window counts as complete
    sample: {rows: 100000, method: reservoir}
    expectations: expectations/car_loan.json
    freshness: {max_age: 2h}
    volume: {min_rows: 100}
    columns: {id: {kind: id}, salary_range: {kind: category, importance: 2}, \
y_pred_proba: {critical: true}}
    show_values: levels                # never | levels | all: in reports, alerts, logs, exports
    explorer: on_open                  # never | on_open | on_breach | always: the Evidently page
    drift: {tests: [ks, psi], tolerance: {psi: 0.1, ks: 0.1}, must_see: {psi: 0.5, ks: 0.35}, \
alpha: 0.01}
    model: {prediction: y_pred, probability: y_pred_proba, label: repaid, id: id}
    retrain:
      url: https://trainer.example/hook
      secret: ${RETRAIN_SECRET}
      when: {any: [{drifted_share: 0.3}, {column: y_pred_proba}, METRIC\
{column_change: {column: age, statistic: mean, by: 1}}]}
      unless: [violated]               # broken data never asks for a new model
      confirm: 2                       # consecutive windows
      cooldown: 7d
"""
MINIMAL = "monitors: {loans: {production: {path: data, time: t}}}\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "monitor.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def load(folder: Path, text: str, **environment: str) -> Settings:
    return load_settings(write(folder, text), **environment)


def refused(folder: Path, text: str, **environment: str) -> str:
    """The message, with the folder left out, and the hint."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text, **environment)
    told = str(caught.value).replace(f"{folder}/", "")
    return f"{told} ({caught.value.hint})" if caught.value.hint else told


def monitor(body: str) -> str:
    """A configuration of one monitor; `body` begins on line 4."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return f"monitors:\n  loans:\n    production: {{path: data/*.csv, time: t}}\n{lines}\n"


# --- What loads ---


def test_the_documented_example_loads_as_it_is_printed(tmp_path: Path) -> None:
    settings = load(tmp_path, EXAMPLE.replace("METRIC", ""), **SECRETS)
    assert settings.alerts.slack is not None
    assert settings.alerts.slack.token.get_secret_value() == "xoxb-very-secret"
    assert settings.alerts.slack.channel == "#ml-alerts"
    assert settings.alerts.webhook is not None
    assert settings.alerts.webhook.url == "..."
    loans = settings.monitor("car_loan")
    assert loans.name == "car_loan"
    assert loans.reference == SourceSettings(path="reference_data/car_loan/reference.parquet")
    assert loans.window == Span(1, "d")
    assert loans.schedule.every == Span(1, "h")
    assert loans.columns["salary_range"].kind is Kind.CATEGORY
    assert loans.drift.must_see == {"psi": 0.5, "ks": 0.35}
    assert loans.retrain is not None
    assert loans.retrain.secret.get_secret_value() == SECRETS["RETRAIN_SECRET"]
    assert loans.retrain.cooldown.duration == timedelta(days=7)


def test_a_condition_that_is_not_known_names_those_that_are(tmp_path: Path) -> None:
    text = EXAMPLE.replace("METRIC", "{metric: roc_auc, below: 0.95}, ")
    assert refused(tmp_path, text, **SECRETS) == (
        "monitor.yaml:25: monitors.car_loan.retrain.when.any.2: a condition is one of "
        "drifted_share, column, column_change, every; this one has metric, below"
    )


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load(tmp_path, MINIMAL)
    assert settings.root == tmp_path
    assert settings.path("reports/") == tmp_path / "reports"
    assert settings.path("/abs") == Path("/abs")


def test_a_range_of_production_is_a_reference(tmp_path: Path) -> None:
    text = monitor("reference: {from: 2011-01-01, to: 2012-01-01T12:00+02:00}")
    reference = load(tmp_path, text).monitor("loans").reference
    assert isinstance(reference, RangeSettings)
    window = reference.window(UTC)
    assert window.start == datetime(2011, 1, 1, tzinfo=UTC)
    assert window.end == datetime(2012, 1, 1, 10, tzinfo=UTC)


def test_words_that_old_yaml_takes_for_something_else_stay_words(tmp_path: Path) -> None:
    text = monitor("columns: {no: {kind: id}, 2019: {}, on: {}, 2020-01-01: {}}")
    columns = load(tmp_path, text).monitor("loans").columns
    assert list(columns) == ["no", "2019", "on", "2020-01-01"]


def test_anchors_and_merges_work(tmp_path: Path) -> None:
    text = (
        "monitors:\n"
        "  a: &a {production: {path: x, time: t}, window: 1h}\n"
        "  b: {<<: *a, window: 2h}\n"
    )
    settings = load(tmp_path, text)
    assert str(settings.monitor("b").window) == "2h"
    assert settings.monitor("b").production == settings.monitor("a").production


@pytest.mark.parametrize("text", ["1e-3", "0.001", ".001"])
def test_numbers_are_read_as_people_write_them(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, monitor(f"drift: {{alpha: {text}}}")).monitor("loans").drift.alpha == 1e-3


def test_waiting_for_nothing_is_allowed(tmp_path: Path) -> None:
    assert not load(tmp_path, monitor("lateness: 0")).monitor("loans").lateness.duration


@pytest.mark.parametrize(
    ("written", "read"), [("0.2", 0.2), ("{psi: 0.2}", {"psi": 0.2}), ("1", 1.0)]
)
def test_a_threshold_is_one_number_or_one_a_test(tmp_path: Path, written: str, read: Any) -> None:
    settings = load(tmp_path, monitor(f"drift: {{threshold: {written}}}"))
    assert settings.monitor("loans").drift.threshold == read


@pytest.mark.parametrize(
    ("written", "checks"), [("1 per 90d", 90), ("2 per 1w", 3.5), ("3 per 1mo", 10)]
)
def test_a_budget_of_alarms_is_a_number_of_checks(
    tmp_path: Path, written: str, checks: float
) -> None:
    drift = load(tmp_path, monitor(f"drift: {{false_alarms: {written}}}")).monitor("loans").drift
    assert drift.false_alarms is not None
    assert str(drift.false_alarms) == written
    assert drift.false_alarms.checks_per_alarm(timedelta(days=1)) == checks


def test_an_unknown_monitor_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="no monitor named 'loan'; there are: loans") as caught:
        load(tmp_path, MINIMAL).monitor("loan")
    assert caught.value.hint == "did you mean 'loans'?"


# --- The environment ---


@pytest.mark.parametrize(
    "line",
    [
        "store: sqlite:///${NAME}",
        "store: 'sqlite:///${NAME}'",
        'store: "sqlite:///${NAME}"',
        "store: >-\n  sqlite:///${NAME}",
        "{store: sqlite:///${NAME}, " + MINIMAL.strip() + "}",
    ],
    ids=["plain", "single", "double", "folded", "flow"],
)
def test_a_variable_is_text_wherever_it_stands(tmp_path: Path, line: str) -> None:
    value = "a b # c: {d} [e] 'f' \"g\" ${HOME} \\n\nmonitors: none"
    text = line if line.startswith("{") else f"{line}\n{MINIMAL}"
    settings = load(tmp_path, text, NAME=value)
    assert settings.store == f"sqlite:///{value}"
    assert list(settings.monitors) == ["loans"]


@pytest.mark.parametrize(
    ("written", "read"),
    [("${X:-}", ""), ("${X:-a b, c: d}", "a b, c: d"), ("${X:-http://h:9/}", "http://h:9/")],
)
def test_a_variable_may_have_a_default(tmp_path: Path, written: str, read: str) -> None:
    text = f"base_url: {written}\n{MINIMAL}"
    assert load(tmp_path, text).base_url == read
    assert load(tmp_path, text, X="").base_url == read
    assert load(tmp_path, text, X="set").base_url == "set"
    flow = f"{{base_url: {written}, {MINIMAL.strip()}}}"
    assert load(tmp_path, flow).base_url == read


def test_variables_in_comments_are_not_asked_for(tmp_path: Path) -> None:
    load(tmp_path, f"# ${{NOT_SET_ANYWHERE}}\n{MINIMAL}")


def test_a_variable_may_hold_a_number(tmp_path: Path) -> None:
    text = monitor("sample: {rows: ${ROWS}}")
    assert load(tmp_path, text, ROWS="500").monitor("loans").sample.rows == 500


def test_variables_that_are_not_set_are_all_told(tmp_path: Path) -> None:
    text = EXAMPLE.replace("METRIC", "").replace("window: 1d ", "windw: 1d")
    told = refused(tmp_path, text, WEBHOOK_SECRET="")
    assert told.splitlines()[:4] == [
        "monitor.yaml:4: alerts.slack.token: needs the environment variable SLACK_BOT_TOKEN, "
        "which is not set",
        "monitor.yaml:5: alerts.webhook.secret: needs the environment variable WEBHOOK_SECRET, "
        "which is empty",
        "monitor.yaml:11: monitors.car_loan.windw: unknown key; did you mean `window`?",
        "monitor.yaml:24: monitors.car_loan.retrain.secret: needs the environment variable "
        "RETRAIN_SECRET, which is not set (export SLACK_BOT_TOKEN=... before starting",
    ]


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    text = EXAMPLE.replace("METRIC", "").replace("sqlite:///monitor.db", "${STORE}")
    settings = load(tmp_path, text, **SECRETS, STORE="postgresql+psycopg://me:s3cret@db/x")
    shown = f"{settings!r} {settings} {settings.alerts!r} {settings.monitors!r} {settings.file}"
    for secret in (*SECRETS.values(), "s3cret"):
        assert secret not in shown


@pytest.mark.parametrize(
    "text",
    [
        f"store: ${{X}}\n{MINIMAL}",
        monitor("window: ${X}"),
        monitor("timezone: ${X}"),
        monitor("reference: {from: ${X}, to: 2012-01-01}"),
        monitor("schedule: {cron: ${X}}"),
        monitor("show_values: ${X}"),
        monitor("volume: {min_rows: ${X}}"),
        monitor("volume: ${X}"),
        "monitors: ${X}",
        f"alerts: {{slack: {{token: {{a: ${{X}}}}, channel: c}}}}\n{MINIMAL}",
    ],
)
def test_a_value_of_the_environment_is_not_in_an_error(tmp_path: Path, text: str) -> None:
    told = refused(tmp_path, text, X="hunter2-secret")
    assert "hunter2" not in told
    assert re.match(r"monitor.yaml:\d+: ", told)


def test_a_line_that_is_no_yaml_is_not_repeated(tmp_path: Path) -> None:
    told = refused(tmp_path, "alerts:\n  slack: {token: xoxb-plain: secret]\n")
    assert "xoxb" not in told
    assert told.startswith("monitor.yaml:2: this is not YAML (column ")


# --- What is refused, and how it is told ---

REFUSED = [
    ("schedul: {every: 1h}", "4: monitors.loans.schedul: unknown key; did you mean `schedule`?"),
    ("drift:\n  alhpa: 1", "5: monitors.loans.drift.alhpa: unknown key; did you mean `alpha`?"),
    ("alpha: 0.1", "4: monitors.loans.alpha: unknown key here; it belongs under `drift:`"),
    (
        "retrain: {url: http://a, secret: x, allow_private_addresses: [10.0.0.7]}",
        "4: monitors.loans.retrain.allow_private_addresses: unknown key here; it belongs at the "
        "top, not under `monitors.loans.retrain:`",
    ),
    ("base_url: x", "4: monitors.loans.base_url: unknown key here; it belongs at the top, not under"
     " `monitors.loans:`"),
    (
        "freshness: {hours: 2}",
        "4: monitors.loans.freshness.max_age: is required\n"
        "monitor.yaml:4: monitors.loans.freshness.hours: unknown key; known are max_age",
    ),
    ("drift: {alpha: 2}", "4: monitors.loans.drift.alpha: should be less than 0.5"),
    ("drift: {alpha: .nan}", "4: monitors.loans.drift.alpha: should be a finite number"),
    ("drift: {alpha: small}", "4: monitors.loans.drift.alpha: should be a number"),
    (
        "drift: {tolerance: {psi: -1}}",
        "4: monitors.loans.drift.tolerance.psi: should be greater than or equal to 0",
    ),
    ("drift: {tests: ks}", "4: monitors.loans.drift.tests: should be a list, like [a, b]"),
    (
        "drift: {threshold: {psi: x}}",
        "4: monitors.loans.drift.threshold.psi: should be a number",
    ),
    (
        "drift: {threshold: 0.1, p_value: 0.05}",
        "4: monitors.loans.drift: `p_value` and `threshold` are two different rules: choose one",
    ),
    (
        "drift: {false_alarms: 1}",
        "4: monitors.loans.drift.false_alarms: '1' is no budget of alarms; write `1 per 90d`",
    ),
    (
        "drift: {compare_with: yesterday}",
        "4: monitors.loans.drift.compare_with: should be 'reference', 'previous', "
        "'same_hour_last_week' or 'same_period_last_year'",
    ),
    (
        "step: 1h\ndrift: {false_alarms: 1 per 90d}",
        "2: monitors.loans: windows that overlap show the same rows again, and `false_alarms` adds "
        "up what windows show: choose a step as long as the window, or none",
    ),
    (
        "drift: {segments: [t]}",
        "2: monitors.loans: the time of a row cannot be a segment: every row has its own",
    ),
    ("columns: {age: {importance: 1e300}}",
     "4: monitors.loans.columns.age.importance: should be less than or equal to 1000000000"),
    ("volume: {min_rows: many}", "4: monitors.loans.volume.min_rows: should be a whole number"),
    ("volume: {min_rows: 1.5}", "4: monitors.loans.volume.min_rows: should be a whole number"),
    ("volume: 100", "4: monitors.loans.volume: should hold keys and values"),
    ("expectations: 3", "4: monitors.loans.expectations: should be text; a number or true needs "
     "quotes"),
    ("show_values: some", "4: monitors.loans.show_values: should be 'never', 'levels' or 'all'"),
    (
        "columns: {age: {kind: numeric}}",
        "4: monitors.loans.columns.age.kind: should be 'number', 'category', 'boolean', 'time', "
        "'text' or 'id'",
    ),
    (
        "window: 5x",
        "4: monitors.loans.window: '5x' is not a length of time; write 30s, 10m, 1h, 1d, 2w or 1mo",
    ),
    (
        "window: 60",
        "4: monitors.loans.window: '60' is not a length of time; write 30s, 10m, 1h, 1d, 2w or 1mo",
    ),
    (
        "timezone: Europe/Berln",
        "4: monitors.loans.timezone: there is no time zone 'Europe/Berln'; write Europe/Berlin",
    ),
    (
        "timezone: 5",
        "4: monitors.loans.timezone: there is no time zone 5; write one like Europe/Berlin",
    ),
    (
        "schedule: {every: 1h, cron: '5 * * * *'}",
        "4: monitors.loans.schedule: give either `every` (like 1h) or `cron` (like '5 * * * *')",
    ),
    ("columns:", "4: monitors.loans.columns: is empty: give it a value, or remove the key"),
    ("drift: {tests: [ks, ~]}", "4: monitors.loans.drift.tests.1: is empty; the word null needs "
     "quotes"),
    ("window: 1d\nwindow: 2d", "5: monitors.loans.window: stands here twice: on line 4 and on "
     "line 5"),
    ("name: x", "4: monitors.loans.name: unknown key: a monitor is named by its own key"),
    (
        "reference: {from: 2012-01-01, to: 2011-01-01}",
        "4: monitors.loans.reference: `from` must lie before `to`",
    ),
    (
        "reference: {from: 2012-01-01, to: 2011-01-01T00:00Z}",
        "4: monitors.loans.reference: `from` must lie before `to`",
    ),
    (
        "reference: {from: 2012-13-01, to: x}",
        "4: monitors.loans.reference.from: '2012-13-01' is not a time; "
        "write 2026-03-01 or 2026-03-01T12:00+01:00\n"
        "monitor.yaml:4: monitors.loans.reference.to: 'x' is not a time; "
        "write 2026-03-01 or 2026-03-01T12:00+01:00",
    ),
    ("reference: {from: 2012-01-01}", "4: monitors.loans.reference.to: is required"),
    (
        "reference: {pth: x}",
        "4: monitors.loans.reference.pth: unknown key; did you mean `path`?",
    ),
    ("sample: !!int many", "4: monitors.loans.sample: is not what its tag says: int"),
    ("sample: !mine {rows: 1}", None),
    (
        "expectations: ${A-B}",
        "4: monitors.loans.expectations: holds a `${` that is no variable; "
        "write ${NAME} or ${NAME:-default}",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("body", "told"), [r for r in REFUSED if r[1]], ids=lambda v: str(v)[:30])
def test_a_mistake_is_told_with_line_key_and_remedy(tmp_path: Path, body: str, told: str) -> None:
    assert refused(tmp_path, monitor(body)) == f"monitor.yaml:{told}"


@pytest.mark.parametrize("line", ["61 * * * *", "* * *", "hourly"])
def test_a_wrong_cron_line_is_told_at_its_place(tmp_path: Path, line: str) -> None:
    told = refused(tmp_path, monitor(f"schedule: {{cron: {line!r}}}"))
    assert told.startswith("monitor.yaml:4: monitors.loans.schedule.cron: ")


@pytest.mark.parametrize("section", ["alerts", "monitors", "alerts: {slack", "store"])
def test_an_empty_section_is_told(tmp_path: Path, section: str) -> None:
    text = "alerts: {slack: }\n" + MINIMAL if "{" in section else f"{section}:\n"
    text += MINIMAL if section in ("alerts", "store") else ""
    keys = section.replace(": {", ".")
    told = f"monitor.yaml:1: {keys}: is empty: give it a value, or remove the key"
    assert refused(tmp_path, text) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "monitor.yaml: expected keys like `monitors:`, found none "),
        ("- a\n- b\n", "monitor.yaml: expected keys like `monitors:`, found none "),
        ("store: memory://\n", "monitor.yaml:1: monitors: is required"),
        ("monitors: {}\n", "monitor.yaml:1: monitors: needs at least one entry"),
        ("monitors: [a]\n", "monitor.yaml:1: monitors: should hold keys and values"),
        ("monitors: a: b\n", "monitor.yaml:1: this is not YAML (column 12): mapping values"),
        ("a: [1\nb: 2\n", "monitor.yaml:2: this is not YAML"),
        ("monitors: {a: *b}\n", "monitor.yaml:1: this is not YAML (column 15): found undefined"),
        ("a: 1\n---\nb: 1\n", "monitor.yaml:2: this is not YAML"),
        ("a: \x00\n", "monitor.yaml: this is not YAML: unacceptable character"),
        (
            "a: &a [*a]\n" + MINIMAL,
            "monitor.yaml:1: a.0: refers to itself\nmonitor.yaml:1: a: unknown key",
        ),
        ("alerts: &a {slack: *a}\n" + MINIMAL, "monitor.yaml:1: alerts.slack: refers to itself"),
        ("? [a, b]\n: c\n" + MINIMAL, "monitor.yaml:1: the configuration: a key is one word"),
        ("root: /\n" + MINIMAL, "monitor.yaml:1: root: unknown key"),
        ("store: mysql://h/d\n" + MINIMAL, "monitor.yaml:1: store: is no address of a store; "),
        ("store: monitor.db\n" + MINIMAL, "monitor.yaml:1: store: is no address of a store; "),
    ],
)  # fmt: skip
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str, told: str) -> None:
    assert refused(tmp_path, text).startswith(told)


def test_an_unquoted_cron_line_is_explained(tmp_path: Path) -> None:
    told = refused(tmp_path, monitor("schedule:\n  cron: */5 * * * *"))
    assert told.endswith("(a value that begins with * or & needs quotes)")


@pytest.mark.parametrize("name", ["a b", "a/b", "../x", "größe", "-x", "a.b", "", "x" * 65])
def test_names_of_monitors_are_fit_for_files_and_addresses(tmp_path: Path, name: str) -> None:
    told = refused(tmp_path, f"monitors: {{{name!r}: {{production: {{path: x, time: t}}}}}}")
    assert told == (
        f"monitor.yaml:1: monitors.{name}: cannot name a monitor: "
        "use at most 64 letters, digits, _ and -"
    )


def test_all_mistakes_are_told_in_the_order_of_the_file(tmp_path: Path) -> None:
    body = "window: 5x\ndrift: {alpha: 2, test: [ks]}\nvolume: {min_rows: 0}\nfoo: 1"
    lines = refused(tmp_path, f"stre: x\n{monitor(body)}").splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["monitor.yaml:1", "stre"],
        ["monitor.yaml:5", "monitors.loans.window"],
        ["monitor.yaml:6", "monitors.loans.drift.alpha"],
        ["monitor.yaml:6", "monitors.loans.drift.test"],
        ["monitor.yaml:7", "monitors.loans.volume.min_rows"],
        ["monitor.yaml:8", "monitors.loans.foo"],
    ]


def test_mistakes_found_elsewhere_get_their_line(tmp_path: Path) -> None:
    settings = load(tmp_path, monitor("drift:\n  tests: [nosuch]"))
    found: dict[tuple[str, ...], AskedWrongly] = {
        ("monitors", "loans", "drift", "tests"): AskedWrongly("no such test", hint="see")
    }
    with pytest.raises(ConfigError, match=r"monitor.yaml:5: monitors.loans.drift.tests: no such"):
        settings.refuse(found)
    settings.refuse({})


def test_a_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PathNotFound, match="there is no configuration") as caught:
        load_settings(tmp_path / "nosuch.yaml")
    assert "monitor init" in caught.value.hint
    with pytest.raises(ConfigError, match="Is a directory"):
        load_settings(tmp_path)
    path = tmp_path / "latin.yaml"
    path.write_bytes("# größe\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_settings(path)


# --- Settings without a file ---


def test_settings_given_one_by_one_are_checked_alike() -> None:
    assert checked(DriftSettings, {"alpha": 0.05}).alpha == 0.05
    with pytest.raises(AskedWrongly) as caught:
        checked(DriftSettings, {"alpha": 2, "tolerance": {"psi": -1.0}, "tests": "ks"})
    assert str(caught.value).splitlines() == [
        "tests: should be a list, like [a, b]",
        "tolerance.psi: should be greater than or equal to 0",
        "alpha: should be less than 0.5",
    ]


def test_data_sets_are_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR_DATASETS", str(tmp_path))
    assert datasets_folder() == tmp_path
    monkeypatch.setenv("MONITOR_DATASETS", str(tmp_path / "nosuch"))
    assert datasets_folder() is None
    monkeypatch.delenv("MONITOR_DATASETS")
    assert datasets_folder() is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a0: &a0 [1]\n" + "".join(
            f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 11)
        ), "says more than"),
        ("a: " + "[" * 3000 + "]" * 3000 + "\n", "nested too deep"),
    ],
    ids=["aliases of aliases", "nested"],
)  # fmt: skip
def test_a_configuration_without_end_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "monitor.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told):
        load_settings(path)
