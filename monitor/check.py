"""THE STORY, read this first: one check of one monitor on one window, in six named steps.

1. sample    the rows of the window, read once
2. validate  them against the expectation suite, when there is one
3. compare   them with the reference, when there is one
4. decide    findings → verdict and headline; episodes; whether to ask for a new model
5. report    one page, and a page for digging when an episode opens
6. remember  the check and all its consequences in one transaction; the outbox alerts

What cannot be looked at is a finding with the verdict `undecided`, never silence.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from monitor.core import episodes, feed, messages, words
from monitor.core.comparison import Plan, compare_columns
from monitor.core.headline import headline
from monitor.core.onset import shared_onset
from monitor.core.records import (
    Cause,
    Change,
    Check,
    ColumnResult,
    DatasetResult,
    EpisodeChange,
    ExpectationReport,
    Finding,
    Message,
    Notice,
    RetrainRequest,
    SampleInfo,
    Verdict,
    Window,
)
from monitor.core.verdict import dataset_p, judge_check
from monitor.errors import AskedWrongly, CouldNotLook
from monitor.ports import (
    Clock,
    Draw,
    Explorer,
    Outcome,
    Reports,
    Sample,
    Source,
    Store,
    Validator,
)
from monitor.references import Reference

HISTORY = 30  # past checks a report shows
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Watch:
    """One monitor, ready to be checked: what configuration says, as the story needs it."""

    name: str
    plan: Plan
    sample_rows: int | None = None
    seed: int = 0
    suite: str | None = None
    max_age: timedelta | None = None
    min_rows: int | None = None
    label: str | None = None  # may arrive later: its absence is no violation
    timezone: tzinfo = UTC
    show_values: str = "levels"
    explorer: str = "on_open"
    channels: tuple[str, ...] = ()
    retrain: episodes.RetrainPolicy | None = None
    setup: Mapping[str, Any] = field(default_factory=dict)  # for the foot of the report


@dataclass(frozen=True, slots=True)
class Tools:
    """The adapters a check works with, as sockets."""

    source: Source
    store: Store
    validator: Validator
    reports: Reports
    draw: Draw
    explorer: Explorer
    clock: Clock
    check_url: Callable[[str], str] = lambda _: ""


@dataclass(frozen=True, slots=True)
class Look:
    """What steps 1 to 3 found, before anything is decided."""

    sample: SampleInfo
    columns: tuple[ColumnResult, ...] = ()
    expectations: ExpectationReport | None = None
    dataset: tuple[Finding, ...] = ()
    notices: tuple[Notice, ...] = ()


class Timings(dict[str, float]):
    """Seconds by step; 0 for a step that did not run."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(("sample", "validate", "compare", "report"), 0.0))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self[name] = round(time.perf_counter() - began, 4)


def run_check(
    watch: Watch, reference: Reference | None, window: Window, tools: Tools, *, revision: int = 0
) -> Outcome:
    """Everything up to the last step: a check and its consequences, not yet stored."""
    timings = Timings()
    sample, look = sample_window(watch, window, tools.source, timings)
    look = look_at(watch, reference, sample, look, tools.validator, timings)
    check = decide(watch, reference, window, look, timings, revision)
    changes, request = consequences(watch, check, tools)
    explorer, check = explore(watch, reference, sample, changes, check, tools)
    told = announce(watch, check, changes, request, tools)
    check = replace(check, timings_s=timings, made_at=tools.clock())
    report = write_report(watch, check, told, explorer, tools, timings)
    return Outcome(check, changes, told, request, report, revision)


def sample_window(
    watch: Watch, window: Window, source: Source, timings: Timings
) -> tuple[Sample | None, Look]:
    """1. sample: the rows of the window; a source that cannot be read is a finding."""
    with timings.step("sample"):
        try:
            sample = source.read(window, limit=watch.sample_rows, seed=watch.seed)
        except CouldNotLook as error:
            unread = Finding(test="source", verdict=Verdict.UNDECIDED, reason=str(error))
            return None, Look(SampleInfo(0, 0, "none"), dataset=(unread,))
    findings = []
    if watch.max_age is not None:
        findings.append(feed.freshness(sample.info.newest, window.end, watch.max_age))
    if watch.min_rows is not None:
        findings.append(feed.volume(sample.info.rows_in_window, watch.min_rows))
    return sample, Look(sample.info, dataset=tuple(findings), notices=sample.notices)


