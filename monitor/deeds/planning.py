"""Who does something, and what every deed begins with: its entry of the audit log."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from monitor.archive import Store
from monitor.core.people import AuditEntry, Deed
from monitor.core.records import Window
from monitor.core.routing import NOBODY, Routing
from monitor.core.windows import window_at
from monitor.errors import AskedWrongly, UnknownName
from monitor.ports import Clock, StoredReference
from monitor.settings import MonitorSettings

WHY_CHARS = 500
_COUNT = count()  # entries of one moment stand in the order in which they were made


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and by which door."""

    name: str
    via: str  # page, api, slack, cli


@dataclass(frozen=True, slots=True)
class Links:
    """Where what is stored can be seen."""

    check: Callable[[str], str] = lambda _: ""  # by check id
    report: Callable[[str], str] = lambda _: ""  # by name of the report


class Planning:
    """What deeds are planned with. Each of them is AskedWrongly when it makes no sense."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        monitors: Mapping[str, MonitorSettings],
        routing: Routing = NOBODY,
        links: Links | None = None,
        refuse_lost: Callable[[str, StoredReference], None] = lambda *_: None,
    ) -> None:
        """`routing` says whom a deed about an episode is told to.

        `refuse_lost` raises AskedWrongly for a reference of a monitor that has lost its rows.
        """
        self._store = store
        self._clock = clock
        self._monitors = monitors
        self._routing = routing
        self._links = links or Links()
        self._refuse_lost = refuse_lost

    def window_of(self, monitor: str, moment: datetime) -> Window:
        """The window of a monitor that contains a moment."""
        settings = self._known(monitor)
        return window_at(moment, settings.window, settings.timezone, settings.step)

    def _known(self, monitor: str) -> MonitorSettings:
        if monitor not in self._monitors:
            raise UnknownName("monitor", monitor, list(self._monitors))
        return self._monitors[monitor]

    def _entry(
        self, actor: Actor, deed: Deed, subject: str, why: str, monitor: str | None
    ) -> AuditEntry:
        reason = " ".join(why.split())
        if not reason:
            raise AskedWrongly("say why", hint="the audit log keeps the reason of every deed")
        if len(reason) > WHY_CHARS:
            raise AskedWrongly(f"a reason has {WHY_CHARS} characters at most")
        at = self._clock()
        return AuditEntry(_audit_id(at), at, actor.name, actor.via, deed, subject, reason, monitor)


def new_id(kind: str) -> str:
    return f"{kind}-{secrets.token_hex(8)}"


def _audit_id(at: datetime) -> str:
    """In the order of time, and within a moment in that of this process."""
    return f"audit-{at.timestamp():.6f}-{next(_COUNT):06x}{secrets.token_hex(4)}"
