"""The sockets of the house and what each promises; adapters plug in from their own folders."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol, runtime_checkable

from monitor.core.aggregates import Aggregate, Condition, Family
from monitor.core.comparison import Plan
from monitor.core.reach import WORLD, Reach
from monitor.core.records import (
    Check,
    Episode,
    EpisodeChange,
    ExpectationReport,
    Floats,
    Message,
    Notice,
    ReferenceInfo,
    RetrainRequest,
    SampleInfo,
    Stream,
    Verdict,
    Window,
)
from monitor.ledger import Ledger


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The rows of a window that were looked at; read once, handed to validate and compare."""

    info: SampleInfo
    columns: Mapping[str, Stream]  # held in memory, or streamed where they are too large for it
    table: Any  # the rows for adapters that need them: an Arrow table, or what reads like one
    notices: tuple[Notice, ...] = ()
    # Epoch seconds of the rows that are drawn from each column, when every row tells its time
    times: Floats | None = None
    # Files that are no longer what they were when they were looked at, as people name them; asked
    # when the last column has been read
    changed: Callable[[], Sequence[str]] = tuple


@runtime_checkable
class Aggregating(Protocol):
    """What a sample's `table` may be besides: one whose engine answers about all of its rows.

    Answers are those of the very rows of the sample, as they would be once they are here: a float
    that is no number is missing, decimals are floats, days are times.
    """

    @property
    def families(self) -> Mapping[str, Family]:
        """Every column of the sample, and what can be asked of it."""

    def can(self, asked: Aggregate) -> bool:
        """Whether the engine computes this; it asks nobody."""

    def aggregate(self, asked: Sequence[Aggregate]) -> Mapping[Aggregate, Any]:
        """The answers, found in one pass over the rows, and one for each `Repeated`.

        Those are left out that the engine cannot give for these very rows; they are at hand, then.
        CouldNotLook when it fails and the rows are not at hand either.
        """

    def some_values(
        self, columns: Sequence[str], where: Condition, *, least: int, limit: int
    ) -> Sequence[tuple[Any, ...]]:
        """Values of at most `limit` rows that meet a condition; with `least`, the lowest of the
        different values that at least so many of them hold. Empty when they cannot be had."""


class Source(Protocol):
    """Where rows come from."""

    def read(
        self,
        window: Window | None = None,
        *,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        seed: int = 0,
    ) -> Sample:
        """Rows with `window.start <= time < window.end`, or all rows without a window.

        Keeps at most `limit` rows, a uniform random sample fixed by `seed`, in stored order, and
        says how many were seen. `columns` None reads all; a name that is absent is left out.
        No file or no row in the window is an empty sample with the columns known, not an error.
        Raises PathNotFound when the path or pattern matches nothing and no window was asked for,
        SourceUnreadable when a file cannot be read, UnknownName when the time column is absent.
        `info.newest` is the time of the newest row before the window's end, in the window or not.
        """

    def fingerprint(self) -> str:
        """`sha256:...` over the bytes of the files in name order; cheap when nothing changed."""

    def span(self) -> Window | None:
        """First row time to just after the last; None without rows or a time column."""


@runtime_checkable
class Described(Protocol):
    """A source that tells its columns without looking at rows."""

    def columns(self) -> list[str]:
        """Their names as they are now, of files as the first and the last one have them.

        Raises PathNotFound, SourceUnreadable.
        """


class Snapshots(Protocol):
    """Keeps what a reference needs: rows that would otherwise vanish, and frozen pictures."""

    def write(self, monitor: str, sample: Sample) -> str:
        """Write the rows once; return a path that `source` understands."""

    def source(self, path: str) -> Source:
        """The rows again."""

    def freeze(
        self, stored: "StoredReference", sample: Sample, plan: Plan, *, keep: bool = True
    ) -> Sample:
        """The pictures of a large reference, and a draw of its rows; kept by its version.

        With `keep` False nothing is written. Columns of the result know the kind they have.
        """

    def frozen(self, stored: "StoredReference", again: Callable[[str], Stream]) -> Sample | None:
        """What `freeze` kept of a version; None when it was not frozen, or the file is damaged.

        `again` gives a column of all rows, for questions that the pictures cannot answer.
        """


class Validator(Protocol):
    """Holds a sample against an expectation suite."""

    def validate(self, suite: str, sample: Sample, *, show_values: str) -> ExpectationReport:
        """Evaluate every expectation of the suite file on the sample.

        Each outcome is pass, fail or error (`success` None); an error never hides its neighbours.
        Raises SuiteError when the suite is empty, unknown or would lose an expectation on load.
        """


@dataclass(frozen=True, slots=True)
class StoredReference:
    """One frozen version of a monitor's reference."""

    monitor: str
    version: str  # sha256:...
    rows: int
    path: str  # what it was built from: a path, or the snapshot of a production range
    kinds: Mapping[str, str]  # column -> kind, frozen
    dtypes: Mapping[str, str]  # column -> dtype family at build time
    built_at: datetime
    origin: str = ""  # how it came about, for people


