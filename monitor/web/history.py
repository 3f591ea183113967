"""What a monitor's page draws over time: checks, columns, and what happened, on one axis."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from urllib.parse import quote

from monitor.archive import CheckLine, ColumnLine, Place, Store, Tally
from monitor.core import words
from monitor.core.consequences import Episode, RetrainRequest
from monitor.core.people import Silence, SilenceKind
from monitor.web.axis import Axis, axis_of
from monitor.web.named import CAUSES

RANGES = (30, 60, 120)  # checks that can be drawn at once
COLUMNS = 12
MORE_COLUMNS = 60
_HAPPENED = 50  # episodes, and requests for a model
_EARLIER_WINDOW = "window:"  # such a reference is another one at every check
_ASKED = {"succeeded": "new model", "failed": "no new model", "refused": "no new model"}


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, beside what was measured."""

    kind: str  # episode, mute, maintenance, retrain, reference
    start: datetime
    end: datetime | None  # None: a moment, or it goes on
    label: str
    told: str  # in a sentence
    link: str = ""  # below our root
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """Which checks a page draws."""

    count: int = RANGES[0]
    before: Place | None = None
    columns: int = COLUMNS


@dataclass(frozen=True, slots=True)
class History:
    """Checks of one monitor, oldest first, with all that is drawn of them."""

    lines: tuple[CheckLine, ...]
    axis: Axis
    columns: Mapping[str, Mapping[str, ColumnLine]]  # name -> check -> line; furthest moved first
    more_columns: int
    tallies: Mapping[str, Tally]
    promised: Mapping[str, float | None]  # by test, the threshold that the feed is held to
    marks: tuple[Mark, ...]

    def ages_h(self) -> list[float | None]:
        """How old the newest row was when each window closed."""
        return [
            None if c.newest is None else max(0.0, (c.window.end - c.newest) / timedelta(hours=1))
            for c in self.lines
        ]


@dataclass(frozen=True, slots=True)
class Happened:
    """What followed from the checks of a monitor, the newest first."""

    episodes: Sequence[Episode]
    retrains: Sequence[RetrainRequest]


def happened(store: Store, name: str) -> Happened:
    return Happened(
        store.newest_episodes(name, limit=_HAPPENED), store.newest_retrains(name, limit=_HAPPENED)
    )


def history(
    store: Store, name: str, zone: tzinfo, wanted: Range, beside: Happened
) -> History | None:
    """The checks of a range with what happened beside them; None when there are none."""
    lines = tuple(store.lines(name, before=wanted.before, limit=wanted.count)[::-1])
    if not lines:
        return None
    ids = [c.id for c in lines]
    axis = axis_of(lines, zone)
    found, more = store.column_lines(ids, most=wanted.columns)
    columns: dict[str, dict[str, ColumnLine]] = {}
    for line in found:
        columns.setdefault(line.column, {})[line.check] = line
    silences = [s for s in store.silences(since=axis.start) if s.monitor in (None, name)]
    marks = [m for m in _marks(beside, silences, lines, axis) if axis.holds(m.start, m.end)]
    return History(
        lines=lines,
        axis=axis,
        columns=columns,
        more_columns=more,
        tallies=store.tallies(ids),
        promised=store.promised(ids),
        marks=tuple(sorted(marks, key=lambda m: m.start)),
    )


# --- What happened ---


def _marks(
    beside: Happened, silences: Sequence[Silence], lines: Sequence[CheckLine], axis: Axis
) -> Iterator[Mark]:
    yield from (_of_episode(episode, axis) for episode in beside.episodes)
    yield from (_of_silence(silence, axis) for silence in silences)
    yield from (_of_request(request, axis) for request in beside.retrains)
    for before, after in pairwise(lines):
        if (mark := _of_reference(before, after, axis)) is not None:
            yield mark


def _of_episode(episode: Episode, axis: Axis) -> Mark:
    what, end = CAUSES[episode.cause], episode.resolved_at
    until = f"to {words.day_and_time(end, axis.zone)}" if end else "and goes on"
    since = words.day_and_time(episode.opened_at, axis.zone)
    return Mark(
        "episode",
        episode.opened_at,
        end or axis.end,
        what,
        f"{what} from {since} {until}",
        f"/episodes/{quote(episode.id)}",
        goes_on=end is None,
    )


def _of_silence(silence: Silence, axis: Axis) -> Mark:
    what = "Muted" if silence.kind is SilenceKind.MUTE else "Maintenance"
    span = [words.day_and_time(t, axis.zone) for t in (silence.start, silence.until)]
    told = f"{what} from {span[0]} to {span[1]} by {silence.who}: {silence.why}"
    return Mark(silence.kind.value, silence.start, silence.until, what, told)


def _of_request(request: RetrainRequest, axis: Axis) -> Mark:
    when = words.day_and_time(request.requested_at, axis.zone)
    told = f"New model asked for on {when}: {'; '.join(request.reasons)} ({request.state})"
    link = f"/episodes/{quote(request.episode)}" if request.episode else ""
    label = _ASKED.get(request.state, "new model asked for")
    return Mark("retrain", request.requested_at, None, label, told, link)


def _of_reference(before: CheckLine, after: CheckLine, axis: Axis) -> Mark | None:
    """Where checks begin to be held against another reference."""
    if before.reference is None or after.reference is None:
        return None
    old, new = before.reference.version, after.reference.version
    if old == new or new.startswith(_EARLIER_WINDOW):
        return None
    short = new.removeprefix("sha256:")[:8]
    when = words.day_and_time(after.window.start, axis.zone)
    told = f"From {when} held against another reference, {short}"
    return Mark("reference", after.window.start, None, f"reference {short}", told)
