"""`monitor serve` as a process: it catches up, delivers, shows pages, and stops when told."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest
from projects import SECRET, rows, write_project

from monitor import serving as process
from monitor import wiring
from monitor.core.records import Window
from monitor.core.windows import Span, latest_complete
from monitor.demo.receiver import Receiver
from monitor.service import Service, open_service
from monitor.settings import load_settings
from monitor.stores.sql import make

DEADLINE_S = 60.0


class Serving:
    """A running `monitor serve`."""

    def __init__(self, config: Path, *flags: str) -> None:
        command = [sys.executable, "-m", "monitor", "serve", "--port", "0", "--config", str(config)]
        self.process = subprocess.Popen(
            [*command, *flags], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def address(self) -> str:
        assert self.process.stdout is not None
        found = re.search(r"http://\S+", self.process.stdout.readline())
        assert found is not None, "it did not say where its pages are"
        return found[0]

    def runs(self) -> None:
        """Wait until it runs, without pages."""
        assert self.process.stdout is not None
        assert "running without pages" in self.process.stdout.readline()

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=DEADLINE_S)


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def last_days(count: int) -> list[Window]:
    """The latest complete days, oldest first."""
    newest = latest_complete(datetime.now(UTC), Span(1, "d"), UTC, timedelta(minutes=10))
    backwards = range(count - 1, -1, -1)
    one = timedelta(days=1)
    return [Window(newest.start - n * one, newest.end - n * one) for n in backwards]


@pytest.fixture
def people() -> Iterator[Receiver]:
    with Receiver(SECRET) as receiver:
        yield receiver


@pytest.fixture
def suite() -> bool:
    """Whether the project has a suite; one test with it is enough, it takes every process long."""
    return False


@pytest.fixture
def config(tmp_path: Path, people: Receiver, suite: bool) -> Path:
    """A project whose last five days have data; the last two of them are drifted."""
    path = write_project(tmp_path, webhook=people.url, suite=suite)
    for number, window in enumerate(last_days(5)):
        table = rows(50 + number, 800, window.start, shift=2.0 if number >= 3 else 0.0)
        pq.write_table(table, tmp_path / "data" / f"recent{number}.parquet")
    return path


@pytest.fixture
def start(config: Path) -> Iterator[Callable[..., Serving]]:
    running: list[Serving] = []

    def begin(*flags: str) -> Serving:
        running.append(Serving(config, *flags))
        return running[-1]

    yield begin
    for serving in running:
        if serving.process.poll() is None:
            serving.process.kill()
        serving.process.wait()
        if serving.process.stdout is not None:
            serving.process.stdout.close()


def checked(config: Path) -> list[Window | None]:
    store = make("sqlite:///monitor.db", config.parent, wiring.now)
    try:
        return [s.check.window for s in reversed(store.newest_checks("orders"))]
    finally:
        store.close()


def let_its_claims_run_out(config: Path) -> None:
    """Of a process that was killed; tests/test_scheduler.py waits for that."""
    store = make("sqlite:///monitor.db", config.parent, wiring.now)
    for replica in store.replicas():
        store.leave(replica.id)
    store.close()


@pytest.mark.parametrize("suite", [True])
def test_it_begins_with_the_latest_window_and_stops_cleanly(
    config: Path, start: Callable[..., Serving], people: Receiver
) -> None:
    serving = start()
    address = serving.address()
    wait_for(lambda: people.acted_on)
    assert checked(config) == last_days(1)
    page = httpx.get(address).text
    assert "orders" in page and "rifted" in page
    assert httpx.get(f"{address}/healthz").status_code == 200
    report = next(iter((config.parent / "reports").glob("*.html")))
    assert httpx.get(f"{address}/reports/{report.name}").status_code == 200
    assert serving.stop() == 0


def test_what_was_missed_while_it_was_down_is_made_up_for(
    config: Path, start: Callable[..., Serving], people: Receiver
) -> None:
    service = Service(load_settings(config))
    service.check("orders", last_days(5)[0])
    service.close()
    serving = start("--no-web")
    wait_for(lambda: len(checked(config)) == 5)
    wait_for(lambda: people.acted_on)
    assert serving.stop(signal.SIGINT) == 0
    assert checked(config) == last_days(5)
    assert [told["event"] for told in people.acted_on] == ["episode.opened"]


@pytest.mark.slow  # tests/test_faults_race.py has it without the pages and the rows
def test_killed_and_started_again_it_loses_no_window_and_tells_nothing_twice(
    config: Path, start: Callable[..., Serving], people: Receiver
) -> None:
    service = Service(load_settings(config))
    service.check("orders", last_days(5)[0])
    service.close()
    first = start("--no-web")
    wait_for(lambda: len(checked(config)) >= 2)
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait()
    let_its_claims_run_out(config)
    second = start("--no-web")
    second.runs()  # the first one may have done all there was to do
    wait_for(lambda: len(checked(config)) == 5)
    wait_for(lambda: people.acted_on)
    assert second.stop() == 0
    assert checked(config) == last_days(5)
    assert [told["event"] for told in people.acted_on] == ["episode.opened"]


@pytest.mark.slow  # as above
def test_two_services_on_one_store_check_each_window_once(
    config: Path, start: Callable[..., Serving], people: Receiver
) -> None:
    service = Service(load_settings(config))
    service.check("orders", last_days(5)[0])
    service.close()
    both = [start("--no-web"), start("--no-web")]
    wait_for(lambda: len(checked(config)) == 5)
    wait_for(lambda: people.acted_on)
    for serving in both:
        serving.runs()  # one of them may have done it all
    assert [serving.stop() for serving in both] == [0, 0]
    assert [told["event"] for told in people.acted_on] == ["episode.opened"]


def test_told_to_stop_before_it_runs_it_ends_cleanly(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal comes while the store is opened."""
    opening = open_service

    def told_meanwhile(path: Path) -> Service:
        os.kill(os.getpid(), signal.SIGTERM)
        return opening(path)

    handler, said = signal.getsignal(signal.SIGTERM), list[str]()
    monkeypatch.setattr(process, "open_service", told_meanwhile)
    process.serve(config, process.Startup(web=False, scheduler=False), said.append)
    assert said == ["running without pages (Ctrl-C stops)"]
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_port_that_is_taken_is_told_before_anything_runs(
    config: Path, start: Callable[..., Serving]
) -> None:
    address = start("--no-scheduler").address()
    port = address.rpartition(":")[2]
    command = [sys.executable, "-m", "monitor", "serve", "--port", port, "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 64
    assert "cannot listen" in done.stderr and "--port" in done.stderr
