"""The only file that joins sockets to adapters: Settings → a service that runs."""

import hashlib
import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from monitor import catalogue
from monitor.briefing import brief, known_kinds, weights_file
from monitor.check import Seen, conclude, run_check
from monitor.configuration.weights import read_weights
from monitor.core import episodes, messages
from monitor.core.comparison import Plan
from monitor.core.frozen import freeze as freeze_columns
from monitor.core.records import Check, Finding, Floats, RetrainRequest, SampleInfo, Verdict, Window
from monitor.core.side_by_side import side_by_side
from monitor.core.windows import window_at, windows_from
from monitor.delivery import Delivery, Patience
from monitor.diff import diff
from monitor.errors import AskedWrongly, PathNotFound, StoreConflict
from monitor.ports import (
    Draw,
    Notifier,
    Outcome,
    Reports,
    Sample,
    Source,
    Store,
    StoredCheck,
    StoredReference,
    Validator,
)
from monitor.posting import Endpoint
from monitor.references import Reference, ReferenceMaker
from monitor.settings import (
    MonitorSettings,
    RangeSettings,
    Settings,
    SourceSettings,
    load_settings,
)
from monitor.steps.kit import HISTORY, Look, Timings, Tools, Watch

if TYPE_CHECKING:
    from monitor.tables.places import Place

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
CONFLICTS = 10  # times a check is run again because another one changed its episodes meanwhile


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
    from monitor.tables.frozen import Frozen, drawn_rows, write_frozen

    columns = {name: column for name, column in sample.columns.items() if plan.wants(name)}
    with side_by_side(columns) as run:
        pictures = freeze_columns(columns, plan, run)
    drawn = drawn_rows(sample, pictures)
    place = place_of(file, Path())
    write_frozen(place, Frozen(stored.version, stored.origin, pictures, drawn))
    kinds = {name: str(picture.kind) for name, picture in pictures.items()}
    return replace(stored, path=str(place), kinds=kinds)


def content_version(sample: Sample) -> str:
    """`sha256:...` over the values of a sample that has no file."""
    digest = hashlib.sha256()
    for name, stream in sample.columns.items():
        digest.update(f"{name}\x1f{stream.dtype}\x1f".encode())
        for column in stream.pieces():
            digest.update(f"{column.missing}\x1f".encode())
            for part in (column.numbers, column.codes):
                if part is not None:
                    digest.update(part.tobytes())
            digest.update("\x1f".join(column.levels).encode())
    return f"sha256:{digest.hexdigest()}"


def weights_of(settings: MonitorSettings, whole: Settings) -> dict[str, float]:
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


