"""The only reader of configuration and environment: monitor.yaml, checked, typed, frozen."""

import os
import re
from collections.abc import Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from monitor.configuration.comparing import WatchedDriftSettings
from monitor.configuration.datasets import FileText, ShowValues, SourceSettings, StorageOptions
from monitor.configuration.document import Document, read_document
from monitor.configuration.fields import (
    MomentText,
    MonitorName,
    SpanText,
    WaitText,
    Weight,
    Zone,
    parse_time,
)
from monitor.configuration.heartbeat import HeartbeatSettings
from monitor.configuration.keeping import RetentionSettings
from monitor.configuration.mistakes import Keys, Mistake, mistakes_of
from monitor.configuration.section import Section
from monitor.configuration.telling import AlertSettings, RetrainSettings, wrong_routes
from monitor.configuration.urls import TAKEN_WHOLE, scheme_of, without_secrets
from monitor.core.columns import Kind
from monitor.core.crontab import Crontab
from monitor.core.reach import Reach
from monitor.core.records import Window
from monitor.core.windows import Span
from monitor.errors import AskedWrongly, UnknownName

STORES = ("sqlite", "postgresql", "memory")


class RangeSettings(Section):
    """A stretch of production that serves as reference."""

    from_: MomentText = Field(alias="from")
    to: MomentText

    @model_validator(mode="after")
    def _in_order(self) -> "RangeSettings":
        if parse_time(self.from_, UTC) >= parse_time(self.to, UTC):
            raise ValueError("`from` must lie before `to`")
        return self

    def window(self, zone: tzinfo) -> Window:
        """The range; times without an offset are local to `zone`."""
        return Window(parse_time(self.from_, zone), parse_time(self.to, zone))


class ScheduleSettings(Section):
    """When to wake up: every so often, or by a cron line."""

    every: SpanText | None = None
    cron: str | None = None
    timezone: Zone = ZoneInfo("UTC")

    @model_validator(mode="after")
    def _one_of(self) -> "ScheduleSettings":
        if (self.every is None) == (self.cron is None):
            raise ValueError("give either `every` (like 1h) or `cron` (like '5 * * * *')")
        return self

    @field_validator("cron")
    @classmethod
    def _cron_line(cls, value: str | None) -> str | None:
        if value is not None:
            Crontab.parse(value)
        return value


class SampleSettings(Section):
    """How many rows of a window are looked at, and how they are drawn."""

    rows: Annotated[int, Field(ge=1)] | None = None  # None: all of them
    method: Literal["reservoir"] = "reservoir"
    seed: Annotated[int, Field(ge=0)] = 0


class FreshnessSettings(Section):
    max_age: SpanText


class VolumeSettings(Section):
    min_rows: Annotated[int, Field(ge=1)]


class ColumnSettings(Section):
    """What is known about one column beyond its values."""

    kind: Kind | None = None
    importance: Weight = 1.0
    critical: bool = False


class ModelSettings(Section):
    """Which columns the model writes, and which one tells later what was true."""

    prediction: str | None = None
    probability: str | None = None
    label: str | None = None
    id: str | None = None


def _range_or_file(value: object) -> str:
    keys = value if isinstance(value, Mapping) else ()
    is_range = isinstance(value, RangeSettings) or "from" in keys or "to" in keys
    return "<range>" if is_range else "<file>"


ReferenceSettings = Annotated[
    Annotated[FileText, Tag("<file>")] | Annotated[RangeSettings, Tag("<range>")],
    Discriminator(_range_or_file),
]


class MonitorSettings(Section):
    """One watched dataset or model."""

    name: Annotated[str, Field(exclude=True)] = ""
    reference: ReferenceSettings | None = None  # None: quality only
    production: FileText
    schedule: ScheduleSettings = ScheduleSettings(every=Span(1, "h"))
    window: SpanText = Span(1, "d")
    step: SpanText | None = None
    timezone: Zone = ZoneInfo("UTC")  # windows begin at midnight here
    lateness: WaitText = Span(10, "m")
    catch_up: Annotated[int, Field(ge=1)] = 100  # missed windows made up for after a pause
    sample: SampleSettings = SampleSettings()
    expectations: str | None = None
    freshness: FreshnessSettings | None = None
    volume: VolumeSettings | None = None
    columns: Mapping[str, ColumnSettings] = {}
    show_values: ShowValues = "levels"
    explorer: Literal["never", "on_open", "on_breach", "always"] = "on_open"
    drift: WatchedDriftSettings = WatchedDriftSettings()
    model: ModelSettings = ModelSettings()
    retrain: RetrainSettings | None = None

    def stored_in(self, storage: Mapping[str, StorageOptions]) -> "MonitorSettings":
        """The same, with the options of `storage` in its datasets."""
        given = {"reference": self.reference, "production": self.production}
        found = {n: s.stored_in(storage) for n, s in given.items() if isinstance(s, SourceSettings)}
        return self.model_copy(update=found)

    @model_validator(mode="after")
    def _months_step_by_days(self) -> "MonitorSettings":
        """Months differ in length: by the hour, later windows would end before earlier ones."""
        if self.window.unit == "mo" and self.step is not None and self.step.unit in "smh":
            raise ValueError("a window of months steps by days or longer")
        return self

    @model_validator(mode="after")
    def _rows_are_evidence_once(self) -> "MonitorSettings":
        overlap = self.step is not None and self.step.duration < self.window.duration
        if overlap and self.drift.false_alarms is not None:
            raise ValueError(
                "windows that overlap show the same rows again, and `false_alarms` adds up what "
                "windows show: choose a step as long as the window, or none"
            )
        return self

    @model_validator(mode="after")
    def _segments_are_not_times(self) -> "MonitorSettings":
        if self.production.time in self.drift.segments:
            raise ValueError("the time of a row cannot be a segment: every row has its own")
        return self

    @model_validator(mode="after")
    def _windows_need_time(self) -> "MonitorSettings":
        if self.production.time is None:
            raise ValueError("production needs `time`: the column that says when a row happened")
        return self


