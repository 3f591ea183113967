"""Steps 1 to 3: sample the window, validate the rows, compare them with the reference."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.core import feed
from monitor.core.columns import Stream
from monitor.core.comparison import Current
from monitor.core.dataset_comparison import compare_table
from monitor.core.numerals import count
from monitor.core.over_time.calibration import Measure
from monitor.core.records import ColumnResult, Finding, Notice, SampleInfo, Verdict, Window
from monitor.core.side_by_side import side_by_side
from monitor.core.slices.search import search_slices
from monitor.core.slices.segments import compare_segments, share_alpha
from monitor.core.slices.within import Drawn, Within, of_some_rows
from monitor.core.summaries.windows import WindowSummaries
from monitor.errors import AskedWrongly, CouldNotLook
from monitor.ports import Sample, Source, Validator
from monitor.references import Reference
from monitor.steps.kit import Look, Timings, Watch

log = logging.getLogger(__name__)

SOURCE = "source"  # the finding on rows that could not be read
CHANGED_TOLD = 3  # files that are named


def sample_window(
    watch: Watch, window: Window, source: Source, timings: Timings
) -> tuple[Sample | None, Look]:
    """1. sample: the rows of the window; a source that cannot be read is a finding."""
    with timings.step("sample"):
        try:
            sample = source.read(
                window, columns=watch.needed, limit=watch.sample_rows, seed=watch.seed
            )
        except CouldNotLook as error:
            return None, unread_look(str(error))
    findings = []
    if watch.max_age is not None:
        findings.append(feed.freshness(sample.info.newest, window.end, watch.max_age))
    if watch.min_rows is not None:
        findings.append(feed.volume(sample.info.rows_in_window, watch.min_rows))
    return sample, Look(sample.info, dataset=tuple(findings), notices=sample.notices)


def unread_look(reason: str) -> Look:
    """What is seen of rows that cannot be read: the reason, as a finding."""
    return Look(SampleInfo(0, 0, "none"), dataset=(_unread(reason),))


def validate_rows(
    watch: Watch, sample: Sample | None, look: Look, validator: Validator, timings: Timings
) -> Look:
    """2. validate: an empty window has nothing to validate."""
    if sample is None or not sample.info.rows or watch.suite is None:
        return look
    with timings.step("validate"):
        return _validate(watch, watch.suite, sample, look, validator)


def compare_rows(
    watch: Watch,
    reference: Reference | None,
    sample: Sample | None,
    look: Look,
    timings: Timings,
    measure: Measure | None = None,
) -> Look:
    """3. compare: an empty window has nothing to compare, nor has one without a reference."""
    if sample is None or not sample.info.rows:
        return look
    if reference is None:
        return replace(look, notices=(*look.notices, *feed.uneven(sample.layouts)))
    with timings.step("compare"):
        return _compare(watch, reference, sample, look, measure)


def confirm_files(reference: Reference | None, sample: Sample | None, look: Look) -> Look:
    """3. compare, at last: files that changed meanwhile are a finding, and nothing is a pass.

    What was read before the change and what was read after it are rows of two datasets.
    """
    sides = (None if reference is None else reference.sample), sample
    try:
        changed = [name for side in sides if side is not None for name in side.changed()]
    except CouldNotLook as error:
        reason = f"whether the files are still those that were read cannot be told: {error}"
        return replace(look, dataset=(*look.dataset, _unread(reason)))
    if not changed:
        return look
    more = f" and {len(changed) - CHANGED_TOLD} more" if len(changed) > CHANGED_TOLD else ""
    told = f"{', '.join(changed[:CHANGED_TOLD])}{more}"
    verb = "was" if len(changed) == 1 else "were"
    reason = f"{told} {verb} replaced, changed or removed during the check"
    return replace(look, dataset=(*look.dataset, _unread(reason)))


def _unread(reason: str) -> Finding:
    return Finding(test=SOURCE, verdict=Verdict.UNDECIDED, reason=reason)


def _validate(watch: Watch, suite: str, sample: Sample, look: Look, validator: Validator) -> Look:
    """An engine that breaks is `undecided`; a suite that is wrong is the user's to mend."""
    try:
        report = validator.validate(suite, sample, show_values=watch.show_values)
    except AskedWrongly:
        raise
    except CouldNotLook as error:
        reason = f"the expectation suite could not be evaluated: {error}"
        unread = Finding(test="validation", verdict=Verdict.UNDECIDED, reason=reason)
        return replace(look, dataset=(*look.dataset, unread))
    except Exception as error:
        log.exception("monitor=%s the expectation suite could not be evaluated", watch.name)
        reason = f"the expectation suite could not be evaluated ({type(error).__name__})"
        broken = Finding(test="validation", verdict=Verdict.UNDECIDED, reason=reason)
        return replace(look, dataset=(*look.dataset, broken))
    return replace(look, expectations=report)


def _compare(
    watch: Watch, reference: Reference, sample: Sample, look: Look, measure: Measure | None
) -> Look:
    late = {watch.label} if watch.label else set()
    wants = watch.plan.wants
    findings, notices = feed.schema(
        {name: dtype for name, dtype in reference.stored.dtypes.items() if wants(name)},
        {name: column for name, column in sample.columns.items() if wants(name)},
        late,
        sample.layouts,
        reference.sample.optional,
    )
    plan = share_alpha(watch.plan) if watch.segments else watch.plan
    before, now = reference.sample.columns, sample.columns
    kept = WindowSummaries()
    current = Current(now, sample.times, measure, kept if watch.name else None)  # else not stored
    with side_by_side(before, now) as run:
        columns, whole = compare_table(before, current, plan, reference.summaries, run)
    partly = measure and of_some_rows(measure, before, reference.summaries)
    within = Within(plan, partly, watch.versus)
    look = _locate(watch, within, (before, now), columns, look)
    return replace(
        look,
        columns=columns,
        dataset=(*look.dataset, *findings, *whole),
        notices=(*look.notices, *notices, *watched(columns)),
        summaries=kept.kept,
    )


def _locate(
    watch: Watch,
    within: Within,
    sides: tuple[Mapping[str, Stream], Mapping[str, Stream]],
    columns: Sequence[ColumnResult],
    look: Look,
) -> Look:
    """Where in the rows: the configured segments, and what explains the drift of columns.

    An explanation that cannot be had is missed, and changes nothing else. Of columns that are too
    large to be held, the drawn rows are looked at.
    """
    compared = [c for c in columns if c.compared]
    names = dict.fromkeys([*(c.name for c in compared), *watch.segments])
    before, now = (Drawn(side, dict.fromkeys(n for n in names if n in side)) for side in sides)
    whole = before.whole and now.whole
    look = replace(look, segments=compare_segments(before, now, within, watch.segments))
    if watch.segments and not whole:
        text = f"segments were compared in {count(now.rows)} rows drawn at random"
        look = replace(look, notices=(*look.notices, Notice("segments_drawn", text)))
    if not watch.explain:
        return look
    try:
        found = search_slices(before, now, within, compared, seed=watch.seed, whole=whole)
        return replace(look, slices=found)
    except Exception as error:
        log.exception("monitor=%s the slices of a drift could not be searched", watch.name)
        missed = f"where in the rows could not be searched ({type(error).__name__})"
        return replace(look, notices=(*look.notices, Notice("slices_not_searched", missed)))


def watched(columns: Sequence[ColumnResult]) -> list[Notice]:
    """A line for every column to watch."""
    return [
        Notice("column_watch", f"{c.name}: {c.reason}", c.name)
        for c in columns
        if c.verdict is Verdict.WATCH
    ]
