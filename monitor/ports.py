"""The sockets of the house and what each promises; adapters plug in from their own folders."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from monitor.core.columns import Floats, Stream
from monitor.core.comparison import Plan
from monitor.core.consequences import Message
from monitor.core.reach import WORLD, Reach
from monitor.core.records import Check, ExpectationReport, Notice, SampleInfo, Verdict, Window

if TYPE_CHECKING:
    from monitor.core.aggregates import Aggregate, Condition, Family


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
    # The columns of each file that has rows here, by how people name it; where rows are in files
    # that state their columns
    layouts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # Columns that some of its files lack; a reference knows them when its files are gone, too
    optional: tuple[str, ...] = ()


@runtime_checkable
class Aggregating(Protocol):
    """What a sample's `table` may be besides: one whose engine answers about all of its rows.

    Answers are those of the very rows of the sample, as they would be once they are here: a float
    that is no number is missing, decimals are floats, days are times.
    """

    @property
    def families(self) -> Mapping[str, "Family"]:
        """Every column of the sample, and what can be asked of it."""

    def can(self, asked: "Aggregate") -> bool:
        """Whether the engine computes this; it asks nobody."""

    def aggregate(self, asked: Sequence["Aggregate"]) -> Mapping["Aggregate", Any]:
        """The answers, found in one pass over the rows, and one for each `Repeated`.

        Those are left out that the engine cannot give for these very rows; they are at hand, then.
        CouldNotLook when it fails and the rows are not at hand either.
        """

    def some_values(
        self, columns: Sequence[str], where: "Condition", *, least: int, limit: int
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
    """A source that tells its columns without reading its rows."""

    def columns(self, sought: Collection[str] = ()) -> list[str]:
        """Their names as they are now, of files as the first and the last one have them.

        While one that is sought is not among them, further files are asked.
        Raises PathNotFound, SourceUnreadable.
        """

    def times(self, named: str | None = None) -> list[str]:
        """Those that tell a time, by their types or a few rows. Raises as `columns`.

        The one that is named is among them while nothing speaks against it.
        """


@runtime_checkable
class InFiles(Protocol):
    """A source of files, which may not all have the same columns."""

    def layouts(self, most: int) -> Mapping[str, tuple[str, ...]]:
        """The columns of each file by its name, and none of a file that holds nothing.

        Of more than `most` files some that lie far apart are asked; none of files that do not
        state their columns. Raises as `columns`.
        """


class Snapshots(Protocol):
    """Keeps what a reference needs: rows that would otherwise vanish, and frozen pictures."""

    def write(self, monitor: str, sample: Sample) -> str:
        """Write the rows once; return a path that `source` understands."""

    def source(self, path: str) -> Source:
        """The rows again."""

    def wrote(self, path: str) -> bool:
        """Whether a path is one that `write` returns; other files may lie beside ours."""

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
    configured_version: str = ""  # version that is configured, where this one was promoted over it


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


class PastColumn(NamedTuple):
    """What an earlier check said of a column that it compared."""

    verdict: Verdict
    strength: float  # the largest effect / tolerance


@dataclass(frozen=True, slots=True)
class PastCheck:
    """An earlier check of the same monitor, as a report shows it."""

    verdict: Verdict
    headline: str
    window: Window
    rows: int  # in the window
    columns: Mapping[str, PastColumn]  # by name
    evidence: float | None = None  # that all columns had gathered, within an alarm budget


class Draw(Protocol):
    """Turns a check into one self-contained HTML page; pure."""

    def __call__(
        self,
        check: Check,
        *,
        history: Sequence[PastCheck] = (),
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