class Service:
    """Settings joined to adapters: checks windows, remembers, delivers.

    Thread-safe as far as its store is; opened adapters and references are kept for its lifetime.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], datetime] = now,
        patience: Patience | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.store = _open_store(settings)
        self.reports = _open_reports(settings)
        self._patience = patience
        self._references: dict[str, Reference] = {}
        self._sources: dict[str, Source] = {}
        self._lock = threading.Lock()

    def check(
        self,
        name: str,
        window: Window,
        *,
        again: bool = False,
        dry_run: bool = False,
        tell: bool = True,
    ) -> StoredCheck:
        """One check of one window: the stored one, unless there is none or `again` asks anew.

        `dry_run` stores, writes and sends nothing. Without `tell` nobody is alerted and no new
        model is asked for, whatever is found.
        """
        found = self.store.find_check(name, window)
        if found is not None and not (again or dry_run):
            return found
        revision = found.revision + 1 if found is not None and again else 0
        if dry_run:
            outcome = self._run(name, window, revision, dry_run=True)
            return StoredCheck(outcome.check, None, self.clock(), revision)
        self._run_and_save(name, window, revision, tell=tell)
        stored = self.store.find_check(name, window)
        assert stored is not None, "a check that was saved, by whomever, is there"
        return stored

    def _run_and_save(self, name: str, window: Window, revision: int, *, tell: bool) -> None:
        """Run and store; when another process stored this window first, its check is the check."""
        _until_it_stands(lambda: self._run(name, window, revision, tell=tell))

    def _run(
        self, name: str, window: Window, revision: int, *, dry_run: bool = False, tell: bool = True
    ) -> Outcome:
        settings = self.settings.monitor(name)
        watch, reference = self.briefed(settings, dry_run=dry_run)
        if not tell:
            watch = replace(watch, channels=(), retrain=None)
        tools = self._tools(settings, dry_run=dry_run)
        return run_check(watch, reference, window, tools, revision=revision, keep=not dry_run)

    def briefed(
        self, settings: MonitorSettings, *, dry_run: bool
    ) -> tuple[Watch, Reference | None]:
        """A monitor as its checks see it, and what they hold it against.

        A reference that nobody built yet is built, or with `dry_run` only read.
        """
        reference = self._reference(settings, dry_run=dry_run)
        suite = settings.expectations
        watch = brief(
            settings,
            reference,
            suite=self.settings.path(suite) if suite else None,
            channels=tuple(self._alert_channels()),
            weights=weights_of(settings, self.settings),
        )
        return watch, reference

    def diff(self, name: str, before: str, now: str) -> Check:
        """Stored windows of a monitor against each other: see `monitor/diff.py`.

        Each side is a check id, a time, or a range FROM..TO. Nothing is stored.
        """
        settings = self.settings.monitor(name)
        weights = weights_of(settings, self.settings)
        watch = brief(settings, None, suite=None, channels=(), weights=weights)
        return diff(watch, self.store, (before, now), self.clock)

    def give_up(self, name: str, window: Window, reason: str) -> None:
        """Record that a window could not be looked at, after tries that failed: never silence.

        What another process saw of it meanwhile stands. Nothing seen asks for no new model.
        """
        if self.store.find_check(name, window) is not None:
            return
        settings = self.settings.monitor(name)
        watch = brief(settings, None, suite=None, channels=tuple(self._alert_channels()))
        watch = replace(watch, retrain=None)
        failed = Finding(
            test="check",
            verdict=Verdict.UNDECIDED,
            reason=f"the window could not be checked: {reason}",
        )
        look = Look(SampleInfo(0, 0, "none"), dataset=(failed,))
        seen = Seen(None, None, look, Timings())
        tools = self._tools(settings, dry_run=False)
        _until_it_stands(lambda: conclude(watch, window, seen, tools))

    def _tools(self, settings: MonitorSettings, *, dry_run: bool) -> Tools:
        from monitor.explorers.evidently import EvidentlyExplorer
        from monitor.reports.folder import Nowhere

        return Tools(
            source=self.production(settings),
            store=self.store,
            validator=validator(),
            reports=Nowhere() if dry_run else self.reports,
            draw=draw(),
            explorer=EvidentlyExplorer(),
            clock=self.clock,
            check_url=self.check_url,
        )

    def check_url(self, check_id: str) -> str:
        """Where `monitor serve` shows a check; empty when no `base_url` is configured."""
        base = self.settings.base_url.rstrip("/")
        return f"{base}/checks/{check_id}" if base else ""

    def reference_maker(self, settings: MonitorSettings) -> ReferenceMaker | None:
        """How the reference of a monitor is made; None for a monitor of quality only."""
        from monitor.tables.snapshots import SnapshotFolder

        if settings.reference is None:
            return None
        window = None
        made_of = settings.production
        if isinstance(settings.reference, RangeSettings):
            window = settings.reference.window(settings.timezone)
        else:
            made_of = settings.reference
        time, zone = settings.production.time, settings.production.timezone
        return ReferenceMaker(
            monitor=settings.name,
            source=open_source(made_of, self.settings.root),
            location=made_of.place,
            window=window,
            kinds=known_kinds(settings),
            snapshots=SnapshotFolder(
                self.settings.snapshots,
                lambda path: _place(self.settings, path),
                lambda path: open_source(self.settings.stored(path), self.settings.root),
            ),
            times=lambda sample: times_of(sample, time, zone),
        )

    def _reference(self, settings: MonitorSettings, *, dry_run: bool) -> Reference | None:
        """The current reference; rows already read are kept while the version stays."""
        maker = self.reference_maker(settings)
        if maker is None:
            return None
        with self._lock:
            if dry_run and self.store.current_reference(settings.name) is None:
                return maker.preview(self.clock)
            kept = self._references.get(settings.name)
            fresh = maker.load(self.store, self.clock, kept)
            self._references[settings.name] = fresh
            return fresh

    def production(self, settings: MonitorSettings) -> Source:
        """Where the rows of a monitor come from; kept open: it remembers which file has what."""
        with self._lock:
            if settings.name not in self._sources:
                source = open_source(settings.production, self.settings.root)
                self._sources[settings.name] = source
            return self._sources[settings.name]

    def windows(
        self, settings: MonitorSettings, start: datetime | None = None, end: datetime | None = None
    ) -> list[Window]:
        """Every complete window of a range, oldest first; by default of all rows there are.

        Raises PathNotFound when there are no rows to tell where to begin or end.
        """
        rows, unseen = self.production(settings).span(), self.history(settings)
        if rows is None or unseen is None:
            raise PathNotFound(
                f"monitor {settings.name} has no production rows: {settings.production.place}"
            )
        shape = settings.window, settings.timezone, settings.step
        if end is None:
            end = window_at(rows.end - timedelta(microseconds=1), *shape).end
        start = unseen.start if start is None else max(start, rows.start)  # nothing came before
        if start >= end:
            raise AskedWrongly(
                f"the range begins at {start.isoformat()}, which is not before its end, "
                f"{end.isoformat()}"
            )
        complete = min(end, self.clock() - settings.lateness.duration)
        return list(
            windows_from(start, complete, settings.window, settings.timezone, settings.step)
        )

    def history(self, settings: MonitorSettings) -> Window | None:
        """The stretch of production there is to check; None without rows.

        What serves as reference is not held against itself: its range is left out when it comes
        first.
        """
        span = self.production(settings).span()
        if span is None or not isinstance(settings.reference, RangeSettings):
            return span
        reference = settings.reference.window(settings.timezone)
        begins_inside = reference.start <= span.start < reference.end < span.end
        return Window(reference.end, span.end) if begins_inside else span

    def render(self, stored: StoredCheck) -> str:
        """The report of a stored check, drawn again."""
        check = stored.check
        past: list[StoredCheck] = []
        if check.monitor and check.window:
            past = self.store.list_checks(check.monitor, before=check.window.start, limit=HISTORY)
        known = self.settings.monitors.get(check.monitor or "")
        return draw()(
            check,
            history=[s.check for s in reversed(past)],
            show_values=known.show_values if known else "levels",
        )

    def delivery(self) -> Delivery:
        """The outbox loop with every configured channel."""
        return Delivery(self.store, self._notifiers(), self.clock, patience=self._patience)

    def _alert_channels(self) -> list[str]:
        alerts = self.settings.alerts
        named = [name for name in ("slack", "webhook") if getattr(alerts, name) is not None]
        console = alerts.console if alerts.console is not None else not named
        return (["console"] if console else []) + named

    def _notifiers(self) -> dict[str, Notifier]:
        from monitor.notifiers.console import Console
        from monitor.notifiers.retrain import Retrain
        from monitor.notifiers.slack import Slack
        from monitor.notifiers.webhook import Webhook

        alerts = self.settings.alerts
        made: dict[str, Notifier] = {"retrain": Retrain(self._trainers(), self.clock)}
        if "console" in self._alert_channels():
            made["console"] = Console()
        if (slack := alerts.slack) is not None:
            token = slack.token.get_secret_value()
            made["slack"] = Slack(token, slack.channel, self.clock, api_url=slack.api_url)
        if (webhook := alerts.webhook) is not None:
            secret = webhook.secret.get_secret_value() if webhook.secret else None
            made["webhook"] = Webhook(Endpoint(webhook.url, secret), self.clock)
        return made

    def _trainers(self) -> dict[str, Endpoint]:
        return {
            name: Endpoint(m.retrain.url, m.retrain.secret.get_secret_value())
            for name, m in self.settings.monitors.items()
            if m.retrain is not None
        }

    def request_retrain(self, name: str, reason: str) -> RetrainRequest:
        """Ask for a new model by hand; cooldown and conditions are the asker's to judge."""
        settings = self.settings.monitor(name)
        if settings.retrain is None:
            raise AskedWrongly(
                f"monitor {name} has no training system to ask",
                hint="configure `retrain: {url: ..., secret: ...}`",
            )
        latest = next(iter(self.store.list_checks(name, limit=1)), None)
        current = self.store.current_reference(name)
        request = episodes.request_by_hand(
            name,
            reason,
            self.clock(),
            latest.check if latest else None,
            current.version if current else "",
        )
        report = self.reports.location(latest.report) if latest and latest.report else ""
        url = self.check_url(latest.check.id) if latest else ""
        message = messages.retrain_message(
            request, report_url=report, check_url=url, created_at=self.clock()
        )
        self.store.add_message(message, request)
        return request

    def close(self) -> None:
        self.store.close()


