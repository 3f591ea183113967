"""What the service leans on breaks: the database, the disk, those who are told."""

import json
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from clocks import Time
from projects import SECRET, day
from store_backends import new_postgresql_database, restart_postgresql

from benchmarks.faults import racing
from benchmarks.faults.racing import SHORT, Race, Written, outcome_of, write_line
from monitor import wiring
from monitor.archive import Store
from monitor.claiming import Claimant
from monitor.core.consequences import Message
from monitor.core.reach import Reach
from monitor.delivery import Delivery
from monitor.demo.receiver import Receiver
from monitor.errors import StoreUnavailable
from monitor.notifiers.webhook import Webhook
from monitor.ports import Notifier
from monitor.posting import Endpoint
from monitor.scheduler import Scheduler
from monitor.stores import sql

# --- The database is restarted ---

HERE = Reach.of(("127.0.0.1",))
SIMULATED_S = 120.0  # of the simulated clock in a second: waits after failures are minutes


def database_restarts(socket_folder: Path, folder: Path, *, restarts: int = 2) -> dict[str, int]:
    """A scheduler and a delivery while their server is stopped without ceremony, and started."""
    url = new_postgresql_database(socket_folder)
    race = Race(url, str(folder), monitors=8, windows=12)
    clock = racing.clock_of(race, time.monotonic(), pace=SIMULATED_S)
    store = sql.make(url, folder, clock)

    def run(name: str, window: Any, again: bool) -> str:
        write_line(folder / "looked", f"{name} {window.start.isoformat()}")
        time.sleep(0.02)
        store.save(outcome_of(name, window))
        return "passed"

    _first_of_each(store, race)
    monitors = {f"m{n}": racing.monitor(n, race) for n in range(race.monitors)}
    claimant = Claimant(store, clock, lease=SHORT)
    scheduler = Scheduler(monitors, store, run, clock, claimant=claimant)
    delivery = Delivery(store, {"written": Written(folder / "sent")}, clock)
    stop = threading.Event()
    delivering = threading.Thread(target=delivery.run, args=(stop,), daemon=True)
    scheduler.start()
    delivering.start()
    try:
        for _ in range(restarts):
            time.sleep(0.5)
            restart_postgresql(socket_folder)
        _wait_until_sent(store, race.all_windows)
    finally:
        stop.set()
        delivering.join()
        scheduler.stop(10)
    counted = racing._counted(race, store, 0)
    store.close()
    return {"restarts": restarts, **{k: counted[k] for k in ("windows", "stored", "alerts")}}


def _first_of_each(store: Store, race: Race) -> None:
    from monitor.core.records import Window

    before = Window(racing.START - timedelta(hours=1), racing.START)
    for number in range(race.monitors):
        store.save(outcome_of(f"m{number}", before, alert=False))


def _wait_until_sent(store: Store, count: int, timeout_s: float = 120.0) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        with suppress(StoreUnavailable):
            if store.count_messages() == {"sent": count}:
                return
        if time.monotonic() > deadline:
            raise AssertionError(f"not done: {store.count_messages()}")
        time.sleep(0.1)


# --- The disk is full ---


