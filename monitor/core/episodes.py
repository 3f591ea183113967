"""What changed since last time: episodes open, worsen, resolve; when to ask for a new model.

1. A verdict names the causes it breaches: violated → quality, drifted → drift, nothing to look at →
   no-look. Too few rows breaches none.
2. A breach without an open episode of its cause opens one; with one, it continues or worsens it.
3. An episode resolves when a check looked and found its cause gone. A check that saw only part
   (violated data, too few rows) leaves what it could not see as it was.
4. Drift asks for a new model once an episode, after `confirm` windows in a row, not within the
   cooldown, and never while the data is broken.
"""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.core.consequences import Cause, Change, Episode, EpisodeChange, RetrainRequest
from monitor.core.records import Check, Finding, Severity, Verdict, Window
from monitor.core.verdict import strength_of, undecided_names
from monitor.core.words import length

MUCH_WORSE = 2.0  # strength against the worst so far that counts as worse
# The verdict of a check that breaches; of undecided ones only those that saw nothing.
BREACHES = {
    Cause.QUALITY: Verdict.VIOLATED,
    Cause.DRIFT: Verdict.DRIFTED,
    Cause.NO_LOOK: Verdict.UNDECIDED,
}


def advance(open_episodes: Collection[Episode], check: Check) -> tuple[EpisodeChange, ...]:
    """Every episode this check opens, continues, worsens or resolves.

    Windows come in order: one that is older than the last one checked is not for this function.
    """
    breached = _breached(check)
    known = {e.cause: e for e in open_episodes}
    changes = [_open(check, cause) for cause in breached if cause not in known]
    for cause, episode in known.items():
        if cause in breached:
            changes.append(_go_on(episode, check))
        elif cause in _seen_gone(check) and not _is_blind(episode, check):
            changes.append(_resolve(episode, check))
    return tuple(changes)


def _breached(check: Check) -> tuple[Cause, ...]:
    if check.verdict is Verdict.UNDECIDED and not _nothing_seen(check):
        return ()
    return tuple(cause for cause, verdict in BREACHES.items() if check.verdict is verdict)


def _nothing_seen(check: Check) -> bool:
    """No rows or an error; too few rows is nobody's fault and opens nothing."""
    errors = check.expectations is not None and any(
        r.success is None for r in check.expectations.results
    )
    unread = any(f.verdict is Verdict.UNDECIDED and not f.of_drift for f in check.dataset.findings)
    return check.sample.rows_in_window == 0 or errors or unread


def _seen_gone(check: Check) -> tuple[Cause, ...]:
    """The causes this check looked for and did not find."""
    gone: dict[Verdict, tuple[Cause, ...]] = {
        Verdict.PASSED: (Cause.DRIFT, Cause.QUALITY, Cause.NO_LOOK),
        Verdict.DRIFTED: (Cause.QUALITY, Cause.NO_LOOK),
        Verdict.VIOLATED: (Cause.NO_LOOK,),
    }
    return gone.get(check.verdict, ())


def _is_blind(episode: Episode, check: Check) -> bool:
    """Whether a column that drifted, or a test that did, cannot be judged now."""
    if episode.cause is not Cause.DRIFT:
        return False
    unknown = undecided_names(check.columns, check.dataset.findings)
    return not set(unknown).isdisjoint(episode.columns)


def breaching_names(check: Check, cause: Cause) -> tuple[str, ...]:
    """What breaches: drifted columns, failed critical expectations, broken promises of the feed.

    A column that drifted only in a segment drifted, too. Drift of the whole dataset goes by the
    name of its test.
    """
    if cause is Cause.DRIFT:
        partly = [name for s in check.segments for name in s.columns]
        whole = [f.test for f in _whole_drift(check)]
        return tuple(dict.fromkeys([*(c.name for c in check.causes()), *partly, *whole]))
    if cause is Cause.NO_LOOK:
        return ()
    results = check.expectations.results if check.expectations else ()
    failed = [
        f"{r.type}({r.column or ''})"
        for r in results
        if r.success is False and r.severity is Severity.CRITICAL
    ]
    feed = [f.test for f in check.dataset.findings if f.verdict is Verdict.VIOLATED]
    return tuple(dict.fromkeys(feed + failed))


def _whole_drift(check: Check) -> list[Finding]:
    return [f for f in check.dataset.findings if f.of_drift and f.verdict is Verdict.DRIFTED]


