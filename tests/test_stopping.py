"""Ctrl-C and SIGTERM: a command ends by them wherever it is, and puts away what it began."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from projects import write_project

from monitor.cli.stopping import Ended, Interrupted, Stopping

# Commands that a signal meets where it gets lost; what they print tells how far they came.
ODD_PLACES = """
import sys, time
from monitor.cli import main

def say(text):
    print(text, flush=True)

def below_typer(*_, **__):
    say("running")
    main.app = typers
    main.app.command("wait")(lambda: time.sleep(60))
    return main.app(["wait"], standalone_mode=False)

def optional(*_, **__):
    "as libraries do that look which others there are"
    try:
        say("running")
        time.sleep(60)
    except BaseException:
        say("lost")
    time.sleep(60)

def made_at_run_time(*_, **__):
    exec("say('running'); time.sleep(60)")

def looping(*_, **__):
    import asyncio
    async def wait():
        say("running")
        await asyncio.sleep(60)
    asyncio.run(wait())

class Forgotten:
    def __del__(self):
        say("running")
        time.sleep(60)

def callback(*_, **__):
    forgotten = Forgotten()
    del forgotten
    say("lost")
    time.sleep(60)

def waiting(*_, **__):
    import threading
    try:
        say("running")
        threading.Event().wait(60)
    except BaseException:
        say("lost")
    threading.Event().wait()

def putting_away(*_, **__):
    try:
        say("running")
        time.sleep(60)
    finally:
        began = time.monotonic()
        while time.monotonic() - began < 1.5:
            try:
                time.sleep(0.3)
                raise ValueError
            except ValueError:
                pass
        say("put away")

typers, main.app = main.app, globals()[sys.argv[1]]
main.main()
"""
CODES = pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "stopped"), (signal.SIGTERM, 143, "ended")],
    ids=["SIGINT", "SIGTERM"],
)
Start = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def begin(place: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", ODD_PLACES, place]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout is not None and process.stdout.readline() == "running\n"
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()


@CODES
@pytest.mark.parametrize("place", ["optional", "callback", "waiting"])
def test_a_signal_that_gets_lost_comes_again(
    start: Start, place: str, number: int, code: int, word: str
) -> None:
    process = start(place)
    process.send_signal(number)
    said, complained = process.communicate(timeout=30)
    assert (process.returncode, said, complained) == (code, "lost\n", f"monitor: {word}\n")


@CODES
@pytest.mark.parametrize("place", ["below_typer", "made_at_run_time", "looping"])
def test_a_signal_meets_others_first(
    start: Start, place: str, number: int, code: int, word: str
) -> None:
    process = start(place)
    process.send_signal(number)
    assert process.communicate(timeout=30) == ("", f"monitor: {word}\n")
    assert process.returncode == code


@CODES
def test_what_is_put_away_is_left_in_peace(start: Start, number: int, code: int, word: str) -> None:
    process = start("putting_away")
    process.send_signal(number)
    said, complained = process.communicate(timeout=30)
    assert (process.returncode, said, complained) == (code, "put away\n", f"monitor: {word}\n")


def test_a_second_sigterm_ends_it_at_once(start: Start) -> None:
    process = start("putting_away")
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, Interrupted), (signal.SIGTERM, Ended)]
)
def test_afterwards_signals_are_what_they_were(number: int, raised: type[BaseException]) -> None:
    def state() -> list[Any]:
        return [*map(signal.getsignal, (signal.SIGINT, signal.SIGTERM)), sys.unraisablehook]

    before = state()
    with pytest.raises(raised), Stopping().listening():
        assert state() != before
        signal.raise_signal(number)
    assert state() == before


TRIES = 60


@pytest.mark.slow
def test_a_check_is_stopped_at_any_moment(tmp_path: Path) -> None:
    """Most moments are those of importing, where libraries once took Ctrl-C for "not installed"."""
    config = write_project(tmp_path)
    command = [sys.executable, "-m", "monitor", "backfill", "orders", "--config", str(config)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    began = time.monotonic()
    subprocess.run(command, env=environment, capture_output=True, check=True)
    whole_s, moments = time.monotonic() - began, random.Random(20260302)
    for _ in range(TRIES):
        (tmp_path / "monitor.db").unlink(missing_ok=True)
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        # Before that `monitor` is not there yet; afterwards the command may be over.
        time.sleep(whole_s * moments.uniform(0.2, 0.8))
        process.send_signal(signal.SIGINT)
        _, complained = process.communicate(timeout=60)
        assert (process.returncode, complained) == (130, "monitor: stopped\n")
    assert not list(tmp_path.glob("drift-monitor-*"))


def test_a_command_ends_when_all_that_was_left_to_its_end_is_done() -> None:
    code = "import atexit, sys; from monitor.cli.main import main; "
    code += "sys.argv = ['monitor', '--version']; atexit.register(print, 'put away'); main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("put away\n") and len(done.stdout.splitlines()) == 2


@pytest.mark.skipif(os.name != "posix", reason="a shell closes the stream")
@pytest.mark.parametrize("closed", ["1", "2"])
def test_a_command_ends_rightly_without_a_stream(closed: str) -> None:
    line = f'exec "$0" -m monitor --version {closed}>&-'
    command = ["sh", "-c", line, sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
