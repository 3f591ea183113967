"""Settings → a service that runs: checks windows, remembers what they hold, delivers messages."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from monitor import channels, wiring
from monitor.archive import Outcome, StoredCheck
from monitor.briefing import brief, known_kinds
from monitor.check import Seen, conclude, run_check
from monitor.claiming import Claimant
from monitor.configuration.datasets import SourceSettings
from monitor.configuration.secrets import secrets_of
from monitor.configuration.telling import routing_of
from monitor.core.records import Check, Finding, SampleInfo, Verdict, Window
from monitor.core.routing import NOBODY
from monitor.core.windows import window_at, windows_from
from monitor.deeds.planning import Links
from monitor.delivery import Delivery, Patience
from monitor.desk import Desk
from monitor.diff import diff
from monitor.errors import AskedWrongly, PathNotFound, StoreConflict
from monitor.ports import Clock, PastCheck, Snapshots, Source, StoredReference
from monitor.references import Reference, ReferenceMaker
from monitor.retention import forget, too_old
from monitor.settings import (
    MonitorSettings,
    RangeSettings,
    Settings,
    load_settings,
    traces_wanted,
)
from monitor.sight import logs, traces
from monitor.steps.deciding import subject
from monitor.steps.kit import Look, Timings, Tools, Watch
from monitor.steps.past import past_checks

CONFLICTS = 10  # times a check is run again because another one changed its episodes meanwhile


class Service:
    """Settings joined to adapters: checks windows, remembers, delivers.

    Thread-safe as far as its store is; opened adapters and references are kept for its lifetime.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock = wiring.now,
        patience: Patience | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.store = wiring.open_store(settings, clock)
        self.reports = wiring.open_reports(settings)
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
        about = subject(name, window, revision)
        with logs.about(**about), traces.span("check", **about) as span:
            watch, reference = self.briefed(settings, dry_run=dry_run)
            if not tell:
                watch = replace(watch, routing=NOBODY, retrain=None)
            tools = self._tools(settings, dry_run=dry_run)
            outcome = run_check(
                watch, reference, window, tools, revision=revision, keep=not dry_run
            )
            traces.note(span, verdict=str(outcome.check.verdict))
            return outcome

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
            routing=routing_of(self.settings.alerts),
            weights=wiring.weights_of(settings, self.settings),
        )
        return watch, reference

    def diff(self, name: str, before: str, now: str) -> Check:
        """Stored windows of a monitor against each other: see `monitor/diff.py`.

        Each side is a check id, a time, or a range FROM..TO. Nothing is stored.
        """
        settings = self.settings.monitor(name)
        weights = wiring.weights_of(settings, self.settings)
        watch = brief(settings, None, suite=None, weights=weights)
        return diff(watch, self.store, (before, now), self.clock)

    def claimed_check(
        self, name: str, window: Window, *, again: bool = False, tell: bool = True
    ) -> StoredCheck:
        """One check while no other process looks at the same window.

        WindowTaken when another one is not done with it in a while. What is stored is answered
        without a claim.
        """
        found = None if again else self.store.find_check(name, window)
        if found is not None:
            return found
        with self.claimant.waiting_for(name, window):
            return self.check(name, window, again=again, tell=tell)

    def give_up(self, name: str, window: Window, reason: str) -> None:
        """Record that a window could not be looked at, after tries that failed: never silence.

        What another process saw of it meanwhile stands. Nothing seen asks for no new model.
        """
        if self.store.find_check(name, window) is not None:
            return
        settings = self.settings.monitor(name)
        routing = routing_of(self.settings.alerts)
        watch = replace(brief(settings, None, suite=None, routing=routing), retrain=None)
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
        return Tools(
            source=self.production(settings),
            store=self.store,
            validator=wiring.validator(),
            reports=wiring.no_reports() if dry_run else self.reports,
            draw=wiring.draw(),
            explorer=wiring.explorer(),
            clock=self.clock,
            check_url=self.check_url,
        )

    def check_url(self, check_id: str) -> str:
        """Where `monitor serve` shows a check; empty when no `base_url` is configured."""
        base = self.settings.base_url.rstrip("/")
        return f"{base}/checks/{check_id}" if base else ""

    def reference_maker(self, settings: MonitorSettings) -> ReferenceMaker | None:
        """How the reference of a monitor is made; None for a monitor of quality only."""
        if settings.reference is None:
            return None
        window = None
        made_of = settings.production
        if isinstance(settings.reference, RangeSettings):
            window = settings.reference.window(settings.timezone)
        else:
            made_of = settings.reference
        time, zone = settings.production.time, settings.production.timezone
        snapshots = wiring.open_snapshots(self.settings)
        return ReferenceMaker(
            monitor=settings.name,
            source=wiring.open_source(made_of, self.settings.root),
            location=made_of.place,
            window=window,
            kinds=known_kinds(settings),
            snapshots=snapshots,
            times=lambda sample: wiring.times_of(sample, time, zone),
            elsewhere=lambda path: self._dataset_at(path, made_of, snapshots),
        )

    def _dataset_at(self, path: str, like: SourceSettings, snapshots: Snapshots) -> Source:
        """What lies elsewhere: a snapshot of our own, or files written like others."""
        if snapshots.wrote(path):
            return snapshots.source(path)
        written = like.adapter == "files"
        there = like.model_copy(update={"path": path}) if written else self.settings.stored(path)
        return wiring.open_source(there, self.settings.root)

    def _refuse_lost(self, monitor: str, stored: StoredReference) -> None:
        """AskedWrongly for a version of a reference whose rows are kept nowhere."""
        maker = self.reference_maker(self.settings.monitor(monitor))
        if maker is None:
            raise AskedWrongly(
                f"monitor {monitor} has no reference", hint="configure `reference: PATH`"
            )
        maker.rows_of(stored)

    def _reference(self, settings: MonitorSettings, *, dry_run: bool) -> Reference | None:
        """The current reference; rows already read are kept while the version stays."""
        maker = self.reference_maker(settings)
        if maker is None:
            return None
        with self._lock:
            kept = self._references.get(settings.name)
            fresh = maker.load(self.store, self.clock, kept, write=not dry_run)
            self._references[settings.name] = fresh
            return fresh

    def production(self, settings: MonitorSettings) -> Source:
        """Where the rows of a monitor come from; kept open: it remembers which file has what."""
        with self._lock:
            if settings.name not in self._sources:
                source = wiring.open_source(settings.production, self.settings.root)
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
        past: list[PastCheck] = []
        if check.monitor and check.window:
            past = past_checks(self.store, check.monitor, check.window.start)
        known = self.settings.monitors.get(check.monitor or "")
        return wiring.draw()(
            check,
            history=past,
            show_values=known.show_values if known else "levels",
        )

    @property
    def alert_channels(self) -> tuple[str, ...]:
        """The channels on which people hear of everything."""
        return tuple(self.settings.alerts.names)

    def delivery(self) -> Delivery:
        """The outbox loop with every configured channel."""
        return Delivery(
            self.store,
            channels.open_notifiers(self.settings, self.clock),
            self.clock,
            patience=self._patience,
            gathering=routing_of(self.settings.alerts).digests,
        )

    @cached_property
    def slack_apps(self) -> list[channels.SlackApp]:
        """Apps of Slack whose buttons are listened to."""
        return channels.open_slack_apps(self.settings, self.desk, self.store, self.clock)

    @cached_property
    def claimant(self) -> Claimant:
        """This process, as others on the store see it."""
        return Claimant(self.store, self.clock)

    def forget(self, go_on: Callable[[], bool] = lambda: True) -> dict[str, int]:
        """Forget what is older than the configuration keeps it; how many of each kind."""
        limits = too_old(self.settings.retention, self.clock())
        return forget(self.store, self.reports, limits, go_on)

    @cached_property
    def desk(self) -> Desk:
        """Where people do what they may."""
        return Desk(
            self.store,
            self.clock,
            self.settings.monitors,
            routing_of(self.settings.alerts),
            Links(self.check_url, self.reports.location),
            self._refuse_lost,
        )

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
    traces.start(traces_wanted())
    if leave_no_trace and wiring.store_is_absent(settings):
        settings = settings.model_copy(update={"store": "memory://"})
    return Service(settings)


def log_lines(settings: Settings, form: logs.Form, replica: str) -> logs.Lines:
    """How this process logs: what it must never repeat is struck out."""
    return logs.Lines(form, {"replica": replica} if replica else {}, secrets_of(settings))


def open_runner(
    path: str, log_level: int, log_form: logs.Form = "text", replica: str = ""
) -> Callable[[str, Window, bool], str]:
    """What the worker process runs: checks one window and answers with the verdict."""
    service = open_service(Path(path))
    logs.set_up(log_lines(service.settings, log_form, replica), log_level)

    def run(name: str, window: Window, again: bool) -> str:
        return str(service.check(name, window, again=again).check.verdict)

    return run