def _worst(check: Check, cause: Cause) -> float:
    if cause is Cause.DRIFT:
        strengths = [c.strength for c in check.causes()]
        return max([*strengths, strength_of(_whole_drift(check))])
    return float(len(breaching_names(check, cause)))


def _open(check: Check, cause: Cause) -> EpisodeChange:
    assert check.window is not None and check.monitor is not None
    episode = Episode(
        id=_id("episode", check.monitor, cause.value, check.id),
        monitor=check.monitor,
        cause=cause,
        opened_by=check.id,
        opened_at=check.window.start,
        headline=check.headline,
        last_check=check.id,
        worst=_worst(check, cause),
        columns=breaching_names(check, cause),
    )
    return EpisodeChange(Change.OPENED, episode)


def _go_on(episode: Episode, check: Check) -> EpisodeChange:
    names = breaching_names(check, episode.cause)
    worst = _worst(check, episode.cause)
    new_names = [name for name in names if name not in episode.columns]
    worse = bool(new_names) or worst >= MUCH_WORSE * episode.worst > 0
    grown = replace(
        episode,
        last_check=check.id,
        worst=max(worst, episode.worst),
        columns=(*episode.columns, *new_names),
        breaches=episode.breaches + 1,
        worsened=episode.worsened or worse,
        headline=check.headline if worse else episode.headline,
    )
    return EpisodeChange(Change.WORSENED if worse else Change.CONTINUED, grown)


def _resolve(episode: Episode, check: Check) -> EpisodeChange:
    assert check.window is not None
    ended = replace(
        episode, last_check=check.id, resolved_by=check.id, resolved_at=check.window.start
    )
    return EpisodeChange(Change.RESOLVED, ended)


def as_heard(
    changes: Sequence[EpisodeChange], listens: Callable[[EpisodeChange], bool]
) -> tuple[EpisodeChange, ...]:
    """The changes as people hear them: an episode nobody was told of opens for them now, if
    anybody listens.

    One that ends before anybody was told of it stays untold. What got worse while nobody was to be
    told is told now.
    """
    return tuple(_heard(change, listens) for change in changes)


def _heard(change: EpisodeChange, listens: Callable[[EpisodeChange], bool]) -> EpisodeChange:
    episode = change.episode
    if change.change is Change.RESOLVED:
        return change
    if episode.told:
        again = Change.WORSENED if episode.worse_untold else change.change
        return EpisodeChange(again, replace(episode, worse_untold=False))
    if not listens(change):
        return change
    return EpisodeChange(Change.OPENED, replace(episode, told=True))


def as_unheard(changes: Sequence[EpisodeChange]) -> tuple[EpisodeChange, ...]:
    """The changes where nobody is told of them: what got worse is still to be told."""
    return tuple(
        replace(c, episode=replace(c.episode, worse_untold=True))
        if c.change is Change.WORSENED and c.episode.told
        else c
        for c in changes
    )


def with_request(
    changes: Sequence[EpisodeChange], request: RetrainRequest | None
) -> tuple[EpisodeChange, ...]:
    """The episode remembers the request it gave rise to."""
    if request is None:
        return tuple(changes)
    return tuple(
        replace(c, episode=replace(c.episode, retrain_request=request.id, worsened=False))
        if c.episode.id == request.episode
        else c
        for c in changes
    )


@dataclass(frozen=True, slots=True)
class Condition:
    """One reason to ask for a new model; a function of the check that explains itself, or ""."""

    holds: Callable[[Check], str]


@dataclass(frozen=True, slots=True)
class RetrainPolicy:
    """When to ask a training system for a new model."""

    conditions: tuple[Condition, ...] = ()
    every: timedelta | None = None
    unless: frozenset[Verdict] = frozenset({Verdict.VIOLATED})
    confirm: int = 1
    cooldown: timedelta = timedelta(days=7)


