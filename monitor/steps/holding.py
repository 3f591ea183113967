"""Step 3, first half: what the window is held against, and how much such windows vary."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from monitor.core import words
from monitor.core.over_time.calibration import Calibration, Measure
from monitor.core.over_time.earlier import LAST_WEEK, earlier_window, versus
from monitor.core.over_time.phases import Cadence
from monitor.core.over_time.variation import MIN_WINDOWS
from monitor.core.records import Finding, Notice, Verdict, Window
from monitor.errors import CouldNotLook
from monitor.ports import Sample, Source, StoredReference
from monitor.references import Reference
from monitor.steps.kit import Look, Timings, Watch


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """The other side of the comparison, and the yardstick of its columns."""

    reference: Reference | None
    measure: Measure | None = None


def hold_against(
    watch: Watch,
    reference: Reference | None,
    window: Window,
    seen: tuple[Sample | None, Look],
    source: Source,
    timings: Timings,
    maintained: Callable[[Window], bool] = lambda _: False,
) -> tuple[Held, Look]:
    """3. compare, at first: the reference, or the rows of the earlier window that is configured.

    Of an earlier window the reference still tells kinds, schema, and how much windows vary; without
    one these are told by that window alone. A window that has none before it is `undecided`, and so
    is one whose earlier window was `maintained`: what is not normal is no yardstick.
    """
    sample, look = seen
    cadence = watch.cadence
    if cadence is None or sample is None or not sample.info.rows:
        return Held(reference), look
    earlier = None
    if watch.compare_with != "reference":
        with timings.step("sample"):
            before = earlier_window(window, watch.compare_with, cadence)
            if maintained(before):
                look = _no_baseline(look, f"{_named(watch, before)} is under maintenance")
            else:
                earlier, look = _earlier(watch, before, reference, source, look)
        if earlier is None:
            return Held(None), look
    held = earlier or reference
    if not watch.calibrate or held is None:
        return Held(held), look
    with timings.step("compare"):
        calibration, notices = _calibration(reference, cadence)
    look = replace(look, notices=(*look.notices, *notices))
    if calibration is None or reference is None:
        return Held(held), look
    if earlier is None:
        return Held(held, calibration.against_reference(cadence.phase(window))), look
    measure = calibration.against_window(
        reference.sample.columns, reference.summaries, same_phase=watch.compare_with == LAST_WEEK
    )
    return Held(held, measure), look


def _calibration(
    reference: Reference | None, cadence: Cadence
) -> tuple[Calibration | None, list[Notice]]:
    """How much windows of the reference vary; where that is not known, one line says why."""
    found = reference.calibration(cadence) if reference else None
    if found is not None and found.past.count >= MIN_WINDOWS:
        return found, []
    if found is not None:
        held = words.plural(found.past.count, "window")
        needed = f"{MIN_WINDOWS} are needed to tell how much they vary"
        text = f"the reference holds {held} like this one; {needed}"
    else:
        why = "the reference tells no times" if reference else "there is no reference"
        text = f"{why}, so it is not known how much windows vary"
    return None, [Notice("not_calibrated", text)]


def _earlier(
    watch: Watch, before: Window, reference: Reference | None, source: Source, look: Look
) -> tuple[Reference | None, Look]:
    """The rows of the earlier window as a reference; none, and a finding, when there are none."""
    named = _named(watch, before)
    try:
        sample = source.read(before, columns=watch.needed, limit=watch.sample_rows, seed=watch.seed)
        if sample.info.rows:
            return as_reference(watch.name, before, named, sample, reference), look
        reason = f"there are no rows of {named} to compare with{_feed_begins(before, source)}"
    except CouldNotLook as error:
        reason = f"the rows of {named} could not be read: {error}"
    return None, _no_baseline(look, reason)


def _named(watch: Watch, before: Window) -> str:
    assert watch.cadence is not None, "only a window of a series has one before it"
    told = words.window(before, watch.cadence.zone)
    return f"{versus(watch.compare_with, watch.cadence)} ({told})"


def _no_baseline(look: Look, reason: str) -> Look:
    missing = Finding(test="baseline", verdict=Verdict.UNDECIDED, reason=reason)
    return replace(look, dataset=(*look.dataset, missing))


def _feed_begins(before: Window, source: Source) -> str:
    """The first windows of a feed have nothing before them, and nobody need search for it."""
    rows = source.span()
    return ": the feed begins later" if rows and rows.start >= before.end else ""


def as_reference(
    monitor: str,
    before: Window,
    named: str,
    sample: Sample,
    reference: Reference | None = None,
) -> Reference:
    """A window that another one is held against.

    Kinds, dtypes, and which columns some files may lack are those of `reference`.
    """
    frozen = reference.stored if reference else None
    precise = "seconds" if before.start.second or before.end.second else "minutes"
    start, end = (moment.isoformat(timespec=precise) for moment in (before.start, before.end))
    stored = StoredReference(
        monitor=monitor,
        version=f"window:{start}/{end}",
        rows=sample.info.rows,
        path="",
        kinds=frozen.kinds if frozen else {},
        dtypes=frozen.dtypes if frozen else {n: c.dtype for n, c in sample.columns.items()},
        built_at=before.end,
        origin=named,
    )
    optional = reference.sample.optional if reference else ()
    return Reference(stored, replace(sample, optional=optional))