def full_disk(folder: Path, *, limit_kb: int = 1500) -> dict[str, int]:
    """A process that may not make its files any larger saves until it cannot; another goes on."""
    command = [sys.executable, "-m", "benchmarks.faults.outages", str(folder), str(limit_kb)]
    done = subprocess.run(
        command, cwd=racing.ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    told = json.loads(done.stdout)
    store = sql.make("sqlite:///monitor.db", folder, wiring.now)
    found = {line.id for line in store.lines(limit=100_000)}
    alerts = {m.id for m in store.oldest_messages(limit=100_000)}
    half = sum(f"of-{check_id}" not in alerts for check_id in found)
    went_on = store.save(outcome_of("orders", day(9999)))
    store.close()
    return {
        "saved": len(told["saved"]),
        "lost": len(set(told["saved"]) - found),
        "half": half,
        "went_on": int(went_on),
        "told": int("full" in told["error"] or "disk" in told["error"]),
    }


def _fill(folder: Path, limit_kb: int) -> None:
    """In a process of its own: save until the disk is full, and say what was saved."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = sql.make("sqlite:///monitor.db", folder, wiring.now)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_kb * 1024, limit_kb * 1024))
    saved: list[str] = []
    error = ""
    for number in range(100_000):
        outcome = outcome_of("orders", day(number))
        try:
            store.save(outcome)
        except StoreUnavailable as full:
            error = str(full)
            break
        saved.append(outcome.check.id)
    print(json.dumps({"saved": saved, "error": error}))


# --- Those who are told do not answer ---


def down_for_hours(hours: float, *, messages: int = 5) -> dict[str, Any]:
    """Nobody listens for hours of a simulated clock; then somebody does."""
    now = racing.START
    clock, end = Time(now), now + timedelta(hours=hours)
    store = sql.make("memory://", Path(), clock)
    for number in range(messages):
        store.add_message(Message(f"m{number}", "webhook", "orders", "test", {}, now))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        tries = _deliver_until(store, _webhook(nobody, clock), clock, end)
    with Receiver(SECRET, clock=clock) as receiver:
        back = clock.now
        two_hours_later = end + timedelta(hours=2)
        _deliver_until(store, _webhook(receiver.url, clock), clock, two_hours_later)
        late_s = max(
            (m.sent_at - back).total_seconds() for m in store.oldest_messages() if m.sent_at
        )
        acted_on = len(receiver.acted_on)
    store.close()
    return {
        "hours": hours,
        "messages": messages,
        "tries": tries,
        "acted_on": acted_on,
        "late_min": round(late_s / 60),
    }


def _webhook(url: str, clock: Time) -> Webhook:
    return Webhook(Endpoint(url, SECRET, reach=HERE), clock)


def _deliver_until(store: Store, notifier: Notifier, clock: Time, end: datetime) -> int:
    """Deliver what is due, go to when the next is, until nothing waits or it is the end."""
    delivery = Delivery(store, {"webhook": notifier}, clock)
    tries = 0
    while (due := store.next_due()) is not None and due <= end:
        clock.now = max(clock.now, due)
        tries += delivery.deliver_due()
    clock.now = max(clock.now, end) if due is not None else clock.now
    return tries


LIES = (
    b"",  # hangs up
    b"HTTP/1.1 200",  # half a response
    b"HTTP/1.1 200 OK\r\nContent-Le",
    b"HTTP/1.1 500 Sorry\r\nContent-Length: 9999\r\n\r\nhalf",
    b"HTTP/1.1 429 Slow down\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 503 Later\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 302 Elsewhere\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
    b"\x16\x03\x01 no web server at all",
    b"wait",  # never answers
)


def lying_endpoint() -> dict[str, int]:
    """An endpoint that tells every lie once, having acted on what it was sent, and then answers."""
    clock = Time(racing.START)
    store = sql.make("memory://", Path(), clock)
    store.add_message(Message("m0", "webhook", "orders", "test", {}, clock.now))
    with _liar(LIES) as (url, keys):
        endpoint = Endpoint(url, SECRET, reach=HERE, connect_s=1.0, total_s=1.0)
        _deliver_until(store, Webhook(endpoint, clock), clock, clock() + timedelta(days=2))
    [message] = store.oldest_messages()
    store.close()
    return {
        "lies": len(LIES),
        "requests": len(keys),
        "keys": len(set(keys)),  # whoever honours it acts once
        "sent": int(message.state == "sent"),
    }


@contextmanager
def _liar(lies: Sequence[bytes]) -> Iterator[tuple[str, list[str]]]:
    listening = socket.create_server(("127.0.0.1", 0))
    keys: list[str] = []

    def serve() -> None:
        for lie in (*lies, b"HTTP/1.1 204 Fine\r\n\r\n"):
            try:
                taken, _ = listening.accept()
            except OSError:
                return
            with taken:
                taken.settimeout(5)
                asked = b""
                while b"\r\n\r\n{" not in asked:
                    asked += taken.recv(65536)
                [key] = [x for x in asked.splitlines() if x.lower().startswith(b"idempotency-key")]
                keys.append(key.decode())
                if lie == b"wait":
                    with suppress(OSError):
                        taken.recv(1)
                else:
                    taken.sendall(lie)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/hook", keys
    finally:
        listening.close()
        thread.join(5)


if __name__ == "__main__":
    _fill(Path(sys.argv[1]), int(sys.argv[2]))
