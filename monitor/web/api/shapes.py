"""What the API takes and answers; its document and its client are made from these."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from monitor.core.people import Scope
from monitor.deeds.planning import WHY_CHARS
from monitor.tokens import NAME_CHARS

_FIRST_YEAR, _LAST_YEAR = 1970, 2999
_TIME_SCHEMA = {"type": "string", "format": "date-time"}


def _told(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _in_range(moment: datetime) -> datetime:
    if not _FIRST_YEAR < moment.year < _LAST_YEAR:  # so that no time zone leads out of the calendar
        raise ValueError("is out of range")
    return moment.astimezone(UTC)


def _clean(text: str) -> str:
    """Text that every database and terminal can hold."""
    if not all(c.isprintable() or c in "\n\t\r" for c in text):
        raise ValueError("holds characters that cannot be printed")
    return text


Moment = Annotated[datetime, PlainSerializer(_told, return_type=str), WithJsonSchema(_TIME_SCHEMA)]
AskedMoment = Annotated[AwareDatetime, AfterValidator(_in_range)]
Text = Annotated[str, AfterValidator(_clean)]
WhyText = Annotated[Text, Field(min_length=1, max_length=WHY_CHARS, description="Kept for good.")]
Item = TypeVar("Item")


class Shape(BaseModel):
    """An answer."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Ask(BaseModel):
    """The body of a write; what it does not know it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(Shape, Generic[Item]):
    """Part of a list, and the address of what follows; null when nothing does."""

    items: list[Item]
    next: str | None = None


class Problem(Shape):
    """Why a request was not carried out (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    hint: str = ""
    what: str | None = Field(None, description="A kind of thing that was named wrongly.")
    name: str | None = None
    known: list[str] | None = Field(None, description="Names there are.")
    errors: list[dict[str, str]] | None = Field(None, description="Each with `at` and `text`.")


# --- What is watched ---


class Window(Shape):
    """A half-open interval of production time."""

    start: Moment
    end: Moment


class Reference(Shape):
    """A frozen version of the training data."""

    monitor: str
    version: str
    rows: int
    origin: str
    built_at: Moment
    current: bool = False


class Check(Shape):
    """One check, as lists show it."""

    id: str
    monitor: str
    verdict: str
    headline: str
    window: Window
    rows: int
    reference: str | None = Field(None, description="The version it was held against.")
    report: str | None = None
    made_at: Moment | None = None
    stored_at: Moment
    revision: int


class Finding(Shape):
    """The outcome of one test; `column` is null for those of the whole."""

    model_config = ConfigDict(from_attributes=True, frozen=True, extra="ignore")
    column: str | None
    test: str
    verdict: str
    statistic: float | None = None
    effect: float | None = None
    threshold: float | None = None
    tolerance: float | None = None
    p_value: float | None = None
    p_tolerance: float | None = None


class Schedule(Shape):
    """How one monitor's schedule stands."""

    timezone: str
    last: Window | None = Field(None, description="The newest window that has a check.")
    lag: int = Field(description="Complete windows that wait for a check.")
    next_wake: Moment | None = None
    running: Window | None = None
    error: str = Field("", description="Why the last try failed.")
    skipped: list[Window] = []


class Monitor(Shape):
    """One monitor and its state."""

    name: str
    state: str = Field(description="violated, drifted, cannot look, undecided, waiting, passed")
    newest: Check | None = None
    schedule: Schedule
    open_episodes: int
    silenced_until: Moment | None = None


class Acknowledgement(Shape):
    """Somebody looks after an episode."""

    at: Moment
    who: str
    why: str


class Episode(Shape):
    """From the first check that breaches to what resolves it."""

    id: str
    monitor: str
    cause: str
    headline: str
    opened_by: str
    opened_at: Moment
    last_check: str
    worst: float | None = Field(None, description="Largest effect over tolerance; null: no bound.")
    columns: list[str] = []
    breaches: int
    told: bool
    resolved_by: str | None = None
    resolved_at: Moment | None = None
    retrain_request: str | None = None
    acknowledged: Acknowledgement | None = None


class Silence(Shape):
    """A stretch of time in which nobody is alerted of a monitor (null: of all)."""

    id: str
    kind: str
    monitor: str | None
    start: Moment
    end: Moment
    who: str
    why: str
    lifted_at: Moment | None = None


class MonitorDetail(Monitor):
    """One monitor with what goes on."""

    episodes: list[Episode]
    silences: list[Silence]
    reference: Reference | None = None


# --- What was done, and what follows ---


class AuditEntry(Shape):
    """A line of the audit log."""

    id: str
    at: Moment
    who: str
    via: str
    deed: str
    subject: str
    why: str
    monitor: str | None = None
    details: Mapping[str, Any] = {}


class Message(Shape):
    """One thing to say on one channel."""

    id: str
    channel: str
    monitor: str
    kind: str
    episode: str | None = None
    state: str
    attempts: int
    created_at: Moment
    next_at: Moment | None = None
    sent_at: Moment | None = None
    error: str = ""
    payload: Mapping[str, Any] = {}


class Story(Episode):
    """An episode with all that happened: its newest checks, who was told, who did what."""

    checks: list[Check]
    messages: list[Message]
    deeds: list[AuditEntry]


class CheckRequest(Shape):
    """Somebody wants a window looked at."""

    id: str
    monitor: str
    window: Window
    requested_at: Moment
    who: str
    state: str
    check: str | None = None
    error: str = ""


class RetrainRequest(Shape):
    """The call that asks a training system for a new model, and what became of it."""

    id: str
    monitor: str
    check: str | None = None
    episode: str | None = None
    reasons: list[str]
    reference_version: str
    window: Window | None = None
    requested_at: Moment
    state: str
    answered_at: Moment | None = None
    answer: str = ""
    model_version: str = ""
    new_reference: str = ""


class Token(Shape):
    """A token, without what its owner shows."""

    id: str
    name: str
    scopes: list[Scope]
    made_at: Moment
    made_by: str
    expires_at: Moment | None = None
    revoked_at: Moment | None = None
    used_at: Moment | None = None


class Done(Shape):
    """A deed as the audit log has it, and what it made."""

    entry: AuditEntry
    silence: Silence | None = None
    check_request: CheckRequest | None = None
    retrain_request: RetrainRequest | None = None
    token: Token | None = None
    shown: str | None = Field(None, description="What the owner of a token shows; told once.")


class Replica(Shape):
    """A process that works on the store."""

    id: str
    host: str
    started_at: Moment
    seen_at: Moment
    parts: list[str] = []


class Claim(Shape):
    """A window that is being looked at."""

    monitor: str
    window: Window
    holder: str


class Operations(Shape):
    """How the service itself is doing."""

    parts: dict[str, bool] = Field(description="The loops of this process, and whether each runs.")
    monitors: int
    lag: int = Field(description="Complete windows that wait for a check, of all monitors.")
    failing: list[str] = Field(description="Monitors whose last try failed.")
    outbox: dict[str, int] = Field(description="How many messages are in each state.")
    claims: list[Claim]
    replicas: list[Replica]


# --- What is asked for ---


class Why(Ask):
    """The reason, for the audit log."""

    why: WhyText


class MuteAsk(Why):
    """Keep alerts back from now on."""

    monitor: Text | None = Field(None, description="null: every monitor")
    until: AskedMoment


class MaintenanceAsk(Why):
    """The data of this time is not normal."""

    monitor: Text | None = Field(None, description="null: every monitor")
    start: AskedMoment
    end: AskedMoment


class CheckAsk(Why):
    """Look at the window that contains a moment."""

    monitor: Text
    at: AskedMoment


class RetrainAsk(Why):
    """Ask the training system for a new model."""

    monitor: Text


class AnswerAsk(Ask):
    """What a training system says of a request."""

    state: Literal["accepted", "succeeded", "failed"]
    text: Annotated[Text, Field(max_length=WHY_CHARS)] = ""
    model_version: Annotated[Text, Field(max_length=200)] = ""
    reference: Annotated[Text, Field(max_length=1000)] = ""
    request_id: Text | None = Field(None, description="Needed when the answer is signed.")


class TokenAsk(Why):
    """A token for a program or a person."""

    name: Annotated[Text, Field(min_length=1, max_length=NAME_CHARS)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
    lasts_days: Annotated[int | None, Field(ge=1, le=3650)] = None