def _until_it_stands(attempt: Callable[[], object]) -> None:
    """Decide again while other checks change the monitor's state under it.

    Two windows of one monitor checked at once may both open the same episode: the store refuses
    the second, which then finds the episode open. StoreConflict when that never ends.
    """
    for left in reversed(range(CONFLICTS)):
        try:
            attempt()
            return
        except StoreConflict:
            if not left:
                raise


def open_service(path: Path, *, leave_no_trace: bool = False) -> Service:
    """The service that a monitor.yaml describes.

    `leave_no_trace`: a store that does not exist yet is not made, but kept in memory.
    """
    settings = load_settings(path)
    if leave_no_trace and _store_is_absent(settings):
        settings = settings.model_copy(update={"store": "memory://"})
    return Service(settings)


def open_runner(path: str, log_level: int) -> Callable[[str, Window, bool], str]:
    """What the worker process runs: checks one window and answers with the verdict."""
    logging.basicConfig(stream=sys.stderr, format=LOG_FORMAT)
    logging.getLogger("monitor").setLevel(log_level)
    service = open_service(Path(path))

    def run(name: str, window: Window, again: bool) -> str:
        return str(service.check(name, window, again=again).check.verdict)

    return run


def _open_store(settings: Settings) -> Store:
    adapter = "memory" if settings.store.startswith("memory:") else "sql"
    module = catalogue.load("monitor.stores", adapter, "store")
    store: Store = module.make(settings.store, settings.root)
    return store


def _store_is_absent(settings: Settings) -> bool:
    scheme, _, rest = settings.store.partition("///")
    file = rest.partition("?")[0]
    return scheme.startswith("sqlite") and bool(file) and not settings.path(file).exists()


def _open_reports(settings: Settings) -> Reports:
    from monitor.reports.folder import ReportFolder

    return ReportFolder(_place(settings, settings.reports), settings.base_url)


def _place(settings: Settings, path: str) -> "Place":
    """Where files of our own go: a folder, or an object store."""
    from monitor.tables.addresses import place_of

    return place_of(path, settings.root, settings.stored(path).storage)
