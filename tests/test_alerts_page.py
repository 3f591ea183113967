"""docs/alerts.md: what it shows loads, and what it says of kinds and numbers is so."""

import re
from pathlib import Path

import pytest

from monitor.configuration.channels import KINDS
from monitor.configuration.telling import routing_of
from monitor.core.people import MUTES_H
from monitor.core.routing import Level
from monitor.settings import load_settings
from monitor.web.slack import BODY_BYTES, PATH

PAGE = (Path(__file__).parents[1] / "docs" / "alerts.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
MONITORS = """
monitors:
  loans: {reference: a.parquet, production: {path: b.parquet, time: at}}
  visits: {reference: a.parquet, production: {path: b.parquet, time: at}}
"""


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_what_the_page_shows_loads(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in re.findall(r"\$\{(\w+)\}", block):
        monkeypatch.setenv(name, "x")
    path = tmp_path / "monitor.yaml"
    path.write_text(block + MONITORS)
    settings = load_settings(path)
    assert routing_of(settings.alerts).of_monitor("visits")


def test_the_page_names_what_there_is() -> None:
    kinds = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert set(kinds) == {*KINDS, "console"}
    assert all(f"`{level}`" in PAGE for level in Level)
    assert f"`POST {PATH}`" in PAGE
    assert BODY_BYTES == 256_000 and "256 KB" in PAGE
    lengths = list(MUTES_H.values())
    assert (lengths[0], lengths[-1]) == ("1 hour", "30 days")
    assert "mute its monitor for an\nhour up to 30 days" in PAGE