class Settings(Section):
    """The whole of monitor.yaml; paths are relative to `root`."""

    store: Annotated[str, Field(repr=False)] = "sqlite:///monitor.db"
    reports: str = "reports/"
    snapshots: str = "reference_data/"  # where a range of production that serves as reference goes
    storage: Annotated[Mapping[str, StorageOptions], Field(repr=False)] = {}  # by s3, gs, ...
    base_url: str = ""  # where people reach `monitor serve`, for links in alerts
    alerts: AlertSettings = AlertSettings()
    allow_private_addresses: tuple[str, ...] = ()  # that alerts and retrain requests may go to
    retention: RetentionSettings = RetentionSettings()
    heartbeat: HeartbeatSettings = HeartbeatSettings()
    monitors: Annotated[Mapping[MonitorName, MonitorSettings], Field(min_length=1)]
    root: Annotated[Path, Field(exclude=True)] = Path()

    _document: Document | None = PrivateAttr(None)

    @field_validator("store")
    @classmethod
    def _known_store(cls, value: str) -> str:
        if re.split(r"[:+]", value)[0] not in STORES or ":" not in value:
            kinds = "sqlite:///FILE, postgresql+psycopg://... or memory://"
            raise ValueError(f"is no address of a store; write {kinds}")
        return value

    @field_validator("reports", "snapshots")
    @classmethod
    def _a_place_to_write(cls, value: str) -> str:
        """Links to what lies there are shown and stored."""
        if without_secrets(value) != value:
            raise ValueError("holds a password; write credentials under `storage`")
        if scheme_of(value) not in ("", "file", *TAKEN_WHOLE):
            known = ", ".join(f"{scheme}://" for scheme in TAKEN_WHOLE)
            raise ValueError(f"is no folder and no object store that can be written to: {known}")
        return value

    @field_validator("allow_private_addresses")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        Reach.of(value)
        return value

    @field_validator("monitors")
    @classmethod
    def _share_storage(cls, value: Any, info: ValidationInfo) -> Any:
        shared = info.data.get("storage", {})
        return {name: monitor.stored_in(shared) for name, monitor in value.items()}

    @property
    def file(self) -> str:
        """The file they were read from, as people named it."""
        return self._document.name if self._document else "the configuration"

    def monitor(self, name: str) -> MonitorSettings:
        if name not in self.monitors:
            raise UnknownName("monitor", name, self.monitors)
        return self.monitors[name]

    def path(self, text: str) -> Path:
        """A configured path, relative to the folder of monitor.yaml."""
        return self.root / Path(text).expanduser()

    def stored(self, path: str) -> SourceSettings:
        """A dataset of our own, such as a snapshot."""
        return SourceSettings(path=path).stored_in(self.storage)

    def refuse(self, mistakes: Mapping[Keys, AskedWrongly]) -> None:
        """Raise one ConfigError for all mistakes found elsewhere, each with file, line and key."""
        document = self._document or Document(self.file)
        document.refuse([Mistake(keys, str(e), e.hint) for keys, e in mistakes.items()])


def load_settings(path: Path, **more: str) -> Settings:
    """Read and check monitor.yaml. ConfigError names file, line, the wrong key and the nearest.

    `${NAME}` comes from the environment, and from `more`, which wins.
    """
    document = read_document(path, {**os.environ, **more})
    try:
        settings = Settings.model_validate({**_named(document), "root": path.resolve().parent})
    except ValidationError as error:
        document.refuse(mistakes_of(error, Settings))
        raise
    document.refuse(list(wrong_routes(settings.alerts, settings.monitors)))
    settings._document = document
    return settings


def traces_wanted() -> bool:
    """Whether the variables of OpenTelemetry say where traces go; the SDK reads the rest itself."""
    said = {name: os.environ.get(name, "") for name in _TRACES}
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not off and said["OTEL_TRACES_EXPORTER"] != "none" and any(said.values())


_TRACES = (
    "OTEL_TRACES_EXPORTER",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
)


def datasets_folder() -> Path | None:
    """The folder of public data sets that MONITOR_DATASETS names, when it exists."""
    text = os.environ.get("MONITOR_DATASETS", "")
    return Path(text) if text and Path(text).is_dir() else None


def token_of_environment() -> str:
    """What `--server` shows: MONITOR_TOKEN, empty without."""
    return os.environ.get("MONITOR_TOKEN", "").strip()


def _named(document: Document) -> dict[str, Any]:
    """The values with every monitor told its own name."""
    values = document.values
    if "root" in values:
        document.mistakes.append(Mistake(("root",), "unknown key"))
    if not isinstance(monitors := values.get("monitors"), dict):
        return values
    for name, body in monitors.items():
        if isinstance(body, dict) and "name" in body:
            at = ("monitors", name, "name")
            document.mistakes.append(Mistake(at, "unknown key: a monitor is named by its own key"))
    named = {n: {**b, "name": n} if isinstance(b, dict) else b for n, b in monitors.items()}
    return {**values, "monitors": named}
