"""What to say: the changes of episodes and a retrain request, as messages for the outbox."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from monitor.core.numerals import count, number, pair, share
from monitor.core.people import AuditEntry
from monitor.core.records import (
    Cause,
    Change,
    Check,
    ColumnResult,
    Episode,
    EpisodeChange,
    ExpectationResult,
    Finding,
    Kind,
    Message,
    RetrainRequest,
    Severity,
    Verdict,
    Window,
)
from monitor.core.routing import Routing, level_of
from monitor.core.verdict import beyond_whole

SCHEMA = 1
CAUSES_TOLD = 3
LEVELS_TOLD = 3
CONSOLE = "console"  # the only channel whose reader sits at this machine
TEST = "test"  # the kind of a message that is about nothing
RETRAIN = "retrain"  # the channel a retrain request goes out on
SERVICE = "the service"  # stands for a monitor where there is none; no monitor can be named so
STALLED, RECOVERED = "service.stalled", "service.recovered"

Heard = Callable[[str], Collection[str]]  # by episode: the channels that were told of it

_HEADLINE_CHARS, _NAME_CHARS, _TEXT_CHARS = 600, 120, 300
_TELLING = {Cause.DRIFT: Verdict.DRIFTED, Cause.QUALITY: Verdict.VIOLATED}
_WHAT = {Cause.DRIFT: "drift", Cause.QUALITY: "broken data", Cause.NO_LOOK: "nothing to look at"}
_SEVERITIES = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)


def alerts(
    check: Check,
    changes: Iterable[EpisodeChange],
    *,
    routing: Routing,
    heard: Heard,
    report_url: str,
    check_url: str,
    created_at: datetime,
    show_values: str = "levels",
) -> tuple[Message, ...]:
    """One message per alerting change and channel; an episode that continues says nothing, and
    that it is over is told where it was told of.

    Ids depend only on episode, change, check and channel, so a repeated transaction makes the
    same ones. `show_values` "never" keeps the names of levels out of every payload.
    """
    return tuple(
        Message(
            id=message_id(change.episode.id, change.change, check.id, channel),
            channel=channel,
            monitor=change.episode.monitor,
            kind=f"episode.{change.change}",
            payload=_payload(check, change, show_values)
            | {"check_url": check_url, "report_url": _link(report_url, channel)},
            created_at=created_at,
            episode=change.episode.id,
            next_at=routing.due(channel, created_at),
        )
        for change in changes
        if change.change is not Change.CONTINUED and change.episode.told
        for channel in _hearers(check, change, routing, heard)
    )


def _hearers(
    check: Check, change: EpisodeChange, routing: Routing, heard: Heard
) -> tuple[str, ...]:
    episode = change.episode
    if change.change is Change.RESOLVED:
        return told_again(episode, change.change, routing, heard)
    level = level_of(check, episode.cause)
    return routing.channels(episode.monitor, episode.cause, change.change, level)


def told_again(episode: Episode, change: str, routing: Routing, heard: Heard) -> tuple[str, ...]:
    """The channels of those who heard of an episode, for what becomes of it."""
    fitting = routing.channels(episode.monitor, episode.cause, change, None)
    known = heard(episode.id) if fitting else ()
    return tuple(channel for channel in fitting if channel in known)


def of_deed(
    entry: AuditEntry,
    episode: Episode,
    *,
    kind: str,
    routing: Routing,
    heard: Heard,
    check_url: str,
) -> tuple[Message, ...]:
    """What a person did about an episode, told on every channel that heard of it."""
    payload = {
        **_NO_CHECK,
        "event": kind,
        "monitor": episode.monitor,
        "cause": str(episode.cause),
        "headline": _line(_done(entry, episode), _HEADLINE_CHARS),
        "check_id": episode.last_check,
        "episode_id": episode.id,
        "opened_at": _iso(episode.opened_at),
        "resolved_at": _iso(episode.resolved_at) if episode.resolved_at else None,
        "check_url": check_url,
    }
    return tuple(
        Message(
            id=message_id(entry.id, channel),
            channel=channel,
            monitor=episode.monitor,
            kind=kind,
            payload=payload,
            created_at=entry.at,
            episode=episode.id,
            next_at=routing.due(channel, entry.at),
        )
        for channel in told_again(episode, kind.removeprefix("episode."), routing, heard)
        if episode.told
    )


_NO_CHECK: Mapping[str, Any] = {
    "schema": SCHEMA,
    "verdict": None,
    "level": None,
    "causes": [],
    "more_causes": 0,
    "failed_expectations": [],
    "more_failed_expectations": 0,
    "rows": None,
    "window": None,
    "report_url": "",
}


def of_service(
    kind: str, headline: str, channels: Iterable[str], *, since: datetime, at: datetime
) -> tuple[Message, ...]:
    """What is wrong with the service itself, or over; both follow from when it began."""
    trouble = "service_" + sha256(_iso(since).encode()).hexdigest()[:16]
    payload = {
        **_NO_CHECK,
        "event": kind,
        "monitor": SERVICE,
        "cause": "scheduler",
        "headline": _line(headline, _HEADLINE_CHARS),
        "check_id": None,
        "episode_id": trouble,
        "opened_at": _iso(since),
        "resolved_at": None if kind == STALLED else _iso(at),
        "check_url": "",
    }
    return tuple(
        Message(
            id=message_id(trouble, kind, channel),
            channel=channel,
            monitor=SERVICE,
            kind=kind,
            payload=payload,
            created_at=at,
            episode=trouble,
        )
        for channel in channels
    )


def cause_text(cause: str) -> str:
    """What an episode is about, for people: in the same words wherever they read it."""
    return _WHAT[Cause(cause)]


def _done(entry: AuditEntry, episode: Episode) -> str:
    what = _WHAT[episode.cause]
    return f"{entry.deed.capitalize()}: {what}, by {entry.who}: {entry.why}"


def retrain_message(
    request: RetrainRequest,
    *,
    report_url: str,
    check_url: str,
    created_at: datetime,
) -> Message:
    """The call to the training system; `sent_at` joins the payload when it is sent.

    `created_at` is when it was queued, from which the outbox counts its patience.
    """
    return Message(
        id=request.id,
        channel=RETRAIN,
        monitor=request.monitor,
        kind="retrain.requested",
        payload={
            "event": "retrain.requested",
            "request_id": request.id,
            "monitor": request.monitor,
            "reference_version": request.reference_version,
            "window": _window(request.window),
            "reasons": [_line(reason, _TEXT_CHARS) for reason in request.reasons],
            "check_url": check_url,
            "report_url": _link(report_url, RETRAIN),
        },
        created_at=created_at,
        episode=request.episode,
    )


def sample_message(channel: str, created_at: datetime) -> Message:
    """What somebody sends to see that a channel works; it is about nothing."""
    payload = {
        **_NO_CHECK,
        "event": TEST,
        "monitor": "",
        "cause": TEST,
        "headline": f"Test of the channel {channel}: if you can read this, alerts arrive here",
        "check_id": "",
        "episode_id": "",
        "opened_at": _iso(created_at),
        "resolved_at": None,
        "check_url": "",
    }
    made = message_id(TEST, channel, _iso(created_at))
    return Message(made, channel, "test", TEST, payload, created_at)


def _link(report_url: str, channel: str) -> str:
    """The link as a channel may have it: a path of this machine is for this machine's console."""
    return report_url if channel == CONSOLE or "://" in report_url else ""


