"""The only reader of configuration and environment: monitor.yaml, checked, typed, frozen."""

import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from monitor.core.crontab import Crontab
from monitor.core.records import Kind, Window
from monitor.core.windows import Span
from monitor.errors import ConfigError, PathNotFound, UnknownName, nearest


def _zone(value: object) -> object:
    if isinstance(value, str):
        try:
            return ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            hint = "write one like Europe/Berlin"
            raise ValueError(f"there is no time zone {value!r}; {hint}") from None
    return value


def _span(value: object) -> object:
    return Span.parse(value) if isinstance(value, str) else value


def _moment(value: object) -> object:
    """YAML reads a bare 2011-01-01 as a date and not as text."""
    text = value.isoformat() if isinstance(value, date) else value
    if isinstance(text, str):
        datetime.fromisoformat(text)  # its ValueError says what is wrong
    return text


SpanText = Annotated[Span, BeforeValidator(_span), PlainSerializer(str)]
MomentText = Annotated[str, BeforeValidator(_moment)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone), PlainSerializer(str)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class CsvSettings(_Settings):
    """How CSV files are written."""

    separator: str = ","
    encoding: str = "utf-8"
    decimal: Literal[".", ","] = "."
    missing: tuple[str, ...] = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")


class SourceSettings(_Settings):
    """A dataset: a file, a folder or a pattern, and the column that tells the time of a row."""

    path: str
    time: str | None = None
    format: Literal["parquet", "csv", "ndjson", "arrow"] | None = None  # None: by file name
    timezone: Zone = ZoneInfo("UTC")  # of times written without an offset
    csv: CsvSettings = CsvSettings()


class RangeSettings(_Settings):
    """A stretch of production that serves as reference."""

    from_: MomentText = Field(alias="from")
    to: MomentText

    @model_validator(mode="after")
    def _in_order(self) -> "RangeSettings":
        if datetime.fromisoformat(self.from_) >= datetime.fromisoformat(self.to):
            raise ValueError("`from` must lie before `to`")
        return self

    def window(self, zone: tzinfo) -> Window:
        """The range; times without an offset are local to `zone`."""
        return Window(parse_time(self.from_, zone), parse_time(self.to, zone))


class ScheduleSettings(_Settings):
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


class SampleSettings(_Settings):
    """How many rows of a window are looked at, and how they are drawn."""

    rows: Annotated[int, Field(ge=1)] | None = None  # None: all of them
    method: Literal["reservoir"] = "reservoir"
    seed: int = 0


class FreshnessSettings(_Settings):
    max_age: SpanText


class VolumeSettings(_Settings):
    min_rows: Annotated[int, Field(ge=1)]


class ColumnSettings(_Settings):
    """What is known about one column beyond its values."""

    kind: Kind | None = None
    importance: Positive = 1.0
    critical: bool = False


class DriftSettings(_Settings):
    """How columns are compared. Without a classical rule: tolerance and evidence."""

    tests: tuple[str, ...] = ()  # empty: the defaults of each kind
    columns: tuple[str, ...] = ()  # empty: all
    exclude: tuple[str, ...] = ()
    tolerance: Mapping[str, Annotated[float, Field(ge=0)]] = {}
    must_see: Mapping[str, Positive] = {}
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    p_value: Annotated[float, Field(gt=0, lt=1)] | None = None  # classical: drifted when p <= this
    threshold: Positive | Mapping[str, Positive] | None = None  # classical: statistic > this

    @model_validator(mode="after")
    def _one_rule(self) -> "DriftSettings":
        if self.p_value is not None and self.threshold is not None:
            raise ValueError("`p_value` and `threshold` are two different rules: choose one")
        return self


class ModelSettings(_Settings):
    """Which columns the model writes, and which one tells later what was true."""

    prediction: str | None = None
    probability: str | None = None
    label: str | None = None
    id: str | None = None


class ColumnChangeSettings(_Settings):
    column: str
    statistic: Literal["mean", "sd", "median", "min", "max"] = "mean"
    by: Positive


