"""docs/configuration.md shows every key there is, and what it shows loads."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from monitor.core.windows import Span
from monitor.settings import MonitorSettings, Settings, load_settings

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"
HIDDEN = {"root", "name"}  # filled in by us, not by people


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    [text] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for name in ("SLACK_BOT_TOKEN", "WEBHOOK_SECRET", "RETRAIN_SECRET", "PASSWORD"):
        monkeypatch.setenv(name, "x")
    path = tmp_path / "monitor.yaml"
    path.write_text(text)
    return load_settings(path)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models_in(inner)


def keys_of(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if name in HIDDEN:
            continue
        yield field.alias or name
        for inner in models_in(field.annotation):
            yield from keys_of(inner)


def test_the_page_loads(settings: Settings) -> None:
    assert set(settings.monitors) == {"loans", "visits", "prices"}


def test_every_key_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    missing = {key for key in keys_of(Settings) if not re.search(rf"\b{key}:", text)}
    assert not missing


def test_the_first_monitor_shows_the_defaults(settings: Settings) -> None:
    shown = settings.monitors["loans"]
    for name in ("schedule", "window", "timezone", "lateness", "catch_up", "sample",
                 "show_values", "explorer"):  # fmt: skip
        assert getattr(shown, name) == MonitorSettings.model_fields[name].default, name
    assert shown.retrain is not None and shown.retrain.cooldown == Span(7, "d")


def test_the_page_is_one_document() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 1 and set(yaml.safe_load(blocks[0])) >= {"store", "monitors"}
