"""Where the rows of a dataset are, and how they are written there."""

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from monitor.configuration.fields import SpanText, Zone, table_name
from monitor.configuration.section import Section
from monitor.configuration.urls import scheme_of, without_secrets
from monitor.core.windows import Span

FROZEN = ".reference"  # the ending of a file that holds a frozen reference
DATABASES = r"(sqlite:///.|postgres(ql)?(\+psycopg)?://)"  # that rows are read from

ShowValues = Literal["never", "levels", "all"]
StorageOptions = Mapping[str, Any]  # as the implementation of a kind of store names them


class CsvSettings(Section):
    """How CSV files are written."""

    separator: str = ","
    encoding: str = "utf-8"
    decimal: Literal[".", ","] = "."
    missing: tuple[str, ...] = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")


class SqlSettings(Section):
    """Rows of a database: a table, or what a query answers."""

    url: SecretStr
    table: str | None = None  # events, shop.events, or "quoted"."names"
    query: str | None = None
    timeout: SpanText = Span(60, "s")  # of one statement

    @field_validator("url")
    @classmethod
    def _known_database(cls, value: SecretStr) -> SecretStr:
        """The value is never repeated: it may hold a password."""
        if not re.match(DATABASES, value.get_secret_value()):
            raise ValueError(
                "is no address of a database; write postgresql://user:password@host/name "
                "or sqlite:///FILE"
            )
        return value

    @field_validator("table")
    @classmethod
    def _a_table(cls, value: str | None) -> str | None:
        if value is not None:
            table_name(value)
        return value

    @model_validator(mode="after")
    def _table_or_query(self) -> "SqlSettings":
        if (self.table is None) == (self.query is None):
            raise ValueError("give either `table` (like shop.events) or `query` (a SELECT)")
        if self.query is not None and not self.query.strip(" \t\r\n;"):
            raise ValueError("the `query` is empty")
        return self

    @property
    def place(self) -> str:
        """For people and for the records: without address, and without what a query may quote."""
        if self.query is None:
            return f"table {self.table}"
        return f"query {hashlib.sha256(self.query.encode()).hexdigest()[:12]}"


def _as_text(value: object) -> object:
    """Numbers and booleans as Spark writes them."""
    return str(value).lower() if isinstance(value, bool | int | float) else value


SparkValue = Annotated[str, BeforeValidator(_as_text)]


class SparkSettings(Section):
    """Rows that a Spark session reads: a table, files, or what a query answers."""

    table: str | None = None  # events, shop.events, lake.shop.events
    path: str | None = None  # files, wherever the executors can read them
    query: str | None = None
    format: str = "parquet"  # of the files of `path`
    options: Annotated[Mapping[str, SparkValue], Field(repr=False)] = {}  # of that format
    remote: SecretStr | None = None  # a Spark Connect server
    master: str | None = None  # a cluster, or local[4]; None: the running session
    config: Annotated[Mapping[str, SparkValue], Field(repr=False)] = {}  # of a new session
    timeout: SpanText = Span(1, "h")  # of one job

    @field_validator("remote")
    @classmethod
    def _a_server(cls, value: SecretStr | None) -> SecretStr | None:
        """The value is never repeated: it may hold a token."""
        if value is not None and not re.match(r"sc://[^/;]+", value.get_secret_value()):
            raise ValueError("is no address of a Spark Connect server; write sc://host:15002")
        return value

    @model_validator(mode="after")
    def _one_of_each(self) -> "SparkSettings":
        if sum(given is not None for given in (self.table, self.path, self.query)) != 1:
            raise ValueError("give one of `table`, `path` and `query`")
        if self.remote is not None and self.master is not None:
            raise ValueError("`remote` is a server and `master` a cluster: choose one")
        if self.path is None and self.model_fields_set & {"format", "options"}:
            raise ValueError("`format` and `options` say how the files of a `path` are read")
        return self

    @property
    def place(self) -> str:
        """For people and for the records: without what a query may quote."""
        if self.query is not None:
            return f"query {hashlib.sha256(self.query.encode()).hexdigest()[:12]}"
        return f"table {self.table}" if self.table is not None else without_secrets(self.path or "")

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may repeat."""
        told = self.remote.get_secret_value() if self.remote else ""
        parts = [part.partition("=")[2] for part in told.partition("/;")[2].split(";")]
        values = [*self.config.values(), *self.options.values(), *parts]
        return tuple(v for v in values if len(v) > 3 and not re.fullmatch(r"[\d.]+|true|false", v))


class SourceSettings(Section):
    """A dataset, wherever its rows are, and the column that tells the time of a row."""

    path: Annotated[str, Field(repr=False)] = ""  # a file, a folder or a pattern
    storage: Annotated[Mapping[str, Any], Field(repr=False)] = {}  # over those of `storage:` above
    sql: SqlSettings | None = None
    spark: SparkSettings | None = None
    time: str | None = None
    format: Literal["parquet", "csv", "ndjson", "arrow"] | None = None  # None: by file name
    timezone: Zone = ZoneInfo("UTC")  # of times written without an offset
    csv: CsvSettings = CsvSettings()

    @model_validator(mode="after")
    def _one_place(self) -> "SourceSettings":
        given = self.model_fields_set & {"path", "sql", "spark"}
        if len(given) > 1:
            first, second = sorted(given)[:2]
            raise ValueError(f"rows come from `{first}` or from `{second}`, not from both: choose")
        far = next(iter(given - {"path"}), "")
        if far and (extra := sorted(self.model_fields_set & {"format", "csv"})):
            raise ValueError(
                f"`{extra[0]}` says how files of a `path` are written; `{far}` reads none"
            )
        if not far and not self.path:
            raise ValueError(
                "give `path` (files), `sql` (a table or query of a database) or `spark` (what a "
                "Spark session reads)"
            )
        return self

    @property
    def adapter(self) -> str:
        """Which file of `sources` reads it."""
        if self.sql is not None or self.spark is not None:
            return "spark" if self.sql is None else "sql"
        return "frozen" if self.path.endswith(FROZEN) else "files"

    @property
    def place(self) -> str:
        """Where the rows are, for people; holds no secret."""
        far = self.sql or self.spark
        return without_secrets(self.path) if far is None else far.place

    def stored_in(self, storage: Mapping[str, StorageOptions]) -> "SourceSettings":
        """The same, with the options that all data in its kind of store share."""
        shared = storage.get(scheme_of(self.path), {})
        return self.model_copy(update={"storage": {**shared, **self.storage}}) if shared else self


def _path_alone(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


FileText = Annotated[SourceSettings, BeforeValidator(_path_alone)]
