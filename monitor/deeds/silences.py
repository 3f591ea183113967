"""What people do against alerts that nobody needs: mute, tell of maintenance, lift either."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.core.people import Deed, Scope, Silence, SilenceKind
from monitor.deeds.planning import Actor, Planning, new_id
from monitor.errors import AskedWrongly, NotAllowed, UnknownName
from monitor.ledger import Act

LONGEST_SILENCE = timedelta(days=366)


class SilenceDeeds(Planning):
    """A silence holds from a moment to another, for one monitor or for all."""

    def mute(self, actor: Actor, monitor: str | None, until: datetime, why: str) -> Act:
        """Keep alerts of a monitor (None: of all) back from now until a moment."""
        now = self._clock()
        return self._silence(actor, SilenceKind.MUTE, monitor, (now, until), why)

    def maintain(
        self, actor: Actor, monitor: str | None, start: datetime, end: datetime, why: str
    ) -> Act:
        """Say that the data of a stretch of time, past or to come, is not normal."""
        return self._silence(actor, SilenceKind.MAINTENANCE, monitor, (start, end), why)

    def _silence(
        self,
        actor: Actor,
        kind: SilenceKind,
        monitor: str | None,
        stretch: tuple[datetime, datetime],
        why: str,
    ) -> Act:
        start, end = stretch
        if monitor is not None:
            self._known(monitor)
        if end <= max(start, self._clock()) and kind is SilenceKind.MUTE:
            raise AskedWrongly(f"{end.isoformat()} is past", hint="mute until a time to come")
        if end <= start:
            raise AskedWrongly("a silence ends after it begins")
        if end - start > LONGEST_SILENCE:
            raise AskedWrongly(
                "a silence lasts a year at most", hint="take the monitor out of monitor.yaml"
            )
        deed = Deed.MUTED if kind is SilenceKind.MUTE else Deed.MAINTENANCE_SET
        entry = self._entry(actor, deed, monitor or "all monitors", why, monitor)
        made = Silence(new_id("silence"), kind, start, end, entry.who, entry.why, monitor=monitor)
        told = {"silence": made.id, "from": start.isoformat(), "to": end.isoformat()}
        return Act(replace(entry, details=told), silence=made)

    def lift(
        self,
        actor: Actor,
        silence_id: str,
        why: str,
        *,
        may: Callable[[Silence], bool] = lambda _: True,
    ) -> Act:
        """End a silence before its time; NotAllowed for one that the actor may not lift."""
        lasting = {s.id: s for s in self._store.silences(since=self._clock())}
        found = lasting.get(silence_id)
        if found is None:
            raise UnknownName("silence that lasts", silence_id, list(lasting))
        if not may(found):
            raise NotAllowed(f"ending {found.kind} needs a token with the scope {Scope.ADMIN}")
        entry = self._entry(actor, Deed.SILENCE_LIFTED, silence_id, why, found.monitor)
        return Act(entry, lifted=silence_id)
