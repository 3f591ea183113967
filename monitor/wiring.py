"""Joins the sockets of data, stores and reports to adapters: what settings name is opened here."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from monitor import catalogue
from monitor.briefing import weights_file
from monitor.configuration.datasets import SourceSettings
from monitor.configuration.weights import read_weights
from monitor.core.columns import Floats
from monitor.core.comparison import Plan
from monitor.ports import (
    Clock,
    Draw,
    Explorer,
    Reports,
    Sample,
    Snapshots,
    Source,
    StoredReference,
    Validator,
)

if TYPE_CHECKING:
    from monitor.archive import Store
    from monitor.settings import MonitorSettings, Settings
    from monitor.tables.frozen import Frozen
    from monitor.tables.places import Place


def now() -> datetime:
    """The clock of the running service."""
    return datetime.now(UTC)


def open_source(settings: SourceSettings, root: Path) -> Source:
    """Where the rows of a dataset are, by how it is named."""
    adapter = catalogue.load("monitor.sources", settings.adapter, "source")
    source: Source = adapter.make(settings, root)
    return source


def source_of(frame: Any, time: str | None) -> Source | None:
    """The rows of a data frame that lie elsewhere; None of one that is in memory."""
    from monitor.tables.frames import is_spark

    if not is_spark(frame):
        return None
    source: Source = catalogue.load("monitor.sources", "spark", "source").of_frame(frame, time)
    return source


def sample_of(frame: Any, limit: int | None, seed: int) -> Sample:
    """A data frame or Arrow table as a sample of at most `limit` rows."""
    from monitor.tables.blocks import in_blocks
    from monitor.tables.columns import HELD_VALUES, to_sample
    from monitor.tables.frames import from_frame
    from monitor.tables.reservoir import thin
    from monitor.tables.streams import streamed_sample

    table, info = thin(from_frame(frame), limit, seed)
    if table.num_rows * table.num_columns <= HELD_VALUES:
        return to_sample(table, info)
    return streamed_sample(in_blocks(table), table.column_names, info, ZoneInfo("UTC"))


def times_of(sample: Sample, time: str | None, zone: ZoneInfo) -> Floats | None:
    """Epoch seconds of the rows by a time column, shape (rows,); None when they tell none."""
    from monitor.tables.streams import DrawnTable
    from monitor.tables.times import epoch_seconds

    if time is None or time not in sample.table.column_names:
        return None
    streamed = isinstance(sample.table, DrawnTable)
    rows = sample.table.drawn_column(time) if streamed else sample.table[time]
    return epoch_seconds(rows, zone)


def freeze(stored: StoredReference, sample: Sample, plan: Plan, file: str) -> StoredReference:
    """Write a reference into one file; what is told of it has the kinds it was frozen with."""
    from monitor.tables.addresses import place_of
    from monitor.tables.frozen import frozen_of, write_frozen

    frozen, place = frozen_of(sample, plan, stored.version, stored.origin), place_of(file, Path())
    write_frozen(place, frozen)
    kinds = {name: str(picture.kind) for name, picture in frozen.pictures.items()}
    return replace(stored, path=str(place), kinds=kinds)


def read_frozen(file: str) -> "Frozen":
    """What a frozen reference holds. Raises PathNotFound, SourceUnreadable."""
    from monitor.tables.addresses import place_of
    from monitor.tables.frozen import read_frozen as read

    place = place_of(file, Path())
    try:
        return read(place)
    except FileNotFoundError:
        raise place.missing() from None


def weights_of(settings: "MonitorSettings", whole: "Settings") -> dict[str, float]:
    """Importance by column from the file a monitor names; empty without one."""
    path = weights_file(settings)
    return {} if path is None else read_weights(whole.path(path))


def draw() -> Draw:
    from monitor.reports.html import draw as draw_html

    return draw_html


def prepare_report() -> None:
    """Compile the page ahead of the first report."""
    from monitor.reports.html import PAGE, template

    template(PAGE)


@cache
def validator() -> Validator:
    from monitor.validation.validator import SuiteValidator

    return SuiteValidator()


def explorer() -> Explorer:
    from monitor.explorers.evidently import EvidentlyExplorer

    return EvidentlyExplorer()


# --- What the settings of a service name ---


def open_store(settings: "Settings", clock: Clock) -> "Store":
    module = catalogue.load("monitor.stores", "sql", "store")
    store: Store = module.make(settings.store, settings.root, clock)
    return store


def store_is_absent(settings: "Settings") -> bool:
    """Whether opening the store would make a file."""
    scheme, _, rest = settings.store.partition("///")
    file = rest.partition("?")[0]
    return scheme.startswith("sqlite") and bool(file) and not settings.path(file).exists()


def open_reports(settings: "Settings") -> Reports:
    from monitor.reports.folder import ReportFolder

    return ReportFolder(_place(settings, settings.reports), settings.base_url)


def no_reports() -> Reports:
    """Reports that are kept nowhere."""
    from monitor.reports.folder import Nowhere

    return Nowhere()


def open_snapshots(settings: "Settings") -> Snapshots:
    from monitor.tables.snapshots import SnapshotFolder

    return SnapshotFolder(
        settings.snapshots,
        lambda path: _place(settings, path),
        lambda path: open_source(settings.stored(path), settings.root),
    )


def _place(settings: "Settings", path: str) -> "Place":
    """Where files of our own go: a folder, or an object store."""
    from monitor.tables.addresses import place_of

    return place_of(path, settings.root, settings.stored(path).storage)
