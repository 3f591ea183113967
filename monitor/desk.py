"""What people may do about monitors: each deed is checked, planned as one act, then stored.

A deed is planned without changing anything. `do` stores it with its audit entry in one
transaction, or raises StoreConflict when somebody else was faster. Pages, API, Slack and the
command line all come here, so that each deed is done in one way and leaves one kind of trace.
"""

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from monitor.archive import Store, StoredCheck
from monitor.core import episodes, messages
from monitor.core.consequences import Episode
from monitor.core.people import (
    Acknowledgement,
    Answer,
    AuditEntry,
    CheckRequest,
    Deed,
    Scope,
    Silence,
    SilenceKind,
    Token,
)
from monitor.core.records import Window
from monitor.core.routing import NOBODY, Routing
from monitor.core.windows import window_at
from monitor.errors import AskedWrongly, NotAllowed, StoreConflict, UnknownName
from monitor.ledger import Act, Once
from monitor.ports import Clock, StoredReference
from monitor.settings import MonitorSettings
from monitor.tokens import new_token

WHY_CHARS = 500
LONGEST_SILENCE = timedelta(days=366)
ANSWERS = ("accepted", "succeeded", "failed")
_COUNT = count()  # entries of one moment stand in the order in which they were made


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and by which door."""

    name: str
    via: str  # page, api, slack, cli


@dataclass(frozen=True, slots=True)
class Links:
    """Where what is stored can be seen."""

    check: Callable[[str], str] = lambda _: ""  # by check id
    report: Callable[[str], str] = lambda _: ""  # by name of the report


@dataclass(frozen=True, slots=True)
class Key:
    """What a request that may come twice goes by."""

    key: str
    asker: str  # keys of one asker are not those of another
    asked: str  # digest of what is asked for


@dataclass(frozen=True, slots=True)
class Done:
    """A deed that was done now, with its secret if it made one; or what it got when it was."""

    act: Act | None = None
    secret: str | None = None
    before: Once | None = None


Planned = tuple[Act, str | None]  # with a secret that is told once


class Desk:
    """Plans and does deeds. Every planning method raises AskedWrongly when it makes no sense."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        monitors: Mapping[str, MonitorSettings],
        routing: Routing = NOBODY,
        links: Links | None = None,
        refuse_lost: Callable[[str, StoredReference], None] = lambda *_: None,
    ) -> None:
        """`routing` says whom a deed about an episode is told to.

        `refuse_lost` raises AskedWrongly for a reference of a monitor that has lost its rows.
        """
        self._store = store
        self._clock = clock
        self._monitors = monitors
        self._routing = routing
        self._links = links or Links()
        self._refuse_lost = refuse_lost

    @property
    def monitors(self) -> Collection[str]:
        """The names of those that are watched."""
        return self._monitors.keys()

    def do(self, act: Act, once: Once | None = None) -> Once | None:
        """Store it; see `ledger.Acts.act`."""
        return self._store.act(act, once)

    def do_once(
        self,
        key: Key | None,
        plan: Callable[[], Planned],
        answer: Callable[[Act], Any] = lambda _: {},
    ) -> Done:
        """What `plan` says, unless that was done already under the same key.

        1. A key that is known gets what it got. AskedWrongly when it asked for something else.
        2. Plan, and store the deed together with its answer, in one transaction.
        3. Where that fails, the same request may have been faster: then its answer is ours.
        """
        if (before := self._before(key)) is not None:
            return Done(before=before)
        try:
            act, secret = plan()
            faster = self.do(act, _once(key, act, answer(act)) if key else None)
        except (AskedWrongly, StoreConflict):
            if (before := self._before(key)) is not None:
                return Done(before=before)
            raise
        return Done(act, secret) if faster is None else Done(before=_same(faster, key))

    def _before(self, key: Key | None) -> Once | None:
        known = key and self._store.answered(key.key, key.asker)
        return _same(known, key) if known else None

    # --- Episodes ---

    def acknowledge(self, actor: Actor, episode_id: str, why: str) -> Act:
        """Somebody looks after an episode; everybody who heard of it hears that."""
        episode = self._open_episode(episode_id)
        entry = self._entry(actor, Deed.ACKNOWLEDGED, episode.id, why, episode.monitor)
        given = Acknowledgement(episode.id, entry.at, entry.who, entry.why)
        told = self._tell(entry, episode, "episode.acknowledged")
        return Act(entry, acknowledged=given, messages=told)

    def resolve(self, actor: Actor, episode_id: str, why: str) -> Act:
        """An episode ends because somebody says so; the next breach opens another."""
        episode = self._open_episode(episode_id)
        entry = self._entry(actor, Deed.RESOLVED, episode.id, why, episode.monitor)
        ended = replace(episode, resolved_by=entry.id, resolved_at=entry.at)
        return Act(entry, resolved=ended, messages=self._tell(entry, ended, "episode.resolved"))

    def _open_episode(self, episode_id: str) -> Episode:
        episode = self._store.get_episode(episode_id)
        if episode is None:
            known = [e.id for e in self._store.open_episodes()]
            raise UnknownName("episode", episode_id, known)
        if episode.resolved_by is not None:
            raise StoreConflict(f"episode {episode_id} is over", hint="there is nothing left to do")
        return episode

    def _tell(self, entry: AuditEntry, episode: Episode, kind: str) -> tuple[Any, ...]:
        return messages.of_deed(
            entry,
            episode,
            kind=kind,
            routing=self._routing,
            heard=self._store.channels_told,
            check_url=self._links.check(episode.last_check),
        )

    # --- Silences ---

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
        made = Silence(_new_id("silence"), kind, start, end, entry.who, entry.why, monitor=monitor)
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

    # --- Checks, models, references ---

    def window_of(self, monitor: str, moment: datetime) -> Window:
        """The window of a monitor that contains a moment."""
        settings = self._known(monitor)
        return window_at(moment, settings.window, settings.timezone, settings.step)

    def retrain_secret(self, monitor: str) -> str | None:
        """What a monitor and its training system sign with; None without one."""
        settings = self._monitors.get(monitor)
        return settings.retrain.secret.get_secret_value() if settings and settings.retrain else None

    def check_again(self, actor: Actor, monitor: str, window: Window, why: str) -> Act:
        """Have a window looked at, once more when it was before.

        Only windows that the monitor has: any other could pass for its newest, and hide those to
        come. One that is stored may be of a configuration that was changed since.
        """
        fits = window == self.window_of(monitor, window.start)
        if not fits and self._store.find_check(monitor, window) is None:
            raise AskedWrongly(
                f"{monitor} has no window from {window.start.isoformat()} to "
                f"{window.end.isoformat()}",
                hint="choose one of its checks, or the time its windows begin at",
            )
        if window.end > self._clock():
            raise AskedWrongly(
                f"the window until {window.end.isoformat()} is not complete yet",
                hint="a window is looked at when it is over",
            )
        subject = f"{window.start.isoformat()} to {window.end.isoformat()}"
        entry = self._entry(actor, Deed.CHECK_REQUESTED, subject, why, monitor)
        wanted = CheckRequest(_new_id("request"), monitor, window, entry.at, entry.who)
        return Act(replace(entry, details={"request": wanted.id}), wanted=wanted)

    def asks_for_models(self, monitor: str) -> bool:
        """Whether there is a training system to ask."""
        return monitor in self._monitors and self._monitors[monitor].retrain is not None

    def request_retrain(self, actor: Actor, monitor: str, why: str) -> Act:
        """Ask for a new model; cooldown and conditions are the asker's to judge."""
        settings = self._known(monitor)
        if settings.retrain is None:
            raise AskedWrongly(
                f"monitor {monitor} has no training system to ask",
                hint="configure `retrain: {url: ..., secret: ...}`",
            )
        entry = self._entry(actor, Deed.RETRAIN_REQUESTED, monitor, why, monitor)
        latest = next(iter(self._store.newest_checks(monitor, limit=1)), None)
        current = self._store.current_reference(monitor)
        request = episodes.request_by_hand(
            monitor,
            entry.why,
            entry.at,
            latest.check if latest else None,
            current.version if current else "",
        )
        message = messages.retrain_message(
            request,
            report_url=self._report_url(latest),
            check_url=self._links.check(latest.check.id) if latest else "",
            created_at=entry.at,
        )
        told = replace(entry, subject=request.id)
        return Act(told, retrain=request, messages=(message,))

    def _report_url(self, latest: StoredCheck | None) -> str:
        return self._links.report(latest.report) if latest and latest.report else ""

    def answer(self, actor: Actor, answer: Answer) -> Act:
        """What a training system says of a request: accepted, then succeeded or failed."""
        request = self._store.get_retrain(answer.request)
        if request is None:
            known = [r.id for r in self._store.newest_retrains(limit=20)]
            raise UnknownName("retrain request", answer.request, known)
        if answer.state not in ANSWERS:
            raise UnknownName("answer", answer.state, ANSWERS)
        why = answer.text or answer.state
        entry = self._entry(actor, Deed.RETRAIN_ANSWERED, request.id, why, request.monitor)
        said = {"state": answer.state, "model_version": answer.model_version}
        return Act(replace(entry, details=said), answer=replace(answer, at=entry.at))

    def promote(self, actor: Actor, monitor: str, version: str, why: str) -> Act:
        """Hold the windows to come against another version of the reference.

        It holds until other data are configured as reference than now.
        """
        self._known(monitor)
        known = {r.version: r for r in self._store.list_references(monitor)}
        versions = list(known)
        bare = version.removeprefix("sha256:")
        matching = [v for v in versions if v.removeprefix("sha256:").startswith(bare)]
        if len(matching) != 1 or not bare:
            raise UnknownName("reference", version, versions)
        self._refuse_lost(monitor, known[matching[0]])
        entry = self._entry(actor, Deed.REFERENCE_PROMOTED, matching[0], why, monitor)
        return Act(replace(entry, details={"instead_of": versions[0]}), promoted=matching[0])

    def resend(self, actor: Actor, message_id: str, why: str) -> Act:
        """Try a message again that was given up."""
        message = self._store.get_message(message_id)
        if message is None:
            known = [m.id for m in self._store.oldest_messages(state="failed")]
            raise UnknownName("message", message_id, known)
        entry = self._entry(actor, Deed.MESSAGE_RESENT, message_id, why, message.monitor)
        return Act(entry, resent=message_id)

    # --- Access ---

    def make_token(
        self,
        actor: Actor,
        name: str,
        scopes: Collection[Scope],
        why: str,
        *,
        lasts: timedelta | None = None,
    ) -> tuple[Act, str]:
        """A new token, and what its owner shows; that is told once and kept nowhere."""
        entry = self._entry(actor, Deed.TOKEN_MADE, "", why, None)
        token, shown = new_token(name, scopes, entry.at, entry.who, lasts)
        told = {"name": token.name, "scopes": sorted(token.scopes)}
        return Act(replace(entry, subject=token.id, details=told), token=token), shown

    def rotate_token(self, actor: Actor, token_id: str, why: str) -> tuple[Act, str]:
        """A new token in place of one that ends at once."""
        old = self._token(token_id)
        lasts = old.expires_at - old.made_at if old.expires_at else None
        act, shown = self.make_token(actor, old.name, old.scopes, why, lasts=lasts)
        told = {**act.entry.details, "instead_of": old.id}
        return replace(act, entry=replace(act.entry, details=told), revoked=old.id), shown

    def revoke_token(self, actor: Actor, token_id: str, why: str) -> Act:
        """Let a token in no more; the sessions it began end with it."""
        token = self._token(token_id)
        entry = self._entry(actor, Deed.TOKEN_REVOKED, token.id, why, None)
        return Act(replace(entry, details={"name": token.name}), revoked=token.id)

    def _token(self, token_id: str) -> Token:
        token = self._store.find_token(token_id)
        if token is None:
            raise UnknownName("token", token_id, [t.id for t in self._store.list_tokens()])
        return token

    # --- Common ---

    def note(self, actor: Actor, deed: Deed, subject: str, monitor: str | None = None) -> None:
        """Write down what needs no reason: signing in and out, building a reference."""
        self.do(Act(self._entry(actor, deed, subject, deed.value, monitor)))

    def _known(self, monitor: str) -> MonitorSettings:
        if monitor not in self._monitors:
            raise UnknownName("monitor", monitor, list(self._monitors))
        return self._monitors[monitor]

    def _entry(
        self, actor: Actor, deed: Deed, subject: str, why: str, monitor: str | None
    ) -> AuditEntry:
        reason = " ".join(why.split())
        if not reason:
            raise AskedWrongly("say why", hint="the audit log keeps the reason of every deed")
        if len(reason) > WHY_CHARS:
            raise AskedWrongly(f"a reason has {WHY_CHARS} characters at most")
        at = self._clock()
        return AuditEntry(_audit_id(at), at, actor.name, actor.via, deed, subject, reason, monitor)


def _once(key: Key, act: Act, answer: Any) -> Once:
    return Once(key.key, key.asker, key.asked, answer, act.entry.at)


def _same(known: Once, key: Key | None) -> Once:
    if key is not None and known.asked != key.asked:
        raise AskedWrongly(
            "this key was used for another request",
            hint="a key stands for one request; make a new one for each",
        )
    return known


def _audit_id(at: datetime) -> str:
    """In the order of time, and within a moment in that of this process."""
    return f"audit-{at.timestamp():.6f}-{next(_COUNT):06x}{secrets.token_hex(4)}"


def _new_id(kind: str) -> str:
    return f"{kind}-{secrets.token_hex(8)}"
