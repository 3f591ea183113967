"""WHEN, by the clock: at which moments monitors are woken, and the thread that waits for them."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger

from monitor.core.crontab import Crontab
from monitor.core.windows import Span, window_at
from monitor.ports import Clock
from monitor.settings import MonitorSettings

log = logging.getLogger(__name__)

LOOK_S = 5.0  # how soon a clock that was put forward or back is noticed
PUT_BACK = timedelta(minutes=1)  # less is what keeps clocks together, and changes nothing here
_LEAST_S = 0.01  # between two looks
_INSTANT = timedelta(microseconds=1)


class Waker:
    """Calls `wake(name)` whenever the name's trigger fires; one thread for all names.

    It looks at the clock every few seconds, whatever it waits for: a clock that was put forward
    wakes at once all that is due, each once; one that was put back makes every trigger begin anew,
    so that nothing waits for the old time to come again.
    """

    def __init__(
        self,
        triggers: Mapping[str, BaseTrigger],
        wake: Callable[[str], None],
        clock: Clock,
        *,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        """`look` is called each time the clock is looked at."""
        self._triggers = triggers
        self._wake = wake
        self._clock = clock
        self._look = look
        self._fires: dict[str, datetime] = {}
        self._put_off: dict[str, datetime] = {}
        self._looked_at: datetime | None = None
        self._news = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="waker", daemon=True)

    def start(self) -> None:
        self._begin_anew(self._clock())
        self._thread.start()

    def stop(self) -> None:
        with self._news:
            self._stopping = True
            self._news.notify()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive() and not self._stopping

    def put_off(self, name: str, moment: datetime) -> None:
        """Wake it then and not before, whatever its trigger says."""
        with self._news:
            self._put_off[name] = moment
            self._news.notify()

    def next(self, name: str) -> datetime | None:
        """When a name is woken next; None while nobody watches the clock."""
        with self._news:
            return self._put_off.get(name) or self._fires.get(name)

    def due(self, now: datetime) -> list[str]:
        """The names to be woken now; they are not due again before their next moment."""
        with self._news:
            put_back = self._looked_at is not None and now < self._looked_at - PUT_BACK
            fired = [name for name, moment in self._fires.items() if moment <= now]
            waited = [n for n, moment in self._put_off.items() if moment <= now or put_back]
            woken = [*waited, *(name for name in fired if name not in self._put_off)]
            for name in waited:
                del self._put_off[name]
            self._begin_anew(now, self._triggers if put_back else fired)
        return woken

    def _begin_anew(self, now: datetime, names: Iterable[str] | None = None) -> None:
        self._looked_at = now
        for name in self._triggers if names is None else names:
            fires = self._triggers[name].get_next_fire_time(None, now + _INSTANT)
            # Two times of one zone are compared by what its clock shows, which comes twice a year.
            self._fires[name] = fires.astimezone(UTC)

    def _run(self) -> None:
        while not self._stopping:
            try:
                for name in self.due(self._clock()):
                    self._wake(name)
                self._look()
            except Exception:
                log.exception("the clock was not looked at")
            with self._news:
                if not self._stopping:
                    self._news.wait(self._until_next_s())

    def _until_next_s(self) -> float:
        moments = [m for name, m in self._fires.items() if name not in self._put_off]
        first = min([*moments, *self._put_off.values()], default=None)
        left_s = LOOK_S if first is None else (first - self._clock()).total_seconds()
        return min(LOOK_S, max(_LEAST_S, left_s))


def schedule_trigger(settings: MonitorSettings) -> BaseTrigger:
    """The moments at which a monitor's schedule wakes it."""
    schedule = settings.schedule
    if schedule.every is not None:
        given = "timezone" in schedule.model_fields_set
        zone = schedule.timezone if given else settings.timezone
        return _Every(schedule.every, settings.lateness.duration, zone)
    assert schedule.cron is not None
    return _cron_trigger(Crontab.parse(schedule.cron), schedule.timezone)


def _cron_trigger(line: Crontab, zone: tzinfo) -> BaseTrigger:
    """The library counts weekdays from Monday and takes two kinds of day as both: cron does not."""
    days = {"day": _listed(line.days)}
    weekdays = {"day_of_week": ",".join(line.weekdays)}
    kinds = [days, weekdays] if line.either else [{**days, **weekdays}]
    triggers = [
        CronTrigger(
            minute=_listed(line.minutes),
            hour=_listed(line.hours),
            month=_listed(line.months),
            second=0,
            timezone=zone,
            **kind,
        )
        for kind in kinds
    ]
    return OrTrigger(triggers) if len(triggers) > 1 else triggers[0]


def _listed(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))


class _Every(BaseTrigger):  # type: ignore[misc]  # the library has no types
    """Every full hour (day, week ...) of the local clock, as late as windows are waited for.

    So a window is looked at as soon as it counts as complete, and days stay days when the clock
    changes, which a fixed interval does not give.
    """

    def __init__(self, every: Span, lateness: timedelta, zone: tzinfo) -> None:
        self._every, self._lateness, self._zone = every, lateness, zone

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        begin = (previous or now) - self._lateness
        return window_at(begin, self._every, self._zone).end + self._lateness
