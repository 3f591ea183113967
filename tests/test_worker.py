"""The worker: real processes that answer, fail, die, hang and are told to stop."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import worker_jobs

from monitor.core.records import Window
from monitor.errors import (
    CouldNotLook,
    DeliveryDelayed,
    SourceUnreadable,
    UnknownName,
    WorkerDied,
    WorkerTimeout,
)
from monitor.worker import Worker, WorkerFault

DAY = Window(datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC))
HERE = Path(__file__).parent


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    made = Worker(worker_jobs.open_jobs, str(tmp_path))
    yield made
    made.close()


def wait_until(true: Callable[[], object], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def is_there(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_check_runs_in_another_process_which_stays_warm(worker: Worker, tmp_path: Path) -> None:
    assert worker.pid is None
    first = worker.run("echo:hello", DAY, True)
    second = worker.run("echo:hello", DAY)
    assert first == {"text": "hello", "window": DAY, "again": True, "pid": worker.pid}
    assert second["again"] is False
    assert first["pid"] == second["pid"] != os.getpid()
    assert (tmp_path / "opened").read_text().split() == [str(worker.pid)]


def test_jobs_wait_for_each_other(worker: Worker) -> None:
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda n: worker.run(f"echo:{n}", DAY), range(12)))
    assert [a["text"] for a in answers] == [str(n) for n in range(12)]
    assert len({a["pid"] for a in answers}) == 1


def test_errors_of_the_house_arrive_as_they_were_raised(worker: Worker) -> None:
    with pytest.raises(SourceUnreadable, match=r"rows.parquet is cut off") as unreadable:
        worker.run("unreadable", DAY)
    assert unreadable.value.hint == "write it again"
    with pytest.raises(UnknownName, match="there is no column named 'agee'") as unknown:
        worker.run("unknown", DAY)
    assert unknown.value.hint == "did you mean 'age'?"
    with pytest.raises(DeliveryDelayed) as delayed:
        worker.run("delayed", DAY)
    assert delayed.value.retry_after_s == 3.0


def test_a_fault_brings_its_traceback_and_the_process_lives_on(worker: Worker) -> None:
    pid = worker.run("echo", DAY)["pid"]
    with pytest.raises(WorkerFault, match="KeyError: 'nothing'") as fault:
        worker.run("fault", DAY)
    assert 'return {}["nothing"]' in fault.value.told
    with pytest.raises(WorkerFault, match="the answer cannot be sent"):
        worker.run("lambda", DAY)
    assert worker.run("echo", DAY)["pid"] == pid


def test_an_opening_that_fails_is_tried_again(tmp_path: Path) -> None:
    worker = Worker(worker_jobs.open_never, str(tmp_path))
    for _ in range(2):
        with pytest.raises(UnknownName, match="loans"):
            worker.run("echo", DAY)
    worker.close()


@pytest.mark.parametrize(
    ("job", "how"), [("die", "ended by SIGKILL"), ("exit", "code 7"), ("descendant", "SIGKILL")]
)
def test_a_process_that_dies_is_told_and_replaced(worker: Worker, job: str, how: str) -> None:
    began = time.monotonic()
    with pytest.raises(WorkerDied, match=how) as died:
        worker.run(job, DAY)
    assert time.monotonic() - began < 5
    assert ("memory" in died.value.hint) is ("SIGKILL" in how)
    assert worker.run("echo:again", DAY)["text"] == "again"


def test_a_process_that_died_between_checks_is_replaced_unnoticed(worker: Worker) -> None:
    pid = worker.run("echo", DAY)["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: worker.pid is None)
    assert worker.run("echo", DAY)["pid"] != pid


def test_a_check_that_takes_too_long_is_ended(worker: Worker) -> None:
    pid = worker.run("echo", DAY)["pid"]
    began = time.monotonic()
    with pytest.raises(WorkerTimeout, match=r"longer than 0.3 s"):
        worker.run("nap:60", DAY, timeout_s=0.3)
    assert time.monotonic() - began < 5
    assert not is_there(pid)
    assert worker.run("echo:after", DAY)["text"] == "after"


def test_an_answer_longer_than_a_pipe_arrives(worker: Worker) -> None:
    assert len(worker.run("big", DAY)) == 1_000_000


def test_an_idle_process_gives_its_memory_back(tmp_path: Path) -> None:
    worker = Worker(worker_jobs.open_jobs, str(tmp_path), idle_s=0.2)
    pid = worker.run("echo", DAY)["pid"]
    wait_until(lambda: worker.pid is None)
    assert not is_there(pid)
    assert worker.run("echo", DAY)["pid"] != pid
    worker.close()


# --- Stopping ---


@pytest.mark.parametrize("how", ["idle", "closed", "too slow"])
def test_a_process_that_goes_takes_its_files_along(tmp_path: Path, how: str) -> None:
    worker = Worker(worker_jobs.open_jobs, str(tmp_path), idle_s=0.2 if how == "idle" else 60)
    folder = Path(worker.run("spool", DAY))
    if how == "too slow":
        with pytest.raises(WorkerTimeout):
            worker.run("nap:60", DAY, timeout_s=0.1)
    elif how == "closed":
        worker.close()
    wait_until(lambda: not folder.exists())
    worker.close()


def test_closing_lets_the_running_check_finish(worker: Worker, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(worker.run, "note", DAY)
        wait_until((tmp_path / "began").exists)
        assert worker.close(grace_s=10) is True
        assert running.result() == "done"
    assert worker.pid is None
    with pytest.raises(CouldNotLook, match="stopping"):
        worker.run("echo", DAY)


def test_closing_cuts_short_what_takes_longer_than_the_grace(worker: Worker) -> None:
    pid = worker.run("echo", DAY)["pid"]
    with ThreadPoolExecutor(2) as threads:
        running = threads.submit(worker.run, "nap:60", DAY)
        waiting = threads.submit(worker.run, "echo", DAY)
        time.sleep(0.2)
        assert worker.close(grace_s=0.2) is False
        with pytest.raises(CouldNotLook, match="stopping"):
            running.result()
        with pytest.raises(CouldNotLook, match="stopping"):
            waiting.result()
    assert not is_there(pid)


def test_closing_twice_or_unused_is_nothing(worker: Worker) -> None:
    assert worker.close()
    assert worker.close(grace_s=1)


def test_the_process_leaves_interrupts_to_its_parent(worker: Worker, tmp_path: Path) -> None:
    pid = worker.run("echo", DAY)["pid"]
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(worker.run, "note", DAY)
        wait_until((tmp_path / "began").exists)
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGTERM)
        assert running.result() == "done"
    assert worker.pid == pid


def script(text: str, *arguments: str) -> "subprocess.Popen[str]":
    """A program of its own, as a service would be."""
    head = "import contextlib, sys, threading, time, worker_jobs\nfrom test_worker import DAY\n"
    head += "from monitor.worker import Worker\n"
    body = textwrap.indent(textwrap.dedent(text), "    ")
    path = Path(arguments[0]) / "service.py"
    path.write_text(f"{head}if __name__ == '__main__':\n{body}")
    return subprocess.Popen(
        [sys.executable, str(path), *arguments],
        env={**os.environ, "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("busy", [False, True])
def test_the_process_goes_when_its_parent_is_killed(tmp_path: Path, busy: bool) -> None:
    parent = script(
        f"""
        worker = Worker(worker_jobs.open_jobs, sys.argv[1])
        print(worker.run("echo", DAY)["pid"], flush=True)
        if {busy}:
            worker.run("nap:60", DAY)
        time.sleep(60)
        """,
        str(tmp_path),
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    time.sleep(0.1)
    parent.kill()
    wait_until(lambda: not is_there(pid))
    parent.communicate()


def test_ctrl_c_at_a_terminal_reaches_only_the_parent(tmp_path: Path) -> None:
    parent = script(
        """
        worker = Worker(worker_jobs.open_jobs, sys.argv[1])
        thread = threading.Thread(target=worker.run, args=("note", DAY))
        thread.start()
        try:
            thread.join()
        except KeyboardInterrupt:
            print("interrupted", worker.close(grace_s=20))
        """,
        str(tmp_path),
    )
    wait_until((tmp_path / "began").exists)
    os.killpg(parent.pid, signal.SIGINT)
    out, err = parent.communicate(timeout=20)
    assert out == "interrupted True\n"
    assert err == ""
    assert (tmp_path / "done").exists()


def test_a_worker_that_nobody_closed_does_not_hold_up_the_exit(tmp_path: Path) -> None:
    parent = script(
        """
        worker = Worker(worker_jobs.open_jobs, sys.argv[1])
        print(worker.run("echo", DAY)["pid"])

        def nap():
            with contextlib.suppress(Exception):  # the process ends below it
                worker.run("nap:60", DAY)

        threading.Thread(target=nap, daemon=True).start()
        time.sleep(0.2)
        """,
        str(tmp_path),
    )
    out, err = parent.communicate(timeout=20)
    assert err == ""
    assert not is_there(int(out))


def test_the_output_stays_free_of_what_libraries_print(tmp_path: Path) -> None:
    parent = script(
        """
        worker = Worker(worker_jobs.open_jobs, sys.argv[1])
        print(worker.run("chatty", DAY))
        worker.close()
        """,
        str(tmp_path),
    )
    out, err = parent.communicate(timeout=20)
    assert out == "done\n"
    assert "progress bar" not in err
    assert "printed by a library\nwritten by a library" in err


def test_nothing_heavy_is_imported_for_it() -> None:
    code = "import sys, monitor.worker; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pandas", "great_expectations", "evidently", "scipy"} & set(run.stdout.split())
