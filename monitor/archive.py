"""What a store promises of checks and of what follows from them: episodes, messages, references."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from monitor.core.consequences import Episode, EpisodeChange, Message, RetrainRequest
from monitor.core.records import Check, ReferenceInfo, Verdict, Window
from monitor.ledger import Before, Ledger
from monitor.ports import StoredReference


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

    def __hash__(self) -> int:
        """By the id alone: thousands are looked up at a time."""
        return hash(self.id)

    @property
    def place(self) -> "Place":
        return Place(self.window.start, self.window.end, self.monitor)


class ColumnLine(NamedTuple):
    """What a check says of one compared column, in a line; there may be thousands on a page."""

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
    """What the house remembers. Every method is one transaction; times are aware UTC.

    A list that may be long says its order in its name: `newest_…` and `oldest_…` come in parts,
    `list_…` comes whole.
    """

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

    def dataset_statistics(self, test: str, check_ids: Collection[str]) -> dict[str, float | None]:
        """By check, the statistic of a test of the dataset, where it was made."""

    def newest_checks(
        self, monitor: str | None = None, *, before: datetime | None = None, limit: int = 30
    ) -> list[StoredCheck]:
        """Latest revision per window, newest window first; only windows that start before."""

    def lines(
        self, monitor: str | None = None, *, before: Place | None = None, limit: int = 30
    ) -> list[CheckLine]:
        """As `newest_checks` orders them, without their documents; only what follows a place."""

    def line_after(self, monitor: str, place: Place) -> CheckLine | None:
        """The check of a monitor that stands just before a place in that order."""

    def lines_since(
        self, moment: datetime, limit: int = 1000, *, after: str = ""
    ) -> list[CheckLine]:
        """Every revision that was stored at that moment or later, the first stored first.

        Those of one moment stand by id; of those of that very moment only ids `after` one.
        """

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

    def promised(self, check_ids: Sequence[str]) -> dict[str, float | None]:
        """By test of the dataset, the threshold in the last of the checks that made it."""

    def last_windows(self) -> dict[str, Window]:
        """By monitor, the newest window that has a check."""

    def last_window(self, monitor: str) -> Window | None:
        """The newest window of a monitor that has a check."""

    def first_window(self, monitor: str) -> Window | None:
        """The oldest window of a monitor that has a check."""

    def open_episodes(self, monitor: str | None = None) -> list[Episode]:
        """The oldest first."""

    def get_episode(self, episode_id: str) -> Episode | None: ...

    def newest_episodes(
        self, monitor: str | None = None, *, is_open: bool | None = None,
        before: Before = None, limit: int = 50,
    ) -> list[Episode]:  # fmt: skip
        """By when they opened; only those before an item."""

    def last_retrain(self, monitor: str) -> RetrainRequest | None: ...

    def get_retrain(self, request_id: str) -> RetrainRequest | None: ...

    def newest_retrains(
        self, monitor: str | None = None, *, before: Before = None, limit: int = 50
    ) -> list[RetrainRequest]:
        """By when they were asked for; only those before an item."""

    def add_reference(self, reference: StoredReference) -> None:
        """Store a version and make it current; a version that is known keeps its record."""

    def current_reference(self, monitor: str) -> StoredReference | None: ...

    def list_references(self, monitor: str) -> list[StoredReference]:
        """The current one first, then those that were current before it."""

    def built_lately(self, limit: int) -> list[StoredReference]:
        """References of all monitors, the newest built first."""

    def add_message(self, message: Message) -> bool:
        """Queue a message that follows from no check and no deed; False if known."""

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

    def newest_messages(
        self, *, state: str | None = None, before: Before = None, limit: int = 50
    ) -> list[Message]:
        """By when they were queued; only those before an item."""

    def oldest_messages(
        self, *, state: str | None = None, episode: str | None = None, limit: int = 200
    ) -> list[Message]:
        """By when they were queued."""

    def get_message(self, message_id: str) -> Message | None: ...

    def count_messages(self) -> dict[str, int]:
        """By state."""

    def next_due(self) -> datetime | None:
        """When the next pending message becomes due; None when nothing is pending."""

    def close(self) -> None: ...