@dataclass(frozen=True, slots=True)
class Outcome:
    """A check and all its consequences, stored in one transaction."""

    check: Check
    changes: tuple[EpisodeChange, ...] = ()
    messages: tuple[Message, ...] = ()
    retrain: RetrainRequest | None = None
    report: str | None = None  # path relative to the reports folder
    based_on: str | None = None  # the monitor's state that was decided on; None rests on none
    revision: int = 0  # 0 the first look at a window, then one more for every --again
    summaries: bytes | None = None  # of the columns of the window; None when none was compared


@dataclass(frozen=True, slots=True)
class StoredCheck:
    """A check as it lies in the store."""

    check: Check
    report: str | None
    stored_at: datetime
    revision: int = 0  # 0 the first look at a window, then one more for every --again


@dataclass(frozen=True, slots=True)
class CheckLine:
    """A check as lists show it, without its document."""

    id: str
    monitor: str
    verdict: Verdict
    headline: str
    window: Window
    rows: int  # in the window
    reference: ReferenceInfo | None
    report: str | None
    made_at: datetime | None
    stored_at: datetime
    revision: int
    newest: datetime | None = None  # time of the newest row before the window's end
    took_s: float | None = None  # all steps together; None: not kept
    worst: float | None = None  # strength of its worst column; None: none was compared

    @property
    def place(self) -> "Place":
        return Place(self.window.start, self.window.end, self.monitor)


@dataclass(frozen=True, slots=True)
class ColumnLine:
    """What a check says of one compared column, in a line."""

    check: str
    column: str
    verdict: Verdict
    strength: float  # the largest effect / tolerance, at most BEYOND_MEASURE
    missing_reference: float | None  # share of rows
    missing_current: float | None
    test: str  # of the finding that says most; empty without one
    effect: float | None
    threshold: float | None


BEYOND_MEASURE = 1e12  # of a strength


@dataclass(frozen=True, slots=True)
class Tally:
    """What a check says of all its columns and expectations, in numbers."""

    columns: int = 0  # compared
    drifted: int = 0
    missing_reference: float | None = None  # mean share over the columns
    missing_current: float | None = None
    expectations: int = 0  # evaluated
    failed: int = 0


class Place(NamedTuple):
    """Where a check stands in a list of the newest windows first."""

    start: datetime
    end: datetime
    monitor: str


def state_token(newest: datetime | None, open_episodes: Sequence[tuple[str, str]]) -> str:
    """The state of a monitor in one line: start of its newest window, open episodes (id, last)."""
    told = "".join(f" {episode}@{check}" for episode, check in open_episodes)
    return f"{newest.isoformat() if newest else ''}{told}"


