"""Clocks for tests."""

import time
from datetime import datetime, timedelta


class Time:
    """A clock that moves only when it is told to."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def skip(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Going:
    """A clock that goes on by itself from a moment, `pace` times as fast as the real one.

    The moment was when `time.monotonic()` said `began_s`, which all processes of a machine share.
    """

    def __init__(
        self, moment: datetime, *, began_s: float | None = None, pace: float = 1.0
    ) -> None:
        self._moment = moment
        self._began_s = time.monotonic() if began_s is None else began_s
        self._pace = pace

    def __call__(self) -> datetime:
        return self._moment + timedelta(seconds=self._pace * (time.monotonic() - self._began_s))
