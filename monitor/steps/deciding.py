"""Step 4: one verdict, one sentence; what opens, worsens, resolves; whether to ask for a model."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from monitor.core import episodes, words
from monitor.core.columns import Kind
from monitor.core.comparison import TOLD_DESIGN_EFFECT
from monitor.core.consequences import Change, EpisodeChange, RetrainRequest
from monitor.core.feed import tells_time
from monitor.core.headline import also_in_segments, headline, in_segments, only_where
from monitor.core.numerals import number
from monitor.core.onset import shared_onset
from monitor.core.over_time.variation import MIN_WINDOWS
from monitor.core.records import Check, ColumnResult, DatasetResult, Notice, Verdict, Window
from monitor.core.routing import level_of
from monitor.core.slices.segments import share_alpha
from monitor.core.unproven import UNPROVEN, Series, Terms, unproven, what_proves_it
from monitor.core.verdict import dataset_p, judge_check
from monitor.references import Reference
from monitor.steps.kit import Look, Tools, Watch
from monitor.steps.quieting import was_maintained

if TYPE_CHECKING:
    from monitor.archive import Store

MOST_NAMED = 6  # columns that are named before the others are counted
_WHY_APART = {Kind.TIME: "it tells a time", Kind.ID: "it identifies rows"}


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
        segments=look.segments,
    )
    sentence = words.on_one_line(_sentence(watch, verdict, look, window))
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
        notices=(
            *look.notices,
            *_left_out(watch, look),
            *_blinded(watch, reference, look),
            *(_unproven(watch, look) if verdict is Verdict.PASSED else ()),
        ),
        segments=look.segments,
        slices=look.slices,
        timings_s=timings,
        setup={**watch.setup, **_reproduce(watch.name, window)},
    )


def _sentence(watch: Watch, verdict: Verdict, look: Look, window: Window | None) -> str:
    """What happened, and where in the rows."""
    whole = {c.verdict for c in look.columns} | {f.verdict for f in look.dataset}
    if verdict is Verdict.DRIFTED and Verdict.DRIFTED not in whole:
        return in_segments(look.columns, look.segments)
    sentence = headline(
        verdict,
        look.columns,
        look.dataset,
        look.expectations,
        look.sample,
        names=watch.show_values != "never",
        moved_at=_moved_at(watch, look.columns, window),
        terms=_terms(watch),
    )
    if verdict is not Verdict.DRIFTED:
        return sentence
    where = only_where(look.columns, look.slices)
    return f"{sentence}{where}{also_in_segments(look.columns, look.segments)}"


def _left_out(watch: Watch, look: Look) -> list[Notice]:
    """Which columns say nothing about drift, and how to have them compared.

    The column with the time of a row, where one is named, is left out because it was named; that
    is told when it was wanted as well.
    """
    named = {watch.time} | {n.column for n in look.notices if n.kind == "time_column"}
    apart = [c for c in look.columns if not c.compared and c.name not in named]
    plan = watch.plan
    wanted = {*plan.only, *plan.importance, *plan.critical} & {watch.time}
    time = [tells_time(c.name) for c in look.columns if not c.compared and c.name in wanted]
    if not apart:
        return time
    told = ", ".join(f"`{c.name}` ({_WHY_APART[c.kind]})" for c in apart[:MOST_NAMED])
    more = f" and {len(apart) - MOST_NAMED} more" if len(apart) > MOST_NAMED else ""
    first = apart[0]
    kind = "number" if first.kind is Kind.TIME else "category"
    given = (
        f"`columns: {{{first.name}: {{kind: {kind}}}}}`"
        if watch.name
        else f"`--kind {first.name}={kind}`"
    )
    are = "column is" if len(apart) == 1 else "columns are"
    said = f"{len(apart)} {are} not compared: {told}{more}"
    return [*time, Notice("not_compared", f"{said}; to have one compared, say its kind: {given}")]


def _blinded(watch: Watch, reference: Reference | None, look: Look) -> list[Notice]:
    """Why the reference leaves columns undecided, and which one would not."""
    undecided = [c for c in look.columns if c.verdict is Verdict.UNDECIDED]
    blind = [c for c in undecided if c.design_effect >= TOLD_DESIGN_EFFECT]
    if not blind:
        return []
    told = ", ".join(f"`{c.name}` {number(c.design_effect)}" for c in blind[:MOST_NAMED])
    more = f" and {len(blind) - MOST_NAMED} more" if len(blind) > MOST_NAMED else ""
    held = "windows of the reference"
    if reference is not None and watch.cadence and watch.compare_with == "reference":
        found = reference.calibration(watch.cadence)
        held = f"the {found.past.count} {held}" if found else held
    text = (
        f"design effect: {told}{more}; {held} vary that much more than independent rows, so rows "
        "count for that many times fewer. If a change lies among them, a reference of rows after "
        f"it alone would do; {MIN_WINDOWS} windows tell how much they vary"
    )
    return [Notice("blinded", text)]


def _unproven(watch: Watch, look: Look) -> list[Notice]:
    """Which setting keeps what looks like a drift from being one, and what it would take."""
    terms = _terms(watch)
    unsure = unproven([c for c in look.columns if c.compared], terms.rule)
    if not unsure or terms.maintained:
        return []
    text = what_proves_it(unsure[0], look.columns, look.dataset, look.sample, terms)
    return [Notice(UNPROVEN, text, unsure[0].name)]


def _terms(watch: Watch) -> Terms:
    """What the columns were judged by: beside segments, at their share of alpha."""
    plan = share_alpha(watch.plan) if watch.segments else watch.plan
    series = None
    if watch.name and watch.cadence is not None:
        series = Series(watch.name, watch.cadence, both_sides=watch.compare_with != "reference")
    budget = watch.checks_per_alarm
    return Terms(plan.rule, budget, watch.in_maintenance, series, watch.versus)


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


def subject(monitor: str, window: Window, revision: int = 0) -> dict[str, str]:
    """What lines and spans of a check are about."""
    return {
        "monitor": monitor,
        "window": f"{window.start.isoformat()}/{window.end.isoformat()}",
        "check": check_id(monitor, window, revision),
    }


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

    A window older than one already checked (a backfill, a late look) tells its verdict only, and
    so does one under maintenance.
    """
    if watch.in_maintenance or not is_newest(check, tools.store):
        return (), None
    changes = episodes.advance(tools.store.open_episodes(watch.name), check)
    request = _request(watch, check, changes, tools.store)
    changes = episodes.with_request(changes, request)
    if watch.muted:
        return episodes.as_unheard(changes), request
    return episodes.as_heard(changes, lambda c: _is_heard(watch, check, c)), request


