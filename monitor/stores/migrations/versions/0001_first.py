"""The first tables: references, checks with their parts, episodes, retrain requests, outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _create_references()
    _create_checks()
    _create_findings()
    _create_expectation_results()
    _create_episodes()
    _create_retrain_requests()
    _create_outbox()


def _create_references() -> None:
    op.create_table(
        "references",
        sa.Column("monitor", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("kinds", sa.JSON, nullable=False),
        sa.Column("dtypes", sa.JSON, nullable=False),
        sa.Column("built_at", _MOMENT, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.UniqueConstraint("monitor", "rank", name="references_rank"),
    )


def _create_checks() -> None:
    op.create_table(
        "checks",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("monitor", sa.Text, nullable=False),
        sa.Column("window_start", _MOMENT, nullable=False),
        sa.Column("window_end", _MOMENT, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("headline", sa.Text, nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("report", sa.Text),
        sa.Column("stored_at", _MOMENT, nullable=False),
        sa.UniqueConstraint(
            "monitor", "window_start", "window_end", "revision", name="checks_window"
        ),
    )
    op.create_index("checks_by_time", "checks", ["window_start"])


def _create_findings() -> None:
    op.create_table(
        "findings",
        sa.Column("check_id", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("column", sa.Text),
        sa.Column("test", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("statistic", sa.Double),
        sa.Column("effect", sa.Double),
        sa.Column("p_value", sa.Double),
        sa.Column("p_tolerance", sa.Double),
        sa.Column("threshold", sa.Double),
        sa.Column("tolerance", sa.Double),
        sa.Column("rows_reference", sa.BigInteger, nullable=False),
        sa.Column("rows_current", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["check_id"], ["checks.id"], ondelete="CASCADE"),
    )


def _create_expectation_results() -> None:
    op.create_table(
        "expectation_results",
        sa.Column("check_id", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("column", sa.Text),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("success", sa.Boolean),
        sa.Column("unexpected_rows", sa.BigInteger),
        sa.Column("unexpected_share", sa.Double),
        sa.ForeignKeyConstraint(["check_id"], ["checks.id"], ondelete="CASCADE"),
    )


def _create_episodes() -> None:
    op.create_table(
        "episodes",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("monitor", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("opened_by", sa.Text, nullable=False),
        sa.Column("opened_at", _MOMENT, nullable=False),
        sa.Column("headline", sa.Text, nullable=False),
        sa.Column("last_check", sa.Text, nullable=False),
        sa.Column("worst", sa.Double),
        sa.Column("columns", sa.JSON, nullable=False),
        sa.Column("breaches", sa.Integer, nullable=False),
        sa.Column("told", sa.Boolean, nullable=False),
        sa.Column("worsened", sa.Boolean, nullable=False),
        sa.Column("resolved_by", sa.Text),
        sa.Column("resolved_at", _MOMENT),
        sa.Column("retrain_request", sa.Text),
    )
    op.create_index(
        "episodes_open",
        "episodes",
        ["monitor", "cause"],
        unique=True,
        sqlite_where=sa.text("resolved_by IS NULL"),
        postgresql_where=sa.text("resolved_by IS NULL"),
    )
    op.create_index("episodes_by_time", "episodes", ["monitor", "opened_at"])


def _create_retrain_requests() -> None:
    op.create_table(
        "retrain_requests",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("monitor", sa.Text, nullable=False),
        sa.Column("check", sa.Text),
        sa.Column("episode", sa.Text),
        sa.Column("reasons", sa.JSON, nullable=False),
        sa.Column("reference_version", sa.Text, nullable=False),
        sa.Column("window_start", _MOMENT),
        sa.Column("window_end", _MOMENT),
        sa.Column("requested_at", _MOMENT, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
    )
    op.create_index("retrain_requests_by_time", "retrain_requests", ["monitor", "requested_at"])


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("place", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("monitor", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("episode", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", _MOMENT),
        sa.Column("claimed_until", _MOMENT),
        sa.Column("sent_at", _MOMENT),
        sa.Column("failed_at", _MOMENT),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("receipt", sa.JSON, nullable=False),
        sa.UniqueConstraint("id", name="outbox_id"),
    )
    op.create_index("outbox_line", "outbox", ["state", "episode", "channel"])
