"""Monitors: their states, and the versions of what they are held against."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from monitor.core.people import Deed, Silence
from monitor.core.records import Window
from monitor.core.urgency import state_of
from monitor.due import MonitorStatus
from monitor.errors import UnknownName
from monitor.ports import StoredReference
from monitor.web.api import shapes
from monitor.web.api.kit import ApiKit, Id, Name, read_errors, router, write_errors
from monitor.web.api.paging import AskedPart, parts_of
from monitor.web.api.telling import check_of, episodes_of
from monitor.web.api.writing import Asked


def monitor_routes(kit: ApiKit) -> APIRouter:
    routes = router("monitors")
    reads = [Depends(kit.reads())]

    @routes.get("/monitors", dependencies=reads, responses=read_errors())
    def list_monitors(part: AskedPart) -> shapes.Page[shapes.Monitor]:
        """By name, each with its state, its newest check and its schedule."""
        after = parts_of(part.cursor, str)[0] if part.cursor else ""
        rest = sorted((s for s in kit.views.statuses() if s.name > after), key=lambda s: s.name)
        return part.of(rest, lambda here: _monitors(kit, here), lambda s: (s.name,))

    @routes.get("/monitors/{name}", dependencies=reads, responses=read_errors())
    def get_monitor(name: Name) -> shapes.MonitorDetail:
        """One monitor with its open episodes, its silences and its reference."""
        statuses = {status.name: status for status in kit.views.statuses()}
        if name not in statuses:
            raise UnknownName("monitor", name, statuses)
        (told,) = _monitors(kit, [statuses[name]])
        episodes = episodes_of(kit.store, kit.store.open_episodes(name))
        silences = [s for s in kit.store.silences(since=kit.clock()) if s.monitor in (None, name)]
        current = kit.store.current_reference(name)
        return shapes.MonitorDetail(
            **dict(told),
            episodes=episodes,
            silences=[shapes.Silence.model_validate(silence) for silence in silences],
            reference=current and _reference(current, current=True),
        )

    @routes.get("/monitors/{name}/references", dependencies=reads, responses=read_errors())
    def list_references(name: Name) -> shapes.Page[shapes.Reference]:
        """The current one first, then those that were current before it."""
        kit.must_watch(name)
        found = enumerate(kit.store.list_references(name))
        return shapes.Page(items=[_reference(one, current=at == 0) for at, one in found])

    @routes.post(
        "/monitors/{name}/references/{version}/promote",
        response_model=shapes.Done,
        responses=write_errors(),
    )
    def promote(
        name: Name,
        version: Id,
        said: shapes.Why,
        asked: Annotated[Asked, Depends(kit.writer.rule(Deed.REFERENCE_PROMOTED))],
    ) -> Response:
        """Hold the windows to come against another version, by its id or the beginning of it."""
        actor = asked.visitor.actor
        return kit.writer.do(asked, lambda: kit.desk.promote(actor, name, version, said.why))

    return routes


def _monitors(kit: ApiKit, statuses: Sequence[MonitorStatus]) -> list[shapes.Monitor]:
    now = kit.clock()
    silences = kit.store.silences(since=now)
    counted = Counter(episode.monitor for episode in kit.store.open_episodes())
    strips = kit.views.strips.look()
    return [
        shapes.Monitor(
            name=status.name,
            state=state_of(line.verdict if line else None, status.error),
            newest=line and check_of(line),
            schedule=_schedule(status, line.window if line else None),
            open_episodes=counted[status.name],
            silenced_until=_until(silences, status.name, now),
        )
        for status in statuses
        for line in (strips[status.name][-1] if status.name in strips else None,)
    ]


def _schedule(status: MonitorStatus, last: Window | None) -> shapes.Schedule:
    running = status.running
    return shapes.Schedule(
        timezone=str(status.timezone),
        last=last and shapes.Window.model_validate(last),
        lag=status.lag,
        next_wake=status.next_wake,
        running=running and shapes.Window.model_validate(running),
        error=status.error,
        skipped=[shapes.Window.model_validate(window) for window in status.skipped],
    )


def _until(silences: Iterable[Silence], name: str, now: datetime) -> datetime | None:
    """Until when a monitor is silent, if it is now."""
    return max((s.until for s in silences if s.covers(name, now)), default=None)


def _reference(stored: StoredReference, *, current: bool) -> shapes.Reference:
    return shapes.Reference.model_validate(stored).model_copy(update={"current": current})