def _is_heard(watch: Watch, check: Check, change: EpisodeChange) -> bool:
    """Whether anybody would be told that an episode opens."""
    cause = change.episode.cause
    level = level_of(check, cause)
    return bool(watch.routing.channels(watch.name, cause, Change.OPENED, level))


def is_newest(check: Check, store: "Store") -> bool:
    """Whether no newer window has been checked: only then does a check change episodes."""
    assert check.window is not None and check.monitor is not None
    newest = store.last_window(check.monitor)
    return newest is None or check.window.start >= newest.start


def _request(
    watch: Watch, check: Check, changes: Sequence[EpisodeChange], store: "Store"
) -> RetrainRequest | None:
    if watch.retrain is None:
        return None
    return episodes.retrain_request(
        watch.retrain,
        check,
        changes,
        recent=_recent(watch, check, store, watch.retrain.confirm - 1),
        last=store.last_retrain(watch.name),
        first=store.first_window(watch.name),
    )


def _recent(watch: Watch, check: Check, store: "Store", count: int) -> list[Check]:
    assert check.window is not None
    if count < 1:
        return []
    stored = store.newest_checks(watch.name, before=check.window.start, limit=count)
    in_a_row, next_start = [], check.window.start
    for before in (s.check for s in stored):
        if before.window is None or before.window.end < next_start or was_maintained(before):
            break  # what was never looked at confirms nothing, and what was not normal neither
        in_a_row.append(before)
        next_start = before.window.start
    return in_a_row