class Store(Ledger, Protocol):
    """What the house remembers. Every method is one transaction; times are aware UTC."""

    def save(self, outcome: Outcome) -> bool:
        """Commit a check and its consequences together.

        False, and nothing changed, when this window and revision is stored already: a window is
        checked once however many processes try. Episodes are stored as they are handed over;
        StoreConflict, and nothing changed, when that would leave two open for one cause.
        """

    def state(self, monitor: str) -> str:
        """What a decision about this monitor rests on, as a token: its newest window and its open
        episodes. `save` raises StoreConflict when it is no longer what the outcome is based on."""

    def find_check(self, monitor: str, window: Window) -> StoredCheck | None:
        """The latest revision of the check of exactly this window."""

    def get_check(self, check_id: str) -> StoredCheck | None: ...

    def summaries(self, check_id: str) -> bytes | None:
        """What was kept of the columns of the check's window; None when nothing was."""

    def list_checks(
        self, monitor: str | None = None, *, before: datetime | None = None, limit: int = 30
    ) -> list[StoredCheck]:
        """Latest revision per window, newest window first; only windows that start before."""

    def lines(
        self, monitor: str | None = None, *, before: Place | None = None, limit: int = 30
    ) -> list[CheckLine]:
        """As `list_checks` orders them, without their documents; only what follows a place."""

    def line_after(self, monitor: str, place: Place) -> CheckLine | None:
        """The check of a monitor that stands just before a place in that order."""

    def lines_since(self, moment: datetime, limit: int = 1000) -> list[CheckLine]:
        """Every revision that was stored at that moment or later, the first stored first."""

    def strips(self, length: int) -> dict[str, list[CheckLine]]:
        """The newest checks of every monitor that has any, newest window first."""

    def findings(self, check_ids: Collection[str]) -> dict[str, list[Mapping[str, Any]]]:
        """By check: column (None: of the dataset), test, verdict, statistic, effect, threshold,
        tolerance, p_value, p_tolerance of each finding, in the order of the check."""

    def column_lines(
        self, check_ids: Collection[str], *, most: int
    ) -> tuple[list[ColumnLine], int]:
        """Of the columns that moved furthest in any of the checks, at most so many: their lines,
        column by column in that order; and how many columns there are besides."""

    def tallies(self, check_ids: Collection[str]) -> dict[str, Tally]:
        """By check; all zero for one that compared nothing."""

    def whole_findings(self, check_ids: Collection[str]) -> dict[str, list[Mapping[str, Any]]]:
        """As `findings`, but only those of the dataset."""

    def last_windows(self) -> dict[str, Window]:
        """By monitor, the newest window that has a check."""

    def lines_of(self, windows: Mapping[str, Window]) -> dict[str, CheckLine]:
        """By monitor, the latest look at exactly this window of it."""

    def last_window(self, monitor: str) -> Window | None:
        """The newest window of a monitor that has a check."""

    def first_window(self, monitor: str) -> Window | None:
        """The oldest window of a monitor that has a check."""

    def open_episodes(self, monitor: str | None = None) -> list[Episode]:
        """The oldest first."""

    def get_episode(self, episode_id: str) -> Episode | None: ...

    def list_episodes(self, monitor: str | None = None, *, limit: int = 50) -> list[Episode]:
        """The newest first."""

    def last_retrain(self, monitor: str) -> RetrainRequest | None: ...

    def get_retrain(self, request_id: str) -> RetrainRequest | None: ...

    def list_retrains(
        self, monitor: str | None = None, *, limit: int = 200
    ) -> list[RetrainRequest]:
        """The newest first."""

    def add_reference(self, reference: StoredReference) -> None:
        """Store a version and make it current; a version that is known keeps its record."""

    def current_reference(self, monitor: str) -> StoredReference | None: ...

    def list_references(self, monitor: str) -> list[StoredReference]:
        """The current one first, then those that were current before it."""

    def built_lately(self, limit: int) -> list[StoredReference]:
        """References of all monitors, the newest built first."""

    def add_message(self, message: Message, retrain: RetrainRequest | None = None) -> bool:
        """Queue a message outside a check (a retraining asked for by hand); False if known."""

    def channels_told(self, episode: str) -> set[str]:
        """The channels that have a message about an episode, whatever became of it."""

    def gather(
        self, channel: str, now: datetime, make: Callable[[list[Message]], Message]
    ) -> Message | None:
        """Queue one message in place of all that are pending and due on a channel, which count as
        sent with it (`receipt: {"digest": id}`); None, and nothing changed, when there are none.

        What gathered before is not gathered again.
        """

    def claim_message(self, now: datetime, lease_s: float) -> Message | None:
        """The oldest pending message that is due, leased to the caller by a conditional update.

        A message waits while an earlier one of the same episode and channel is still pending.
        A lease that ran out (the claimer died) makes the message due again.
        """

    def mark_sent(self, message_id: str, now: datetime, receipt: Mapping[str, Any]) -> None:
        """Settle a pending message; the retrain request of the same id becomes `delivered`, unless
        the training system has answered it already."""

    def mark_delayed(self, message_id: str, next_at: datetime, error: str) -> None:
        """Count the attempt and make it due again at `next_at`."""

    def mark_failed(self, message_id: str, now: datetime, error: str) -> None:
        """Give up, visibly; the retrain request of the same id becomes `refused`."""

    def list_messages(
        self, *, state: str | None = None, episode: str | None = None, limit: int = 200
    ) -> list[Message]:
        """Oldest first."""

    def get_message(self, message_id: str) -> Message | None: ...

    def count_messages(self) -> dict[str, int]:
        """By state."""

    def next_due(self) -> datetime | None:
        """When the next pending message becomes due; None when nothing is pending."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Around:
    """What every channel is made with: its name, and what holds for all of them."""

    name: str
    clock: "Clock"
    reach: Reach = WORLD
    trainers: frozenset[str] = frozenset()  # monitors that have a training system to ask


class Notifier(Protocol):
    """One channel that messages go out on."""

    def send(self, message: Message, thread: Mapping[str, Any]) -> Mapping[str, Any]:
        """Deliver now and return a receipt (plain JSON).

        `thread` is the receipt of the episode's first message on this channel, empty for the
        first. Raises DeliveryDelayed when another try may help, DeliveryRefused when not.
        """


class Reports(Protocol):
    """Where reports are written."""

    def write(self, name: str, content: str) -> str:
        """Write `name` whole or not at all; return its location for links."""

    def location(self, name: str) -> str:
        """The link or path of a report by name."""

    def read(self, name: str) -> bytes | None:
        """A report as it was written, or None. Raises StoreUnavailable."""

    def holding(self, names: Collection[str]) -> set[str]:
        """Those of the names of which there is a report. Raises StoreUnavailable."""

    def remove(self, name: str) -> None:
        """Delete a report; one that is not there is gone already. Raises StoreUnavailable."""


class Draw(Protocol):
    """Turns a check into one self-contained HTML page; pure."""

    def __call__(
        self,
        check: Check,
        *,
        history: Sequence[Check] = (),
        explorer: str | None = None,
        sent: Sequence[str] = (),
        show_values: str = "levels",
    ) -> str: ...


class Explorer(Protocol):
    """An interactive page for digging; optional, may fail alone."""

    def explore(self, reference: Sample, current: Sample, kinds: Mapping[str, str]) -> str:
        """HTML of at most 20 000 rows a side. Any exception is caught by the caller."""


class Clock(Protocol):
    """The only way the house learns what time it is."""

    def __call__(self) -> datetime:
        """Now, aware, in UTC."""
