"""The tables of the SQL store: what the steps in migrations/ arrive at."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, Index, Integer, MetaData, Table, UniqueConstraint

from monitor.core.wire import plain


class Moment(sa.types.TypeDecorator[datetime]):
    """An instant: in UTC on the way in and on the way out."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(sa.types.TypeDecorator[str]):
    """Text from anywhere: what databases refuse (NUL, half a surrogate pair) is replaced."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        if value is None:
            return None
        text = str(value).encode("utf-8", "replace").decode()
        return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


class Plain(sa.types.TypeDecorator[Any]):
    """Plain JSON."""

    impl = sa.JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        return plain(value)


tables = MetaData()


def key(name: str) -> Column[Any]:
    return Column(name, Words, primary_key=True)


def must(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, nullable=False)


def _later(name: str, kind: Any, default: str) -> Column[Any]:
    """Joined a table that had rows: processes of an older version write it by its default."""
    return Column(name, kind, nullable=False, server_default=sa.text(default))


def _of_check() -> Column[Any]:
    """What belongs to a check and goes with it."""
    owner = sa.ForeignKey("checks.id", ondelete="CASCADE")
    return Column("check_id", Words, owner, primary_key=True)


def _part_of_check() -> tuple[Any, ...]:
    """A row that belongs to a check, numbered within it."""
    return _of_check(), Column("position", Integer, primary_key=True)


references = Table(
    "references",
    tables,
    key("monitor"),
    key("version"),
    must("rank", Integer),  # the highest is the current one
    must("rows", sa.BigInteger),
    must("path", Words),
    must("kinds", Plain),
    must("dtypes", Plain),
    must("built_at", Moment),
    must("origin", Words),
    _later("configured_version", Words, "''"),
    UniqueConstraint("monitor", "rank", name="references_rank"),
)

WINDOW = ("monitor", "window_start", "window_end", "revision")
checks = Table(
    "checks",
    tables,
    key("id"),
    must("monitor", Words),
    must("window_start", Moment),
    must("window_end", Moment),
    must("revision", Integer),
    must("verdict", Words),
    must("headline", Words),
    must("document", sa.JSON),  # wire.check_to_json: the check itself
    Column("report", Words),
    must("stored_at", Moment),
    # What lists show, so that they need not read the documents
    _later("rows_in_window", sa.BigInteger, "0"),
    Column("reference_version", Words),
    Column("reference_rows", sa.BigInteger),
    Column("made_at", Moment),
    Column("newest", Moment),
    Column("took_s", sa.Double),
    Column("worst", sa.Double),  # strength of its worst column
    UniqueConstraint(*WINDOW, name="checks_window"),
    Index("checks_by_time", "window_start"),
    Index("checks_by_arrival", "stored_at"),
)

window_summaries = Table(  # apart from the checks, which are listed without them
    "window_summaries",
    tables,
    _of_check(),
    must("content", sa.LargeBinary),  # core/summaries/binary.py
)

findings = Table(  # a copy of what the document says, to be asked in SQL
    "findings",
    tables,
    *_part_of_check(),
    Column("column", Words),
    must("test", Words),
    must("verdict", Words),
    Column("statistic", sa.Double),
    Column("effect", sa.Double),
    Column("p_value", sa.Double),
    Column("p_tolerance", sa.Double),
    Column("threshold", sa.Double),
    Column("tolerance", sa.Double),
    must("rows_reference", sa.BigInteger),
    must("rows_current", sa.BigInteger),
)

column_results = Table(  # a line a compared column, for what is drawn over many checks
    "column_results",
    tables,
    *_part_of_check(),
    must("column", Words),
    must("verdict", Words),
    must("strength", sa.Double),
    Column("missing_reference", sa.Double),
    Column("missing_current", sa.Double),
    must("test", Words),  # the finding that says most; empty without one
    Column("effect", sa.Double),
    Column("threshold", sa.Double),
)

expectation_results = Table(
    "expectation_results",
    tables,
    *_part_of_check(),
    must("type", Words),
    Column("column", Words),
    must("severity", Words),
    Column("success", sa.Boolean),
    Column("unexpected_rows", sa.BigInteger),
    Column("unexpected_share", sa.Double),
)

episodes = Table(
    "episodes",
    tables,
    key("id"),
    must("monitor", Words),
    must("cause", Words),
    must("opened_by", Words),
    must("opened_at", Moment),
    must("headline", Words),
    must("last_check", Words),
    Column("worst", sa.Double),  # NULL: beyond measure
    must("columns", Plain),
    must("breaches", Integer),
    must("told", sa.Boolean),
    must("worsened", sa.Boolean),
    _later("worse_untold", sa.Boolean, "false"),
    Column("resolved_by", Words),
    Column("resolved_at", Moment),
    Column("retrain_request", Words),
    Index("episodes_by_time", "monitor", "opened_at"),
)
OPEN = episodes.c.resolved_by.is_(None)
Index(
    "episodes_open",
    episodes.c.monitor,
    episodes.c.cause,
    unique=True,
    sqlite_where=OPEN,
    postgresql_where=OPEN,
)

retrain_requests = Table(
    "retrain_requests",
    tables,
    key("id"),
    must("monitor", Words),
    Column("check", Words),
    Column("episode", Words),
    must("reasons", Plain),
    must("reference_version", Words),
    Column("window_start", Moment),
    Column("window_end", Moment),
    must("requested_at", Moment),
    must("state", Words),
    Column("answered_at", Moment),
    _later("answer", Words, "''"),
    _later("model_version", Words, "''"),
    _later("new_reference", Words, "''"),
    Index("retrain_requests_by_time", "monitor", "requested_at"),
)

outbox = Table(
    "outbox",
    tables,
    Column("place", Integer, primary_key=True),  # in the order of arrival
    must("id", Words),
    must("channel", Words),
    must("monitor", Words),
    must("kind", Words),
    must("payload", Plain),
    must("created_at", Moment),
    Column("episode", Words),
    must("state", Words),
    must("attempts", Integer),
    Column("next_at", Moment),
    Column("claimed_until", Moment),  # the lease of whoever is sending it
    Column("sent_at", Moment),
    Column("failed_at", Moment),
    must("error", Words),
    must("receipt", Plain),
    UniqueConstraint("id", name="outbox_id"),
    Index("outbox_line", "state", "episode", "channel"),
    Index("outbox_of_episode", "episode"),
)