def look_at(
    watch: Watch,
    reference: Reference | None,
    sample: Sample | None,
    look: Look,
    validator: Validator,
    timings: Timings,
) -> Look:
    """2. validate and 3. compare the sampled rows; an empty window has nothing to look at."""
    if sample is None or not sample.info.rows:
        return look
    with timings.step("validate"):
        look = _validate(watch, sample, look, validator)
    with timings.step("compare"):
        return look if reference is None else _compare(watch, reference, sample, look)


def _validate(watch: Watch, sample: Sample, look: Look, validator: Validator) -> Look:
    """An engine that breaks is `undecided`; a suite that is wrong is the user's to mend."""
    if watch.suite is None:
        return look
    try:
        report = validator.validate(watch.suite, sample, show_values=watch.show_values)
    except AskedWrongly:
        raise
    except Exception as error:
        log.exception("monitor=%s the expectation suite could not be evaluated", watch.name)
        reason = f"the expectation suite could not be evaluated ({type(error).__name__})"
        broken = Finding(test="validation", verdict=Verdict.UNDECIDED, reason=reason)
        return replace(look, dataset=(*look.dataset, broken))
    return replace(look, expectations=report)


def _compare(watch: Watch, reference: Reference, sample: Sample, look: Look) -> Look:
    late = {watch.label} if watch.label else set()
    wants = watch.plan.wants
    findings, notices = feed.schema(
        {name: dtype for name, dtype in reference.stored.dtypes.items() if wants(name)},
        {name: column for name, column in sample.columns.items() if wants(name)},
        late,
    )
    columns = compare_columns(
        reference.sample.columns,
        sample.columns,
        watch.plan,
        reference.summaries,
        sample.times,
    )
    return replace(
        look,
        columns=columns,
        dataset=(*look.dataset, *findings),
        notices=(*look.notices, *notices, *_watched(columns)),
    )


def _watched(columns: Sequence[ColumnResult]) -> list[Notice]:
    return [
        Notice("column_watch", f"{c.name}: {c.reason}", c.name)
        for c in columns
        if c.verdict is Verdict.WATCH
    ]


def decide(
    watch: Watch,
    reference: Reference | None,
    window: Window | None,
    look: Look,
    timings: Mapping[str, float],
    revision: int = 0,
) -> Check:
    """4. decide: one verdict and one sentence."""
    compared = [c for c in look.columns if c.compared]
    verdict = judge_check(
        look.columns,
        look.dataset,
        look.expectations,
        rows=look.sample.rows,
        expected_to_compare=reference is not None,
    )
    sentence = headline(
        verdict,
        look.columns,
        look.dataset,
        look.expectations,
        look.sample,
        names=watch.show_values != "never",
        moved_at=_moved_at(watch, look.columns, window),
    )
    dataset = DatasetResult(
        p_value=dataset_p(look.columns),
        drifted_columns=sum(c.verdict is Verdict.DRIFTED for c in compared),
        columns=len(compared),
        findings=look.dataset,
    )
    return Check(
        id=check_id(watch.name, window, revision),
        verdict=verdict,
        headline=sentence,
        columns=look.columns,
        dataset=dataset,
        sample=look.sample,
        reference=reference.info if reference else None,
        monitor=watch.name or None,
        window=window,
        expectations=look.expectations,
        notices=look.notices,
        timings_s=timings,
        setup={**watch.setup, **_reproduce(watch.name, window)},
    )


def _moved_at(watch: Watch, columns: Sequence[ColumnResult], window: Window | None) -> str:
    """The one moment at which the drifted columns moved, in the monitor's time; "" without one."""
    if window is None:
        return ""
    moments = [c.onset for c in columns if c.verdict is Verdict.DRIFTED]
    moment = shared_onset(moments, window)
    if moment is None:
        return ""
    local = moment.astimezone(watch.timezone)
    return f"{words.day_and_time(moment, watch.timezone)} {local.tzname()}"


def _reproduce(monitor: str, window: Window | None) -> dict[str, str]:
    """The command that makes this check again."""
    if window is None or not monitor:
        return {}
    return {"command": f"monitor check {monitor} --at {window.start.isoformat()} --again"}


def check_id(monitor: str, window: Window | None, revision: int) -> str:
    """An id that follows from what is checked, so that a check made again after a crash is the
    same check: `loans-20260105T0000-20260106T0000`, with `-2` for the second look and so on."""
    if window is None:
        return "compare"
    again = f"-{revision + 1}" if revision else ""
    return f"{monitor}-{_stamp(window.start)}-{_stamp(window.end)}{again}"


def _stamp(moment: datetime) -> str:
    """To the minute, as windows are; with seconds for those that are shorter."""
    return f"{moment:%Y%m%dT%H%M%S}" if moment.second else f"{moment:%Y%m%dT%H%M}"