def retrain_request(
    policy: RetrainPolicy,
    check: Check,
    changes: Sequence[EpisodeChange],
    recent: Sequence[Check],
    last: RetrainRequest | None,
    first: Window | None = None,
) -> RetrainRequest | None:
    """The request this check gives rise to, if any.

    `recent` are the checks of the windows just before, newest first; `last` is the monitor's
    latest request; `first` is its first window, from which `every` counts until there is one.
    Pure: the request's id follows from the episode and the window, so asking twice makes the same
    request.
    """
    assert check.window is not None and check.monitor is not None
    if check.verdict in policy.unless or _cooling(policy, last, check.window.end):
        return None
    drifting = (c for c in changes if c.episode.cause is Cause.DRIFT)
    drift = next((c for c in drifting if c.change is not Change.RESOLVED), None)
    reasons = _confirmed(policy, check, recent)
    if reasons and drift and _may_ask(drift, last):
        return _request(check, reasons, drift.episode)
    due = _overdue(policy, check, last, first)
    return _request(check, (due,), None) if due else None


def request_by_hand(
    monitor: str, reason: str, moment: datetime, latest: Check | None, version: str
) -> RetrainRequest:
    """A request that a person asks for, told beside the latest check."""
    return RetrainRequest(
        id=_id("retrain", monitor, "by hand", moment.isoformat()),
        monitor=monitor,
        check=latest.id if latest else None,
        episode=None,
        reasons=(reason if reason.startswith("by hand") else f"by hand: {reason}",),
        reference_version=version,
        window=latest.window if latest else None,
        requested_at=moment,
    )


def drifted_share(limit: float) -> Condition:
    """At least this share of the compared columns drifted."""

    def holds(check: Check) -> str:
        drifted, columns = check.dataset.drifted_columns, check.dataset.columns
        if not columns or drifted / columns < limit:
            return ""
        return f"{drifted} of {columns} columns drifted (at least {limit:.0%} asked for)"

    return Condition(holds)


def column_drifted(name: str) -> Condition:
    """One named column drifted."""

    def holds(check: Check) -> str:
        found = any(c.name == name for c in check.causes())
        return f"{name} drifted" if found else ""

    return Condition(holds)


def column_changed(name: str, statistic: str, by: float) -> Condition:
    """A statistic of a column moved by at least this amount, in the column's own units."""

    def holds(check: Check) -> str:
        column = next((c for c in check.columns if c.name == name), None)
        before, now = (column.statistics if column else {}).get(statistic, (None, None))
        if before is None or now is None or abs(now - before) < by:
            return ""
        return f"{statistic} of {name} moved from {before:.4g} to {now:.4g} (by {by:g} asked for)"

    return Condition(holds)


def _confirmed(policy: RetrainPolicy, check: Check, recent: Sequence[Check]) -> tuple[str, ...]:
    """The reasons of this check, when the windows before it had reasons too."""
    reasons = _reasons(policy, check)
    before = recent[: policy.confirm - 1]
    steady = len(before) == policy.confirm - 1 and all(_reasons(policy, c) for c in before)
    return reasons if steady else ()


def _reasons(policy: RetrainPolicy, check: Check) -> tuple[str, ...]:
    if check.verdict in policy.unless:
        return ()
    return tuple(filter(None, (c.holds(check) for c in policy.conditions)))


def _may_ask(drift: EpisodeChange, last: RetrainRequest | None) -> bool:
    """Once an episode; again only when it worsened or the trainer refused."""
    if drift.episode.retrain_request is None:
        return True
    refused = last is not None and last.episode == drift.episode.id and last.state == "refused"
    return drift.episode.worsened or refused


def _cooling(policy: RetrainPolicy, last: RetrainRequest | None, now: datetime) -> bool:
    return last is not None and now - last.requested_at < policy.cooldown


def _overdue(
    policy: RetrainPolicy, check: Check, last: RetrainRequest | None, first: Window | None
) -> str:
    since = last.requested_at if last else first.start if first else None
    if policy.every is None or since is None or check.window is None:
        return ""
    passed = check.window.end - since
    if passed < policy.every:
        return ""
    return f"{length(passed)} since the last model (every {length(policy.every)} asked for)"


def _request(check: Check, reasons: tuple[str, ...], episode: Episode | None) -> RetrainRequest:
    assert check.window is not None and check.monitor is not None
    return RetrainRequest(
        id=_id("retrain", check.monitor, episode.id if episode else "", check.id),
        monitor=check.monitor,
        check=check.id,
        episode=episode.id if episode else None,
        reasons=reasons,
        reference_version=check.reference.version if check.reference else "",
        window=check.window,
        requested_at=check.window.end,
    )


def _id(kind: str, *parts: str) -> str:
    """A short id that follows from what it stands for."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]
    return f"{kind}-{digest}"
