"""docs/configuration.md shows every key there is, and what it shows loads."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel

from monitor.configuration.channels import KINDS
from monitor.core.windows import Span
from monitor.settings import MonitorSettings, Settings, load_settings

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"
HIDDEN = {"root", "name"}  # filled in by us, not by people
ROLES = ("reference", "production")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in re.findall(r"\$\{(\w+)\}", block()):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("TEAMS_URL", "https://example.org/workflow")
    monkeypatch.setenv("DB_URL", "postgresql://user:x@host/name")
    path = tmp_path / "monitor.yaml"
    path.write_text(block())
    return load_settings(path)


def block() -> str:
    [text] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return str(text)


def missing_in(text: str) -> set[str]:
    """Paths of keys that the page does not show, whether written or commented out."""
    page = yaml.safe_load(re.sub(r"(?m)^( *)# (\w+:)", r"\1\2", text))
    assert "a reference takes every key that production takes" in text
    sources = [monitor[role] for monitor in page["monitors"].values() for role in ROLES]
    databases = [source for source in sources if "sql" in source]
    sql = {key: value for source in databases for key, value in source["sql"].items()}
    for source in databases:  # one shows the table, another the query
        source["sql"] = sql
    assert "each takes every key its kind takes" in text
    alerts = page["alerts"]
    alerts["channels"] = {kind: {kind: alerts[kind]} for kind in KINDS}
    for monitor in page["monitors"].values():
        own = monitor["reference"]
        monitor["reference"] = monitor["production"] | (own if isinstance(own, dict) else {})
    return set(_missing(Settings, [page]))


def _missing(annotation: Any, shown: list[Any], at: str = "") -> Iterator[str]:
    """Keys below `at` that none of the values `shown` there has."""
    mappings = [value for value in shown if isinstance(value, dict)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            key = field.alias or name
            found = [value[key] for value in mappings if key in value]
            if name in HIDDEN:
                continue
            if not found:
                yield at + key
            yield from _missing(field.annotation, found, f"{at}{key}.")
    elif get_origin(annotation) is Mapping:
        inner = [item for value in mappings for item in value.values()]
        yield from _missing(get_args(annotation)[1], inner, f"{at}*.")
    else:
        items = [item for value in shown if isinstance(value, list) for item in value]
        for part in get_args(annotation):
            yield from _missing(part, shown + items, at)


def test_the_page_loads(settings: Settings) -> None:
    assert set(settings.monitors) == {"loans", "visits", "prices", "orders", "clicks"}


def test_every_key_is_on_the_page() -> None:
    assert missing_in(block()) == set()


def test_a_key_elsewhere_does_not_stand_for_a_missing_one() -> None:
    kept = [line for line in block().splitlines() if not line.startswith("      # importance:")]
    assert missing_in("\n".join(kept)) == {"monitors.*.drift.importance"}


def test_the_first_monitor_shows_the_defaults(settings: Settings) -> None:
    shown = settings.monitors["loans"]
    for name in ("schedule", "window", "timezone", "lateness", "catch_up", "sample",
                 "show_values", "explorer"):  # fmt: skip
        assert getattr(shown, name) == MonitorSettings.model_fields[name].default, name
    assert shown.retrain is not None and shown.retrain.cooldown == Span(7, "d")


def test_the_page_is_one_document() -> None:
    assert set(yaml.safe_load(block())) >= {"store", "monitors"}
