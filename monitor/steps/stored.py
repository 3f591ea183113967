"""Stored windows: which ones a text names, and what their checks kept of the columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise

from monitor.archive import Store
from monitor.configuration.fields import parse_time
from monitor.core import words
from monitor.core.records import Check, ColumnResult, Notice, SampleInfo, Window
from monitor.core.summaries.binary import Kept, UnknownForm, from_bytes
from monitor.errors import AskedWrongly, CouldNotLook, UnknownCheck
from monitor.steps.kit import Watch

MOST_WINDOWS = 1000  # of a range: what all of them kept is held at once
PAGE = 200  # checks that are looked through at once
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Stored:
    """Windows that stand for one: their checks, oldest first, and what each of them kept."""

    checks: tuple[Check, ...]
    kept: tuple[Kept, ...]  # one a check
    notices: tuple[Notice, ...] = ()

    @property
    def window(self) -> Window:
        """From the beginning of the first one to the end of the last."""
        return Window(window_of(self.checks[0]).start, window_of(self.checks[-1]).end)

    @property
    def sample(self) -> SampleInfo:
        each = [check.sample for check in self.checks]
        rows, seen = sum(s.rows for s in each), sum(s.rows_in_window for s in each)
        method = "all" if rows == seen else each[-1].method
        return SampleInfo(rows, seen, method, each[-1].seed, each[-1].newest)

    def called(self, watch: Watch) -> str:
        """The window of Mon 5 Jan 2026, or the 24 windows of it."""
        many = len(self.checks)
        noun = "the window" if many == 1 else f"the {many} windows"
        return f"{noun} of {words.window(self.window, watch.timezone)}"

    @cached_property
    def results(self) -> dict[str, list[ColumnResult]]:
        """What the checks say about each column, oldest first; columns as in the newest check."""
        found = {c.name: list[ColumnResult]() for check in self.checks[::-1] for c in check.columns}
        for check in self.checks:
            for column in check.columns:
                found[column.name].append(column)
        return found

    @cached_property
    def rows_counted(self) -> dict[str, list[tuple[int, float]]]:
        """By column, of each window: its values, and how many times fewer they counted."""
        found: dict[str, list[tuple[int, float]]] = {}
        for check, kept in zip(self.checks, self.kept, strict=True):
            for column in check.columns:
                if column.name in kept:
                    rows = kept[column.name][1].present
                    found.setdefault(column.name, []).append((rows, column.design_effect))
        return found


def find(asked: str, watch: Watch, store: Store) -> Stored:
    """The windows of a check id, of a time in one of them, or of a range FROM..TO.

    Raises AskedWrongly when there are none, CouldNotLook when nothing was kept of them.
    """
    start, is_range, end = asked.partition("..")
    if is_range:
        span = Window(_moment(start, watch), _moment(end, watch))
        checks, notices = _of_range(span, watch, store)
    else:
        checks, notices = [_one(asked, watch, store)], []
    kept = [(check, _kept(check, store)) for check in checks]
    held = [(check, found) for check, found in kept if found]
    bare = [_nothing_kept(check) for check, found in kept if not found]
    if not held:
        raise bare[-1]
    if bare:
        told = f"{bare[0]}; {bare[0].hint}" if bare[0].hint else str(bare[0])
        text = f"{words.plural(len(bare), 'stored window')} left out: {told}"
        notices.append(Notice("windows_left_out", text))
    return Stored(tuple(c for c, _ in held), tuple(k for _, k in held), tuple(notices))


def window_of(check: Check) -> Window:
    assert check.window is not None, "the checks of a monitor are about windows"
    return check.window


# --- One window ---


def _one(asked: str, watch: Watch, store: Store) -> Check:
    found = store.get_check(asked)
    if found is None:
        return _at(asked, watch, store)
    if found.check.monitor != watch.name:
        raise AskedWrongly(f"{asked} is a check of {found.check.monitor}, not of {watch.name}")
    return found.check


def _at(asked: str, watch: Watch, store: Store) -> Check:
    """The newest stored window that contains a time."""
    try:
        moment = parse_time(asked, watch.timezone)
    except ValueError:
        known = [s.check.id for s in store.newest_checks(watch.name, limit=500)]
        raise UnknownCheck(asked, known) from None
    for stored in store.newest_checks(watch.name, before=moment + _INSTANT, limit=PAGE):
        if window_of(stored.check).end > moment:
            return stored.check
    raise _none_stored(f"no stored window of {watch.name} contains {asked}", watch, store)


# --- A range ---


def _of_range(span: Window, watch: Watch, store: Store) -> tuple[list[Check], list[Notice]]:
    """The windows that lie wholly in a range, oldest first; none overlaps another."""
    if span.start >= span.end:
        raise AskedWrongly("the range ends before it begins", hint="write it as FROM..TO")
    found = _inside(span, watch, store)
    told = words.window(span, watch.timezone)
    if not found:
        raise _none_stored(f"no stored window of {watch.name} lies in {told}", watch, store)
    if len(found) > MOST_WINDOWS:
        raise AskedWrongly(
            f"{len(found)} windows lie in {told}, and at most {MOST_WINDOWS} are added up",
            hint="name a shorter range",
        )
    if any(window_of(later).start < window_of(c).end for c, later in pairwise(found)):
        raise AskedWrongly(
            f"stored windows in {told} overlap, and rows in two of them would count twice",
            hint="name one window, or a range in which windows follow one another",
        )
    return found, _gaps(found, span, watch)


def _inside(span: Window, watch: Watch, store: Store) -> list[Check]:
    found: list[Check] = []
    before = span.end
    while before > span.start:
        page = [s.check for s in store.newest_checks(watch.name, before=before, limit=PAGE)]
        if not page:
            break
        windows = [(check, window_of(check)) for check in page]
        found += [c for c, w in windows if w.start >= span.start and w.end <= span.end]
        before = windows[-1][1].start
    return found[::-1]


def _gaps(found: Sequence[Check], span: Window, watch: Watch) -> list[Notice]:
    """A line on parts of the range of which no window is stored."""
    ends = [span.start, *(window_of(c).end for c in found)]
    starts = [*(window_of(c).start for c in found), span.end]
    gaps = [Window(end, start) for end, start in zip(ends, starts, strict=True) if start > end]
    if not gaps:
        return []
    others = f", and {words.plural(len(gaps) - 1, 'other gap')}" if len(gaps) > 1 else ""
    text = f"there is no stored window of {words.window(gaps[0], watch.timezone)}{others}"
    return [Notice("windows_missing", text)]


def _moment(text: str, watch: Watch) -> datetime:
    try:
        return parse_time(text, watch.timezone)
    except ValueError:
        raise AskedWrongly(
            f"{text!r} is not a time", hint="write a range as 2026-03-01..2026-03-08"
        ) from None


def _none_stored(what: str, watch: Watch, store: Store) -> AskedWrongly:
    first, last = store.first_window(watch.name), store.last_window(watch.name)
    if first is None or last is None:
        hint = f"nothing is stored yet; `monitor backfill {watch.name}` checks what there is"
    else:
        span = words.window(Window(first.start, last.end), watch.timezone)
        hint = f"windows are stored of {span}"
    return AskedWrongly(what, hint=hint)


# --- What was kept ---


def _kept(check: Check, store: Store) -> Kept | None:
    content = store.summaries(check.id)
    try:
        return None if content is None else from_bytes(content)
    except UnknownForm as error:
        raise CouldNotLook(
            f"what check {check.id} kept of its columns cannot be read: {error}", hint=_anew(check)
        ) from None


def _nothing_kept(check: Check) -> CouldNotLook:
    """Why there is nothing: no rows, or a check of an earlier version."""
    if not any(c.findings for c in check.columns):
        return CouldNotLook(f"nothing was compared in check {check.id} ({check.headline})")
    return CouldNotLook(
        f"check {check.id} was made by an earlier version, which kept nothing of its columns",
        hint=_anew(check),
    )


def _anew(check: Check) -> str:
    start = window_of(check).start.isoformat()
    return f"`monitor check {check.monitor} --at {start} --again` looks at its rows again"