def consequences(
    watch: Watch, check: Check, tools: Tools
) -> tuple[tuple[EpisodeChange, ...], RetrainRequest | None]:
    """4. decide, continued: what opens, worsens, resolves, and whether to ask for a new model.

    A window older than one already checked (a backfill, a late look) tells its verdict only.
    """
    assert check.window is not None
    newest = tools.store.last_window(watch.name)
    if newest is not None and check.window.start < newest.start:
        return (), None
    changes = episodes.advance(tools.store.open_episodes(watch.name), check)
    if watch.retrain is None:
        return changes, None
    request = episodes.retrain_request(
        watch.retrain,
        check,
        changes,
        recent=_recent(watch, check, tools.store, watch.retrain.confirm - 1),
        last=tools.store.last_retrain(watch.name),
        first=tools.store.first_window(watch.name),
    )
    return _with_request(changes, request), request


def _recent(watch: Watch, check: Check, store: Store, count: int) -> list[Check]:
    assert check.window is not None
    if count < 1:
        return []
    stored = store.list_checks(watch.name, before=check.window.start, limit=count)
    return [s.check for s in stored]


def _with_request(
    changes: tuple[EpisodeChange, ...], request: RetrainRequest | None
) -> tuple[EpisodeChange, ...]:
    """The episode remembers the request it gave rise to."""
    if request is None:
        return changes
    return tuple(
        replace(c, episode=replace(c.episode, retrain_request=request.id))
        if c.episode.id == request.episode
        else c
        for c in changes
    )


def explore(
    watch: Watch,
    reference: Reference | None,
    sample: Sample | None,
    changes: Sequence[EpisodeChange],
    check: Check,
    tools: Tools,
) -> tuple[str | None, Check]:
    """5. report: the page for digging, when configured; when it fails, the check does not."""
    if reference is None or sample is None or not _wants_explorer(watch, check, changes):
        return None, check
    try:
        kinds = {c.name: str(c.kind) for c in check.columns if c.compared}
        page = tools.explorer.explore(reference.sample, sample, kinds)
        name = f"{check.id}-explore.html"
        tools.reports.write(name, page)
        return name, check  # beside the report: a link without a folder leads there
    except Exception as error:
        log.warning("check=%s the explorer page failed: %s", check.id, error)
        text = f"the page for digging could not be made ({type(error).__name__})"
        return None, replace(check, notices=(*check.notices, Notice("explorer_failed", text)))


def _wants_explorer(watch: Watch, check: Check, changes: Sequence[EpisodeChange]) -> bool:
    opened = any(c.change is Change.OPENED and c.episode.cause is Cause.DRIFT for c in changes)
    breach = check.verdict in (Verdict.DRIFTED, Verdict.VIOLATED)
    when = {"never": False, "on_open": opened, "on_breach": breach, "always": True}
    return check.sample.rows > 0 and when[watch.explorer]


def announce(
    watch: Watch,
    check: Check,
    changes: Sequence[EpisodeChange],
    request: RetrainRequest | None,
    tools: Tools,
) -> tuple[Message, ...]:
    """6. remember: what will be said to whom, as messages for the outbox."""
    report_url = tools.reports.location(report_name(check))
    check_url = tools.check_url(check.id)
    told = messages.alerts(
        check,
        changes,
        channels=watch.channels,
        report_url=report_url,
        check_url=check_url,
        created_at=tools.clock(),
        show_values=watch.show_values,
    )
    if request is None:
        return told
    asked = messages.retrain_message(
        request, report_url=report_url, check_url=check_url, created_at=tools.clock()
    )
    return (*told, asked)


def _in_words(message: Message) -> str:
    """What is said to whom, for the report."""
    if message.kind == "retrain.requested":
        return "training system: asked for a new model"
    return f"{message.channel}: {message.kind.replace('.', ' ')}"


def report_name(check: Check) -> str:
    return f"{check.id}.html"


def write_report(
    watch: Watch,
    check: Check,
    told: Sequence[Message],
    explorer: str | None,
    tools: Tools,
    timings: Timings,
) -> str:
    """5. report: one page beside the page for digging."""
    with timings.step("report"):
        assert check.window is not None
        past = tools.store.list_checks(watch.name, before=check.window.start, limit=HISTORY)
        page = tools.draw(
            check,
            history=[s.check for s in reversed(past)],
            explorer=explorer,
            sent=[_in_words(message) for message in told],
            show_values=watch.show_values,
        )
        tools.reports.write(report_name(check), page)
    return report_name(check)