def message_id(*parts: str) -> str:
    return "m_" + sha256("\0".join(parts).encode()).hexdigest()[:32]


def _payload(check: Check, change: EpisodeChange, show_values: str) -> dict[str, Any]:
    episode = change.episode
    over = change.change is Change.RESOLVED  # what breached then does not breach now
    causes = [] if over else _causes(check, episode.cause, show_values)
    failed = [] if over or episode.cause is not Cause.QUALITY else _failed(check)
    return {
        "schema": SCHEMA,
        "event": f"episode.{change.change}",
        "monitor": episode.monitor,
        "cause": str(episode.cause),
        "headline": _line(_resolved(episode) if over else episode.headline, _HEADLINE_CHARS),
        "verdict": str(check.verdict),
        "level": None if over else str(level_of(check, episode.cause)),
        "causes": causes[:CAUSES_TOLD],
        "more_causes": max(0, len(causes) - CAUSES_TOLD),
        "failed_expectations": failed[:CAUSES_TOLD],
        "more_failed_expectations": max(0, len(failed) - CAUSES_TOLD),
        "rows": {
            "reference": check.reference.rows if check.reference else None,
            "current": check.sample.rows,
        },
        "window": _window(check.window),
        "check_id": check.id,
        "episode_id": episode.id,
        "opened_at": _iso(episode.opened_at),
        "resolved_at": _iso(episode.resolved_at) if episode.resolved_at else None,
    }


def _resolved(episode: Episode) -> str:
    since = f"{episode.opened_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    names = [_line(name, _NAME_CHARS) for name in episode.columns[:CAUSES_TOLD]]
    more = len(episode.columns) - len(names)
    where = ", ".join(names) + (f" and {more} more" if more else "")
    told = f" ({where})" if where else ""
    return f"Resolved: {_WHAT[episode.cause]}{told}, open since {since}, is over"


# --- Causes ---


def _causes(check: Check, cause: Cause, show_values: str) -> list[dict[str, str]]:
    """What made the episode's own verdict: names with a few small numbers, most telling first."""
    verdict = _TELLING.get(cause, Verdict.UNDECIDED)
    whole = [
        _told(finding.test.replace("_", " "), finding.reason)
        for finding in check.dataset.findings
        if finding.verdict is verdict
    ]
    if cause is Cause.DRIFT:
        columns = [_told(c.name, _numbers(c, check, show_values)) for c in check.causes()]
        segments = beyond_whole(check.columns, check.segments)
        return columns + [_told(s.where, s.reason) for s in segments] + whole
    if cause is Cause.QUALITY:
        return whole
    unread = (
        [r for r in check.expectations.results if r.success is None] if check.expectations else []
    )
    return whole + [_told(_expectation_name(r), r.reason) for r in unread]


