"""What a store remembers beside checks: the deeds of people, who may come in, who is at what."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from monitor.core.consequences import Episode, Message, RetrainRequest
from monitor.core.people import (
    Acknowledgement,
    Answer,
    AuditEntry,
    CheckRequest,
    Replica,
    Session,
    Silence,
    Token,
)
from monitor.core.records import Window

Before = tuple[datetime, str] | None  # (time, id) of an item: what follows it in a list


@dataclass(frozen=True, slots=True)
class Act:
    """A deed and all that follows from it, stored in one transaction with its audit entry."""

    entry: AuditEntry
    acknowledged: Acknowledgement | None = None
    resolved: Episode | None = None  # as it ends
    silence: Silence | None = None  # a new one
    lifted: str | None = None  # id of a silence that ends at the time of the entry
    wanted: CheckRequest | None = None
    retrain: RetrainRequest | None = None
    answer: Answer | None = None
    promoted: str | None = None  # version of a reference of the entry's monitor
    token: Token | None = None  # a new one
    revoked: str | None = None  # id of a token
    resent: str | None = None  # id of a message that was given up
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Once:
    """What was answered to a write under an idempotency key; the same key gets it again."""

    key: str
    asker: str  # id of the token: keys of one asker are not those of another
    asked: str  # digest of the request
    answer: Any  # plain JSON
    at: datetime


class Acts(Protocol):
    """The deeds of people, and what holds because of them."""

    def act(self, act: Act, once: Once | None = None) -> Once | None:
        """Commit a deed and what follows from it.

        With `once`: what was answered before under this key, and nothing is changed; else None.
        StoreConflict, and nothing changed, when the deed does not fit what is stored: the episode
        is acknowledged or resolved already, the silence is lifted, the request answered for good,
        the token revoked, the message not given up, the version unknown.
        """

    def answered(self, key: str, asker: str) -> Once | None:
        """What was answered under an idempotency key."""

    def audit(
        self, monitor: str | None = None, *, before: Before = None, limit: int = 50
    ) -> list[AuditEntry]:
        """The newest first; only those before an item."""

    def audit_of(self, subjects: Collection[str]) -> list[AuditEntry]:
        """What was done about them, the oldest first."""

    def acknowledgements(self, episodes: Collection[str]) -> dict[str, Acknowledgement]:
        """By episode."""

    def silences(self, *, since: datetime | None = None) -> list[Silence]:
        """Those that last beyond `since`, all without it; the newest start first."""

    def get_check_request(self, request_id: str) -> CheckRequest | None: ...

    def newest_check_requests(
        self, *, state: str | None = None, before: Before = None, limit: int = 50
    ) -> list[CheckRequest]:
        """By when they were asked for; only those before an item."""

    def oldest_check_requests(
        self, *, state: str | None = None, limit: int = 200
    ) -> list[CheckRequest]:
        """By when they were asked for."""

    def claim_check_request(self, now: datetime, until: datetime) -> CheckRequest | None:
        """The oldest pending request that nobody has claimed beyond `now`, claimed `until`."""

    def settle_check_request(self, request_id: str, *, check: str | None, error: str = "") -> None:
        """What came of it: a check, or an error. One that is settled stays so."""


class Access(Protocol):
    """Who may come in."""

    def find_token(self, token_id: str) -> Token | None: ...

    def list_tokens(self) -> list[Token]:
        """Newest first."""

    def touch_token(self, token_id: str, at: datetime) -> None:
        """Note that it was used."""

    def add_session(self, session: Session) -> None:
        """Begin a session; those that are over are forgotten."""

    def find_session(self, digest: str) -> Session | None: ...

    def drop_session(self, digest: str) -> None: ...


class Claims(Protocol):
    """Which process is at what, so that several may share a store."""

    def claim_window(
        self, monitor: str, window: Window, holder: str, now: datetime, until: datetime
    ) -> bool:
        """Whether the window is the holder's until then: it was free, over, or held already."""

    def release_window(self, monitor: str, window: Window, holder: str) -> None:
        """Let go of a window that is held; without effect for anybody else."""

    def claimed_windows(self, now: datetime) -> list[tuple[str, Window, str]]:
        """Monitor, window and holder of every claim that holds now."""

    def beat(self, replica: Replica) -> None:
        """A process lives: note it, and forget those unseen for a day."""

    def leave(self, replica_id: str) -> None:
        """A process ends: its claims and its entry go."""

    def replicas(self) -> Sequence[Replica]:
        """Those that were seen, the newest start first."""


class Upkeep(Protocol):
    """How what is stored grows old, and how it travels."""

    def count_old(self, kind: str, before: datetime) -> int:
        """How many rows of a kind (of `retention.KINDS`) became too old before a moment.

        Never what is still needed: the newest checks of each monitor, those that an open episode
        names, messages that wait or belong to an open episode.
        """

    def forget_old(self, kind: str, before: datetime, limit: int) -> int:
        """Forget at most so many of them, the oldest first; how many it were."""

    def old_reports(self, before: datetime, limit: int) -> list[tuple[str, str]]:
        """Check and report of those whose report is too old."""

    def forget_reports(self, check_ids: list[str]) -> None:
        """Their reports are gone."""

    def compact(self) -> None:
        """Give free space back and let the database learn what it holds; waits for nobody."""

    def backup(self, file: Path) -> dict[str, int]:
        """Write everything stored at one moment into a new file; rows by table.

        Nobody else has to wait. The file is a SQLite database, whatever this one is.
        """

    def restore(self, file: Path) -> dict[str, int]:
        """Take over what a backup holds, in one transaction; rows by table.

        AskedWrongly when this store is not empty or the file is no backup.
        """

    def export(
        self, take: Callable[[str, Mapping[str, str], Iterator[dict[str, Any]]], None]
    ) -> None:
        """Hand over each table: its name, the kind of each column, its rows as plain JSON, all as
        they are at one moment. Kinds: text, integer, number, boolean, time, json, bytes (base 64).

        Without what only this store can use: sessions, claims, digests of tokens.
        """


class Vitals(Protocol):
    """What a store tells of itself and of the whole."""

    def schema(self) -> tuple[str | None, str]:
        """The schema that is found, and the one that this program works with."""

    def last_stored(self) -> datetime | None:
        """When the newest check was stored, of whichever monitor."""

    def newest_message(self, kinds: Collection[str]) -> Message | None:
        """The one that came last of some kinds, in whatever state."""


class Ledger(Acts, Access, Claims, Upkeep, Vitals, Protocol):
    """All of it."""
