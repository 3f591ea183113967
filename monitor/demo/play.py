"""The whole story on shipped data: every window checked, told, and a new model asked for once."""

import os
import secrets
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from monitor.archive import StoredCheck
from monitor.delivery import Patience
from monitor.demo.project import install_project
from monitor.demo.receiver import Receiver
from monitor.service import Service
from monitor.settings import datasets_folder, load_settings

Say = Callable[[str], None]
FAILURES = 2  # times the training system fails before it takes a request
DELIVERY_S = 30.0
QUICK = Patience(base_s=0.2)  # nobody watches a demo wait


def play(folder: Path, say: Say) -> dict[str, Any]:
    """Play the demo project in `folder` from the beginning and return what happened.

    1. Set the project up: configuration, suites, training data, twenty weeks of production.
    2. Start a training system that fails twice before it takes a request.
    3. Check every window of every monitor, oldest first, and deliver what there is to tell.
    4. Say what was found, what was sent, and where to look.
    """
    datasets = datasets_folder() is not None
    install_project(folder, datasets)
    _forget(folder)
    secret = secrets.token_hex(16)
    say("every window of twenty weeks is checked, one after another: about two minutes")
    with Receiver(secret, fail_first=FAILURES) as trainer:
        settings = load_settings(
            folder / "monitor.yaml", DEMO_RETRAIN_URL=trainer.url, DEMO_RETRAIN_SECRET=secret
        )
        service = Service(settings, patience=QUICK)
        try:
            told = {name: _play_monitor(service, name, say) for name in settings.monitors}
            _say_trainer(trainer, say)
            _say_where(folder, service, datasets, say)
        finally:
            service.close()
        return {
            "monitors": told,
            "trainer": {
                "received": len(trainer.received),
                "acted_on": len(trainer.acted_on),
                "rejected": len(trainer.rejected),
            },
        }


def _forget(folder: Path) -> None:
    """The demo starts from nothing each time; its own store and reports go."""
    for stale in [*folder.glob("monitor.db*"), *(folder / "reports").glob("*.html")]:
        stale.unlink()


def _play_monitor(service: Service, name: str, say: Say) -> dict[str, Any]:
    settings = service.settings.monitor(name)
    windows = service.windows(settings)
    say(f"\n{name}: {len(windows)} windows of {settings.window}")
    delivery = service.delivery()
    done = []
    for window in windows:
        done.append(service.check(name, window))
        delivery.drain(DELIVERY_S)
    _say_runs(done, say)
    verdicts = Counter(str(stored.check.verdict) for stored in done)
    say("  " + ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common()))
    episodes = service.store.newest_episodes(name)
    return {
        "windows": len(done),
        "verdicts": dict(verdicts),
        "episodes": [
            {"cause": str(e.cause), "opened_at": e.opened_at.isoformat(), "headline": e.headline}
            for e in reversed(episodes)
        ],
        "retrain_requests": [r.id for r in service.store.newest_retrains(name)],
    }


def _say_runs(done: list[StoredCheck], say: Say) -> None:
    """Windows in a row with the same verdict as one line, told by the first."""
    runs: list[list[StoredCheck]] = []
    for stored in done:
        if runs and runs[-1][-1].check.verdict is stored.check.verdict:
            runs[-1].append(stored)
        else:
            runs.append([stored])
    for run in runs:
        first, last = run[0].check.window, run[-1].check.window
        assert first is not None and last is not None
        days = f"{first.start:%Y-%m-%d} .. {last.start:%Y-%m-%d}"
        say(f"  {days}  {len(run):3d} x {run[0].check.headline}")


def _say_trainer(trainer: Receiver, say: Say) -> None:
    say(
        f"\ntraining system: asked {len(trainer.received)} times, failed {FAILURES} of them, "
        f"acted {len(trainer.acted_on)} time(s), signature verified each time, "
        f"{len(trainer.rejected)} rejected"
    )
    for request in trainer.acted_on:
        say(f"  {request['monitor']}: {'; '.join(request['reasons'])}")


def _command() -> str:
    """How this person reaches the command `monitor`."""
    called = Path(sys.argv[0])
    known = shutil.which("monitor") or called.name != "monitor"
    return "monitor" if known else os.path.relpath(called)


def _say_where(folder: Path, service: Service, datasets: bool, say: Say) -> None:
    opened = [e for e in service.store.newest_episodes() if e.cause == "drift"]
    say("\nwhere to look:")
    for episode in reversed(opened):
        stored = service.store.get_check(episode.opened_by)
        if stored is not None and stored.report:
            say(f"  {episode.monitor}, the day it began: {service.reports.location(stored.report)}")
    say(f"  all reports: {folder / 'reports'}")
    at = "" if folder == Path() else f" --config {folder / 'monitor.yaml'}"
    # The data end in May: a scheduler would add a day without rows for every day since.
    say(f"  the dashboard: {_command()} serve --no-scheduler{at}")
    if not datasets:
        say("  more monitors, on public data: set MONITOR_DATASETS (docs/datasets.md)")
