"""What follows from checks: episodes, requests for a new model, messages; frozen records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from monitor.core.records import Window


class Cause(StrEnum):
    """Why an episode is open; at most one open episode per monitor and cause."""

    DRIFT = "drift"
    QUALITY = "quality"
    NO_LOOK = "no_look"


@dataclass(frozen=True, slots=True)
class Episode:
    """From the first check that breaches to the one that resolves."""

    id: str
    monitor: str
    cause: Cause
    opened_by: str  # check id
    opened_at: datetime  # start of the window that opened it
    headline: str
    last_check: str
    worst: float = 0.0  # largest strength so far
    columns: tuple[str, ...] = ()  # columns or expectations that breached so far
    breaches: int = 1  # consecutive breaching windows up to the last one
    told: bool = False  # whether anybody was alerted
    worsened: bool = False  # since it opened, or since a new model was asked for
    resolved_by: str | None = None  # check id, or that of the audit entry of a person
    resolved_at: datetime | None = None
    retrain_request: str | None = None  # id of the one request of this episode
    worse_untold: bool = False  # it got worse while alerts were muted


class Change(StrEnum):
    """What happened to an episode in one check; alerts hang on these."""

    OPENED = "opened"
    WORSENED = "worsened"
    RESOLVED = "resolved"
    CONTINUED = "continued"  # kept, not alerted


@dataclass(frozen=True, slots=True)
class EpisodeChange:
    """One episode after a check, and what the check did to it."""

    change: Change
    episode: Episode


@dataclass(frozen=True, slots=True)
class RetrainRequest:
    """The call that asks a training system for a new model, once an episode."""

    id: str
    monitor: str
    check: str | None
    episode: str | None
    reasons: tuple[str, ...]
    reference_version: str
    window: Window | None
    requested_at: datetime
    state: str = "requested"  # requested, delivered, refused; accepted, succeeded, failed
    answered_at: datetime | None = None  # what the training system said of it, and when
    answer: str = ""
    model_version: str = ""
    new_reference: str = ""  # the training data of the new model


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to say on one channel; lives in the outbox until it is sent or given up."""

    id: str  # also the idempotency key
    channel: str  # the notifier's name: console, slack, webhook, retrain
    monitor: str
    # episode.opened, .worsened, .resolved, .acknowledged; retrain.requested;
    # service.stalled, .recovered
    kind: str
    payload: Mapping[str, Any]  # plain JSON, no secrets
    created_at: datetime
    episode: str | None = None  # messages of one episode and channel go out in order
    state: str = "pending"  # pending, sent, failed
    attempts: int = 0
    next_at: datetime | None = None
    sent_at: datetime | None = None
    error: str = ""
    receipt: Mapping[str, Any] = field(default_factory=dict)  # e.g. the Slack timestamp