class RetrainCondition(_Settings):
    """One reason to ask for a new model; exactly one key."""

    drifted_share: Share | None = None
    column: str | None = None
    column_change: ColumnChangeSettings | None = None
    every: SpanText | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "RetrainCondition":
        if len(self.model_fields_set) != 1:
            raise ValueError(f"one condition has one key of {', '.join(type(self).model_fields)}")
        return self


class RetrainWhen(_Settings):
    any: tuple[RetrainCondition, ...] = ()  # empty: only by hand


class RetrainSettings(_Settings):
    """Which training system to ask, and when."""

    url: str
    secret: SecretStr
    when: RetrainWhen = RetrainWhen()
    unless: tuple[Literal["violated", "undecided"], ...] = ("violated",)
    confirm: Annotated[int, Field(ge=1)] = 1
    cooldown: SpanText = Span(7, "d")


class MonitorSettings(_Settings):
    """One watched dataset or model."""

    name: str = ""
    reference: SourceSettings | RangeSettings | None = None  # None: quality only
    production: SourceSettings
    schedule: ScheduleSettings = ScheduleSettings(every=Span(1, "h"))
    window: SpanText = Span(1, "d")
    step: SpanText | None = None
    timezone: Zone = ZoneInfo("UTC")  # windows begin at midnight here
    lateness: SpanText = Span(10, "m")
    catch_up: Annotated[int, Field(ge=1)] = 100  # missed windows made up for after a pause
    sample: SampleSettings = SampleSettings()
    expectations: str | None = None
    freshness: FreshnessSettings | None = None
    volume: VolumeSettings | None = None
    columns: Mapping[str, ColumnSettings] = {}
    show_values: Literal["never", "levels", "all"] = "levels"
    explorer: Literal["never", "on_open", "on_breach", "always"] = "on_open"
    drift: DriftSettings = DriftSettings()
    model: ModelSettings = ModelSettings()
    retrain: RetrainSettings | None = None

    @field_validator("reference", mode="before")
    @classmethod
    def _path_is_a_source(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str) else value

    @field_validator("production", mode="before")
    @classmethod
    def _production_path(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _windows_need_time(self) -> "MonitorSettings":
        if self.production.time is None:
            raise ValueError("production needs `time`: the column that says when a row happened")
        return self


class SlackSettings(_Settings):
    token: SecretStr
    channel: str
    api_url: str = "https://slack.com/api/"


class WebhookSettings(_Settings):
    url: str
    secret: SecretStr | None = None


class AlertSettings(_Settings):
    """Channels that every episode is told on; the console is used when none is given."""

    console: bool | None = None
    slack: SlackSettings | None = None
    webhook: WebhookSettings | None = None


class Settings(_Settings):
    """The whole of monitor.yaml; paths are relative to `root`."""

    store: str = "sqlite:///monitor.db"
    reports: str = "reports/"
    base_url: str = ""  # where people reach `monitor serve`, for links in alerts
    alerts: AlertSettings = AlertSettings()
    monitors: Mapping[str, MonitorSettings]
    root: Path = Field(default=Path(), exclude=True)

    def monitor(self, name: str) -> MonitorSettings:
        if name not in self.monitors:
            raise UnknownName("monitor", name, self.monitors)
        return self.monitors[name]

    def path(self, text: str) -> Path:
        """A configured path, relative to the folder of monitor.yaml."""
        return self.root / Path(text).expanduser()


def load_settings(path: Path, **more: str) -> Settings:
    """Read and check monitor.yaml. ConfigError names file, line, the wrong key and the nearest.

    `${NAME}` comes from the environment, and from `more`, which wins.
    """
    text = _read(path)
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: this is not YAML: {_one_line(error)}") from None
    if not isinstance(tree, yaml.MappingNode):
        raise ConfigError(f"{path}: expected keys like `monitors:`, found none")
    lines = dict(_lines(tree))
    raw = yaml.safe_load(text)
    values = _expand(raw, {**os.environ, **more}, path, lines)
    for name, body in (values.get("monitors") or {}).items():
        if isinstance(body, dict):
            body["name"] = str(name)
    try:
        return Settings.model_validate({**values, "root": path.resolve().parent})
    except ValidationError as error:
        raise ConfigError(_explain(path, error, lines)) from None


def parse_time(text: str, zone: tzinfo) -> datetime:
    """An ISO 8601 time as aware UTC; without an offset it is local to `zone`. ValueError if not."""
    moment = datetime.fromisoformat(text)
    local = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment
    return local.astimezone(UTC)


def datasets_folder() -> Path | None:
    """The folder of public data sets that MONITOR_DATASETS names, when it exists."""
    text = os.environ.get("MONITOR_DATASETS", "")
    return Path(text) if text and Path(text).is_dir() else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PathNotFound(
            f"there is no configuration {path}", hint="`monitor init` writes one to start from"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None


def _lines(node: yaml.Node, where: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    """Every key path of the document and the line it stands on."""
    yield where, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            at = (*where, str(key.value))
            yield from _lines(value, at)
            yield at, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _lines(item, (*where, str(index)))


def _expand(
    value: Any,
    environment: Mapping[str, str],
    path: Path,
    lines: Mapping[tuple[str, ...], int],
    where: tuple[str, ...] = (),
) -> Any:
    """Replace ${NAME} and ${NAME:-default} in strings.

    A name that is neither set nor has a default is an error, never an empty secret.
    """
    if isinstance(value, dict):
        return {k: _expand(v, environment, path, lines, (*where, str(k))) for k, v in value.items()}
    if isinstance(value, list):
        return [_expand(v, environment, path, lines, (*where, str(i))) for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def lookup(match: re.Match[str]) -> str:
        if match[1] in environment:
            return environment[match[1]]
        if match[2] is None:
            raise ConfigError(
                f"{path}:{lines.get(where, 1)}: {'.'.join(where)} needs the environment variable "
                f"{match[1]}, which is not set",
                hint=f"export {match[1]}=... before starting",
            )
        return match[2]

    return re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", lookup, value)


def _explain(path: Path, error: ValidationError, lines: Mapping[tuple[str, ...], int]) -> str:
    """Every mistake of a validation error, one line each, with file and line."""
    told = [_mistake(path, dict(item), lines) for item in error.errors(include_input=False)]
    return "\n".join(dict.fromkeys(told))


def _mistake(path: Path, item: dict[str, Any], lines: Mapping[tuple[str, ...], int]) -> str:
    where = tuple(str(part) for part in item["loc"])
    keys = tuple(part for part in where if not part.endswith("Settings"))  # union branch names
    line = next((lines[keys[:n]] for n in range(len(keys), -1, -1) if keys[:n] in lines), 1)
    place = f"{path}:{line}: {'.'.join(keys) or 'the document'}"
    if item["type"] == "extra_forbidden":
        known = _keys_at(keys[:-1])
        near = nearest(keys[-1], known)
        hint = f"; did you mean `{near}`?" if near else f"; known keys: {', '.join(known)}"
        return f"{place}: unknown key{hint}"
    if item["type"] == "missing":
        return f"{place}: is required"
    return f"{place}: {item['msg'].removeprefix('Value error, ')}"


def _keys_at(where: tuple[str, ...]) -> list[str]:
    """The keys that are valid at a place of the document, from the models themselves."""
    model: Any = Settings
    for part in where:
        model = _step_into(model, part)
        if model is None:
            return []
    hidden = {"root", "name"} if model in (Settings, MonitorSettings) else set()
    return [f.alias or name for name, f in model.model_fields.items() if name not in hidden]


def _step_into(model: Any, part: str) -> Any:
    fields = {f.alias or name: f for name, f in model.model_fields.items()}
    if part not in fields:
        return model  # a free name (a monitor, a column) or a list index: same model inside
    return next(_models_in(fields[part].annotation), None)


def _models_in(annotation: Any) -> Iterator[Any]:
    """The settings classes mentioned in a type, outermost first."""
    if isinstance(annotation, type) and issubclass(annotation, _Settings):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models_in(inner)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
