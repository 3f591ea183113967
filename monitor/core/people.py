"""What people do about monitors: who did it and why, and who may."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from monitor.core.records import Window


class Scope(StrEnum):
    """What a token allows. Each allows what is printed before it, but capture does not read."""

    READ = "read"
    CAPTURE = "capture"  # bring in what others have to say; sees nothing
    OPERATE = "operate"  # acknowledge, mute, resolve, check again, ask for a model
    ADMIN = "admin"  # promote references, tokens, maintenance


_ALLOWS = {
    Scope.READ: {Scope.READ},
    Scope.CAPTURE: {Scope.CAPTURE},
    Scope.OPERATE: {Scope.READ, Scope.CAPTURE, Scope.OPERATE},
    Scope.ADMIN: set(Scope),
}


def allows(scopes: frozenset[Scope], wanted: Scope) -> bool:
    """Whether any of the scopes allows what is wanted.

    >>> allows(frozenset({Scope.OPERATE}), Scope.READ)
    True
    >>> allows(frozenset({Scope.CAPTURE}), Scope.READ)
    False
    """
    return any(wanted in _ALLOWS[scope] for scope in scopes)


class Deed(StrEnum):
    """What was done; the audit log names each."""

    ACKNOWLEDGED = "acknowledged"
    MUTED = "muted"
    MAINTENANCE_SET = "maintenance set"
    SILENCE_LIFTED = "silence lifted"
    RESOLVED = "resolved"
    CHECK_REQUESTED = "check requested"
    RETRAIN_REQUESTED = "retrain requested"
    RETRAIN_ANSWERED = "retrain answered"
    REFERENCE_BUILT = "reference built"
    REFERENCE_PROMOTED = "reference promoted"
    MESSAGE_RESENT = "message resent"
    TOKEN_MADE = "token made"
    TOKEN_REVOKED = "token revoked"
    SIGNED_IN = "signed in"
    SIGNED_OUT = "signed out"


NEEDS: Mapping[str, Scope] = {  # the scope that allows a deed, by whichever door
    Deed.ACKNOWLEDGED: Scope.OPERATE,
    Deed.RESOLVED: Scope.OPERATE,
    Deed.MUTED: Scope.OPERATE,
    Deed.MAINTENANCE_SET: Scope.ADMIN,
    Deed.SILENCE_LIFTED: Scope.OPERATE,  # of maintenance, what setting it needs
    Deed.CHECK_REQUESTED: Scope.OPERATE,
    Deed.RETRAIN_REQUESTED: Scope.OPERATE,
    Deed.RETRAIN_ANSWERED: Scope.CAPTURE,
    Deed.REFERENCE_PROMOTED: Scope.ADMIN,
    Deed.MESSAGE_RESENT: Scope.OPERATE,
    Deed.TOKEN_MADE: Scope.ADMIN,
    Deed.TOKEN_REVOKED: Scope.ADMIN,
}


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit log: it is written with what it tells of, and never changed."""

    id: str
    at: datetime
    who: str
    via: str  # page, api, slack, cli
    deed: Deed
    subject: str  # the id or name of what it was done to
    why: str
    monitor: str | None = None  # None: the service as a whole
    details: Mapping[str, Any] = field(default_factory=dict)  # plain JSON, no secrets


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Somebody has seen an episode and looks after it."""

    episode: str
    at: datetime
    who: str
    why: str


MUTES_H = {1: "1 hour", 4: "4 hours", 8: "8 hours", 24: "1 day", 72: "3 days", 168: "1 week",
           720: "30 days"}  # fmt: skip  # lengths of a mute to choose from


class SilenceKind(StrEnum):
    """A mute keeps alerts back while it lasts. Maintenance says that the data of its time is not
    normal: windows that touch it are checked, but open no episode and ask for no new model."""

    MUTE = "mute"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class Silence:
    """A stretch of time in which nobody is alerted of a monitor."""

    id: str
    kind: SilenceKind
    start: datetime
    end: datetime
    who: str
    why: str
    monitor: str | None = None  # None: every monitor
    lifted_at: datetime | None = None  # it ended before its time

    def covers(self, monitor: str, moment: datetime) -> bool:
        """Whether it holds for a monitor at a moment."""
        return self._is_of(monitor) and self.start <= moment < self.until

    def touches(self, monitor: str, window: Window) -> bool:
        """Whether it holds for a monitor during some of a window."""
        overlaps = self.start < window.end and window.start < self.until
        return self._is_of(monitor) and self.start < self.until and overlaps

    @property
    def until(self) -> datetime:
        """When it ended, or will."""
        return self.end if self.lifted_at is None else min(self.end, self.lifted_at)

    def _is_of(self, monitor: str) -> bool:
        return self.monitor is None or self.monitor == monitor


@dataclass(frozen=True, slots=True)
class Answer:
    """What a training system said of a retrain request."""

    request: str
    state: str  # accepted, succeeded, failed
    at: datetime
    text: str = ""
    model_version: str = ""
    reference: str = ""  # the training data of the new model: a path or an address


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """Somebody wants a window looked at, again when it was before."""

    id: str
    monitor: str
    window: Window
    requested_at: datetime
    who: str
    state: str = "pending"  # pending, done, failed
    check: str | None = None  # what came of it
    error: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """What a program or a person shows to be let in; of its secret only a digest is kept."""

    id: str
    name: str
    scopes: frozenset[Scope]
    digest: str  # sha256 of the secret part, which has 256 random bits
    made_at: datetime
    made_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None  # to the minute

    def is_good(self, now: datetime) -> bool:
        """Neither revoked nor over."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that a token let in."""

    digest: str  # of what its cookie holds
    token: str  # id
    made_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Replica:
    """One process that works on the store."""

    id: str
    host: str
    started_at: datetime
    seen_at: datetime
    parts: tuple[str, ...] = ()  # scheduler, delivery, web
    moved_at: datetime | None = None  # when its scheduler last got on; None: it has none
