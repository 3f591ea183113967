"""WHO: this process among those that share a store: its heartbeat, and the windows it has claimed.

A claim only saves work: that a window is stored once is up to the store. So clocks that differ by
some seconds, or a process that was paused beyond its lease, cost at most a second look.
"""

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.archive import Store
from monitor.core.people import Replica
from monitor.core.records import Window
from monitor.errors import StoreUnavailable, WindowTaken
from monitor.ports import Clock

log = logging.getLogger(__name__)

WAIT_S = 120.0  # how long a command waits for another process before it says so


@dataclass(frozen=True, slots=True)
class Lease:
    """How long a claim holds, and how often whoever is alive renews it.

    A dead process's window is free `holds_s` after its last renewal, and others look for it every
    `renewed_s`: it is taken over within the sum of both.
    """

    holds_s: float = 60.0
    renewed_s: float = 15.0

    @property
    def holds(self) -> timedelta:
        return timedelta(seconds=self.holds_s)


class Claimant:
    """One process that works on the store; threads of it may hold windows at the same time."""

    def __init__(
        self, store: Store, clock: Clock, *, parts: tuple[str, ...] = (), lease: Lease | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self.lease = lease or Lease()
        host, now = socket.gethostname() or "somewhere", clock()
        name = f"{host}-{os.getpid()}-{secrets.token_hex(3)}"
        self.replica = Replica(name, host, now, now, parts)
        self._moved_at: Callable[[], datetime | None] = lambda: None

    def follow(self, moved_at: Callable[[], datetime | None]) -> None:
        """Tell with every heartbeat when the scheduler of this process last got on."""
        self._moved_at = moved_at

    @contextmanager
    def holding(self, monitor: str, window: Window) -> Iterator[bool]:
        """Whether this process holds the window within the block; False when another one does.

        The claim is renewed from a thread of its own, so it lasts as long as the block does.
        """
        if not self._claim(monitor, window):
            yield False
            return
        done = threading.Event()
        renewing = threading.Thread(
            target=self._renew, args=(monitor, window, done), name="claim", daemon=True
        )
        renewing.start()
        try:
            yield True
        finally:
            done.set()
            renewing.join()
            self._release(monitor, window)

    @contextmanager
    def waiting_for(
        self, monitor: str, window: Window, wait_s: float | None = None
    ) -> Iterator[None]:
        """Hold the window within the block, after whoever has it now.

        WindowTaken when that one is not done within `wait_s`, or WAIT_S.
        """
        pause = threading.Event()
        left_s = WAIT_S if wait_s is None else wait_s
        while True:
            with self.holding(monitor, window) as ours:
                if ours:
                    yield
                    return
            if left_s <= 0:
                raise WindowTaken(monitor, self.holder_of(monitor, window) or "another process")
            step_s = min(1.0, left_s)
            pause.wait(step_s)
            left_s -= step_s

    def holder_of(self, monitor: str, window: Window) -> str | None:
        """Which process has the window now."""
        held = self._store.claimed_windows(self._clock())
        return next((who for name, what, who in held if (name, what) == (monitor, window)), None)

    def claim_for(self, name: str, window: Window, length: timedelta) -> bool:
        """Claim a piece of work that needs no renewal, until then; it is not let go of before."""
        now = self._clock()
        return self._store.claim_window(name, window, self.replica.id, now, now + length)

    @contextmanager
    def living(self) -> Iterator[None]:
        """Show the others that this process lives; at the end all its claims and its entry go."""
        done = threading.Event()
        self._beat()
        beating = threading.Thread(target=self._live, args=(done,), name="living", daemon=True)
        beating.start()
        try:
            yield
        finally:
            done.set()
            beating.join()
            self._leave()

    def _claim(self, monitor: str, window: Window) -> bool:
        now = self._clock()
        until = now + self.lease.holds
        return self._store.claim_window(monitor, window, self.replica.id, now, until)

    def _renew(self, monitor: str, window: Window, done: threading.Event) -> None:
        while not done.wait(self.lease.renewed_s):
            try:
                if not self._claim(monitor, window):
                    log.warning("claim lost monitor=%s start=%s", monitor, window.start.isoformat())
                    return
            except StoreUnavailable as error:
                log.warning("claim not renewed monitor=%s error=%r", monitor, str(error))

    def _release(self, monitor: str, window: Window) -> None:
        try:
            self._store.release_window(monitor, window, self.replica.id)
        except StoreUnavailable as error:  # it runs out by itself
            log.warning("claim not released monitor=%s error=%r", monitor, str(error))

    def _live(self, done: threading.Event) -> None:
        while not done.wait(self.lease.renewed_s):
            self._beat()

    def _beat(self) -> None:
        try:
            self._store.beat(
                replace(self.replica, seen_at=self._clock(), moved_at=self._moved_at())
            )
        except StoreUnavailable as error:
            log.warning("heartbeat failed error=%r", str(error))

    def _leave(self) -> None:
        try:
            self._store.leave(self.replica.id)
        except StoreUnavailable as error:  # its claims run out by themselves
            log.warning("not signed off error=%r", str(error))
