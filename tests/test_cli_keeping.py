"""Commands about all that is stored, and two of them at one window."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from projects import day, write_project

from monitor import claiming
from monitor.cli.main import run
from monitor.service import Service
from monitor.settings import load_settings

Told = tuple[int, str, str]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A project with a quiet and two drifted days checked."""
    path = write_project(tmp_path / "project", suite=False)
    path.write_text(path.read_text() + "retention: {checks: 1d, reports: 1d}\n")
    service = Service(load_settings(path))
    for number in (1, 2, 3):
        service.check("orders", day(number))
    service.close()
    return path


@pytest.fixture
def monitor(config: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    def call(*arguments: str, config: Path = config) -> Told:
        capsys.readouterr()
        code = run([*arguments, "--config", str(config)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_what_is_backed_up_is_taken_over(
    monitor: Callable[..., Told], config: Path, tmp_path: Path
) -> None:
    file = str(tmp_path / "backup.db")
    assert monitor("backup", file)[0] == 0
    code, _, error = monitor("restore", file)
    assert code == 64 and "is not empty" in error and "hint" in error
    other = config.with_name("other.yaml")
    other.write_text(config.read_text().replace("monitor.db", "other.db"))
    code, out, _ = monitor("restore", file, config=other)
    assert code == 0 and "rows taken over" in out
    service = Service(load_settings(other))
    assert [s.check.window for s in service.store.newest_checks()] == [day(3), day(2), day(1)]
    service.close()
    assert monitor("restore", str(tmp_path / "nothing"))[0] == 64


def test_everything_is_exported(monitor: Callable[..., Told], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    code, out, _ = monitor("export", str(folder), "--json", "-")
    assert code == 0 and json.loads(out)["rows"]["checks"] == 3
    assert len((folder / "checks.ndjson").read_text().splitlines()) == 3
    assert monitor("export", str(folder))[0] == 64


def test_what_is_old_goes_when_asked(
    monitor: Callable[..., Told], config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert json.loads(monitor("prune", "--json", "-")[1])["forgotten"] == {
        "reports": 0,
        "checks": 0,
    }
    later = datetime.now(UTC) + timedelta(days=400)
    defaults = Service.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "clock", lambda: later)
    code, out, _ = monitor("prune", "--dry-run", "--json", "-")
    assert code == 0 and json.loads(out)["forgotten"] == {"reports": 1, "checks": 1}
    pages = config.parent / "reports"
    assert len(list(pages.glob("*.html"))) == 3
    assert "checks     1 forgotten" in monitor("prune")[1]
    assert len(list(pages.glob("*.html"))) == 2, "an episode is open: its first check and last stay"


def test_a_window_that_another_process_looks_at_is_waited_for(
    monitor: Callable[..., Told], config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming, "WAIT_S", 0.0)
    service = Service(load_settings(config))
    noon = (day(4).start + timedelta(hours=12)).isoformat()
    with service.claimant.holding("orders", day(4)) as ours:
        assert ours
        code, _, error = monitor("check", "orders", "--at", noon)
        assert code == 3
        assert service.claimant.replica.id in error and "hint: try again" in error
        stored = (day(3).start + timedelta(hours=12)).isoformat()
        assert monitor("check", "orders", "--at", stored)[0] == 1, "what is stored needs no claim"
    assert monitor("check", "orders", "--at", noon)[0] == 1
    assert service.store.claimed_windows(day(0).start) == []
    service.close()