def _failed(check: Check) -> list[dict[str, str]]:
    """Failed expectations, critical ones first."""
    results = check.expectations.results if check.expectations else ()
    failed = [r for r in results if r.success is False]
    failed.sort(key=lambda r: _SEVERITIES.index(r.severity))
    return [_told(_expectation_name(r), r.reason) for r in failed]


def _expectation_name(result: ExpectationResult) -> str:
    return f"{result.column}: {result.type}" if result.column else result.type


def _told(name: str, text: str) -> dict[str, str]:
    return {"name": _line(name, _NAME_CHARS), "text": _line(text, _TEXT_CHARS)}


def _numbers(column: ColumnResult, check: Check, show_values: str) -> str:
    """The strongest finding, what moved, and where: "PSI 1.81 (tolerance 0.1), mean 30 → 48"."""
    fired = [f for f in column.findings if f.verdict is Verdict.DRIFTED]
    fired.sort(key=lambda f: (not f.decides, -f.strength))
    parts = [_strength(fired[0])] if fired else []
    parts += [_moved(column), _missing(column), _where(column, check)]
    if column.shape and show_values != "never":
        parts += [
            _levels("new", column.shape.new_levels),
            _levels("gone", column.shape.lost_levels),
        ]
    return ", ".join(part for part in parts if part)


def _strength(finding: Finding) -> str:
    name = finding.test.replace("_", " ")
    name = name.upper() if len(name) <= 3 else name
    size = finding.effect if finding.effect is not None else finding.statistic
    told = name if size is None else f"{name} {number(size)}"
    if finding.tolerance is not None:
        return f"{told} (tolerance {number(finding.tolerance)})"
    if finding.threshold is not None:
        return f"{told} (threshold {number(finding.threshold)})"
    return told


def _moved(column: ColumnResult) -> str:
    before, after = column.statistics.get("mean", (None, None))
    if before is None or after is None:
        return ""
    if number(before) == number(after):
        return ""
    what = "mean length" if column.kind is Kind.TEXT else "mean"
    return f"{what} {pair(before, after)}"


def _missing(column: ColumnResult) -> str:
    before, after = column.missing_reference, column.missing_current
    if before is None or after is None or abs(after - before) < 0.01:
        return ""
    return f"missing {share(before)} → {share(after)}"


def _where(column: ColumnResult, check: Check) -> str:
    found = next((s for s in check.slices if column.name in s.columns), None)
    if found is None:
        return ""
    how = "with the share of rows with" if found.mix else "only where"
    return f"{how} {found.where}"


def _levels(what: str, levels: tuple[str, ...]) -> str:
    named = [f"'{_line(level, 40)}'" for level in levels[:LEVELS_TOLD]]
    more = f" and {len(levels) - len(named)} more" if len(levels) > len(named) else ""
    return f"{what} {', '.join(named)}{more}" if named else ""


# --- Words for notifiers ---


def rows_text(payload: Mapping[str, Any]) -> str:
    """Rows of the window and of the reference: 10 000 rows against 50 000; empty without any."""
    rows = payload["rows"]
    if rows is None:
        return ""
    current = f"{count(rows['current'])} rows"
    if rows["reference"] is None:
        return current
    return f"{current} against {count(rows['reference'])}"


def window_text(payload: Mapping[str, Any]) -> str:
    """Like 2019-03-31 00:00 to 2019-04-01 00:00 UTC; empty without a window."""
    window = payload["window"]
    return f"{time_text(window['start'])[:-4]} to {time_text(window['end'])}" if window else ""


def time_text(iso: str) -> str:
    """A time of a payload, to the minute.

    >>> time_text("2019-03-31T02:00:00+02:00")
    '2019-03-31 00:00 UTC'
    """
    return f"{datetime.fromisoformat(iso).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def cause_lines(payload: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, numbers) of each cause and failed expectation, and how many more there are."""
    lines: list[tuple[str, str]] = []
    for key in ("causes", "failed_expectations"):
        lines += [(cause["name"], cause["text"]) for cause in payload[key]]
        if more := payload[f"more_{key}"]:
            lines.append(("", f"{more} more"))
    return lines


def _window(window: Window | None) -> dict[str, str] | None:
    return {"start": _iso(window.start), "end": _iso(window.end)} if window else None


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _line(text: str, most: int) -> str:
    """One printable line: names come from data and may hold line breaks or terminal codes."""
    seen = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return seen if len(seen) <= most else seen[: most - 1].rstrip() + "…"
