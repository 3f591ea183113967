"""The only file that joins sockets to adapters: Settings → a service that runs."""

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from monitor import catalogue
from monitor.check import HISTORY, Tools, Watch, check_id, run_check
from monitor.core import episodes, messages
from monitor.core.comparison import Plan
from monitor.core.drift_socket import DriftTest, Rule
from monitor.core.records import Kind, RetrainRequest, SampleInfo, Verdict, Window
from monitor.delivery import Delivery, Patience
from monitor.errors import AskedWrongly, ConfigError
from monitor.ports import (
    Draw,
    Notifier,
    Outcome,
    Reports,
    Sample,
    Source,
    Store,
    StoredCheck,
    Validator,
)
from monitor.posting import Endpoint
from monitor.references import Reference, ReferenceMaker, require_columns
from monitor.settings import (
    MonitorSettings,
    RangeSettings,
    Settings,
    SourceSettings,
    load_settings,
)

DRIFT_SOCKET = "monitor.core.drift"


def now() -> datetime:
    """The clock of the running service."""
    return datetime.now(UTC)


def drift_tests(named: Iterable[str] = ()) -> dict[str, DriftTest]:
    """Every drift test by name; UnknownName when one of `named` is not among them."""
    known = {name: _drift_test(name) for name in catalogue.names(DRIFT_SOCKET)}
    for name in named:
        if name not in known:
            catalogue.load(DRIFT_SOCKET, name, "drift test")
    return known


@cache
def _drift_test(name: str) -> DriftTest:
    test: DriftTest = catalogue.load(DRIFT_SOCKET, name, "drift test")
    return test


def open_source(settings: SourceSettings, root: Path) -> Source:
    source: Source = catalogue.load("monitor.sources", "files", "source").make(settings, root)
    return source


def sample_of(frame: Any, limit: int | None, seed: int) -> Sample:
    """A data frame or Arrow table as a sample of at most `limit` rows."""
    from monitor.tables.columns import to_sample
    from monitor.tables.frames import from_frame
    from monitor.tables.reservoir import thin

    table, info = thin(from_frame(frame), limit, seed)
    return to_sample(table, info)


def content_version(sample: Sample) -> str:
    """`sha256:...` over the values of a sample that has no file."""
    digest = hashlib.sha256()
    for name, column in sample.columns.items():
        digest.update(f"{name}\x1f{column.dtype}\x1f{column.missing}".encode())
        for part in (column.numbers, column.codes):
            if part is not None:
                digest.update(part.tobytes())
        digest.update("\x1f".join(column.levels).encode())
    return f"sha256:{digest.hexdigest()}"


def draw() -> Draw:
    from monitor.reports.html import draw as draw_html

    return draw_html


@cache
def validator() -> Validator:
    from monitor.validation.validator import SuiteValidator

    return SuiteValidator()


def setup_of(plan: Plan, **more: Any) -> dict[str, Any]:
    """How a check was made, for the foot of its report: rule, tests, versions."""
    rule = asdict(plan.rule)
    libraries = ("drift-monitor", "numpy", "scipy", "pyarrow")
    return {
        "tests": list(plan.chosen) or "default of each kind",
        "rule": {name: value for name, value in rule.items() if value not in (None, {})},
        "versions": {name: version(name) for name in libraries},
        **more,
    }


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
        self._lock = threading.Lock()

    def check(
        self, name: str, window: Window, *, again: bool = False, dry_run: bool = False
    ) -> StoredCheck:
        """One check of one window: the stored one, unless there is none or `again` asks anew.

        `dry_run` stores, writes and sends nothing.
        """
        found = self.store.find_check(name, window)
        if found is not None and not (again or dry_run):
            return found
        revision = found.revision + 1 if found is not None and again else 0
        outcome = self._run(name, window, revision, dry_run=dry_run)
        if not dry_run and not self.store.save(outcome):
            return self._winner(name, window)
        return StoredCheck(outcome.check, outcome.report, self.clock(), revision)

    def _winner(self, name: str, window: Window) -> StoredCheck:
        """Another process stored this window first: its check is the check."""
        found = self.store.find_check(name, window)
        assert found is not None, f"{check_id(name, window, 0)} was refused and is not there"
        return found

    def _run(self, name: str, window: Window, revision: int, *, dry_run: bool) -> Outcome:
        settings = self.settings.monitor(name)
        reference = self._reference(settings, dry_run=dry_run)
        watch = self.watch(settings, reference)
        tools = self._tools(settings, dry_run=dry_run)
        return run_check(watch, reference, window, tools, revision=revision)

    def _tools(self, settings: MonitorSettings, *, dry_run: bool) -> Tools:
        from monitor.explorers.evidently import EvidentlyExplorer
        from monitor.reports.folder import Nowhere

        return Tools(
            source=open_source(settings.production, self.settings.root),
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

    def watch(self, settings: MonitorSettings, reference: Reference | None) -> Watch:
        """A monitor's configuration as the story needs it; AskedWrongly where it makes no sense."""
        if reference is not None:
            require_columns(reference, _named_columns(settings))
        plan = _plan(settings, reference)
        suite = settings.expectations
        return Watch(
            name=settings.name,
            plan=plan,
            sample_rows=settings.sample.rows,
            seed=settings.sample.seed,
            suite=str(self.settings.path(suite)) if suite else None,
            max_age=settings.freshness.max_age.duration if settings.freshness else None,
            min_rows=settings.volume.min_rows if settings.volume else None,
            label=settings.model.label,
            show_values=settings.show_values,
            explorer=settings.explorer if plan.tests and reference else "never",
            channels=tuple(self._alert_channels()),
            retrain=_retrain_policy(settings),
            setup=setup_of(
                plan,
                window=str(settings.window),
                sample={"rows": settings.sample.rows, "seed": settings.sample.seed},
                expectations=suite,
            ),
        )

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
        return ReferenceMaker(
            monitor=settings.name,
            source=open_source(made_of, self.settings.root),
            location=made_of.path,
            window=window,
            kinds=_known_kinds(settings),
            snapshots=SnapshotFolder(
                self.settings.root,
                lambda path: open_source(SourceSettings(path=path), self.settings.root),
            ),
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
        message = messages.retrain_message(request, report_url=report, check_url=url)
        self.store.add_message(message, request)
        return request

    def close(self) -> None:
        self.store.close()


def open_service(path: Path, **more: Any) -> Service:
    """The service that a monitor.yaml describes."""
    return Service(load_settings(path), **more)


def check_monitor(settings: MonitorSettings) -> None:
    """Raise what can be known to be wrong with a monitor before any data is read."""
    _plan(settings, None)


def _plan(settings: MonitorSettings, reference: Reference | None) -> Plan:
    drift = settings.drift
    threshold = drift.threshold
    named = (*drift.tests, *drift.tolerance, *drift.must_see)
    if isinstance(threshold, Mapping):
        named = (*named, *threshold)
    return Plan(
        tests=drift_tests(named),
        chosen=drift.tests,
        rule=Rule(
            alpha=drift.alpha,
            tolerance=dict(drift.tolerance),
            must_see=dict(drift.must_see),
            p_value=drift.p_value,
            threshold=dict(threshold) if isinstance(threshold, Mapping) else threshold,
        ),
        only=drift.columns,
        exclude=drift.exclude,
        kinds={**(reference.kinds if reference else {}), **_known_kinds(settings)},
        importance={name: c.importance for name, c in settings.columns.items()},
        critical=frozenset(name for name, c in settings.columns.items() if c.critical),
    )


def _known_kinds(settings: MonitorSettings) -> dict[str, Kind]:
    """Kinds that configuration states, in words or by a column's role."""
    kinds = {name: c.kind for name, c in settings.columns.items() if c.kind is not None}
    if settings.model.id:
        kinds.setdefault(settings.model.id, Kind.ID)
    if settings.production.time:
        kinds.setdefault(settings.production.time, Kind.TIME)
    return kinds


def _named_columns(settings: MonitorSettings) -> dict[str, str]:
    """Every column that configuration speaks of, and where; all must exist in the reference."""
    model, retrain = settings.model, settings.retrain
    named = dict.fromkeys(settings.columns, "columns")
    named |= dict.fromkeys((*settings.drift.columns, *settings.drift.exclude), "drift")
    roles = (model.prediction, model.probability, model.label, model.id)
    named |= {name: "model" for name in roles if name}
    for condition in retrain.when.any if retrain else ():
        asked = condition.column or (condition.column_change and condition.column_change.column)
        if asked:
            named[asked] = "retrain"
    return named


def _retrain_policy(settings: MonitorSettings) -> episodes.RetrainPolicy | None:
    retrain = settings.retrain
    if retrain is None:
        return None
    conditions: list[episodes.Condition] = []
    every = None
    for asked in retrain.when.any:
        if asked.drifted_share is not None:
            conditions.append(episodes.drifted_share(asked.drifted_share))
        elif asked.column is not None:
            conditions.append(episodes.column_drifted(asked.column))
        elif (moved := asked.column_change) is not None:
            conditions.append(episodes.column_changed(moved.column, moved.statistic, moved.by))
        elif asked.every is not None:
            every = asked.every.duration
    return episodes.RetrainPolicy(
        conditions=tuple(conditions),
        every=every,
        unless=frozenset(Verdict(name) for name in retrain.unless),
        confirm=retrain.confirm,
        cooldown=retrain.cooldown.duration,
    )


def _open_store(settings: Settings) -> Store:
    scheme = settings.store.partition(":")[0].partition("+")[0]
    adapters = {"sqlite": "sql", "postgresql": "sql", "memory": "memory"}
    if scheme not in adapters:
        raise ConfigError(
            f"store: there is no store for {scheme!r}; there are: sqlite:///FILE, "
            "postgresql+psycopg://..., memory://"
        )
    module = catalogue.load("monitor.stores", adapters[scheme], "store")
    store: Store = module.make(settings.store, settings.root)
    return store


def _open_reports(settings: Settings) -> Reports:
    from monitor.reports.folder import ReportFolder

    return ReportFolder(settings.path(settings.reports), settings.base_url)
