"""What lists show of a check beside its document; deeds of people, access, claims."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _widen_checks()
    _create_column_results()
    _widen_retrain_requests()
    untold = sa.Column("worse_untold", sa.Boolean, nullable=False, server_default=sa.text("false"))
    op.add_column("episodes", untold)
    over = sa.Column("configured_version", sa.Text, nullable=False, server_default=sa.text("''"))
    op.add_column("references", over)
    op.create_index("outbox_of_episode", "outbox", ["episode"])
    _create_audit()
    _create_acknowledgements()
    _create_silences()
    _create_check_requests()
    _create_tokens()
    _create_sessions()
    _create_answers()
    _create_claims()
    _create_replicas()


def _widen_checks() -> None:
    count = sa.Column("rows_in_window", sa.BigInteger, nullable=False, server_default=sa.text("0"))
    op.add_column("checks", count)
    op.add_column("checks", sa.Column("reference_version", sa.Text))
    op.add_column("checks", sa.Column("reference_rows", sa.BigInteger))
    op.add_column("checks", sa.Column("made_at", _MOMENT))
    op.add_column("checks", sa.Column("newest", _MOMENT))
    op.add_column("checks", sa.Column("took_s", sa.Double))
    op.add_column("checks", sa.Column("worst", sa.Double))
    op.create_index("checks_by_arrival", "checks", ["stored_at"])


def _create_column_results() -> None:
    op.create_table(
        "column_results",
        sa.Column(
            "check_id", sa.Text, sa.ForeignKey("checks.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("column", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("strength", sa.Double, nullable=False),
        sa.Column("missing_reference", sa.Double),
        sa.Column("missing_current", sa.Double),
        sa.Column("test", sa.Text, nullable=False),
        sa.Column("effect", sa.Double),
        sa.Column("threshold", sa.Double),
    )


def _widen_retrain_requests() -> None:
    op.add_column("retrain_requests", sa.Column("answered_at", _MOMENT))
    for name in ("answer", "model_version", "new_reference"):
        column = sa.Column(name, sa.Text, nullable=False, server_default=sa.text("''"))
        op.add_column("retrain_requests", column)


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("via", sa.Text, nullable=False),
        sa.Column("deed", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("monitor", sa.Text),
        sa.Column("details", sa.JSON, nullable=False),
    )
    op.create_index("audit_by_time", "audit", ["at", "id"])
    op.create_index("audit_of_monitor", "audit", ["monitor", "at"])


def _create_acknowledgements() -> None:
    op.create_table(
        "acknowledgements",
        sa.Column("episode", sa.Text, primary_key=True),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
    )


def _create_silences() -> None:
    op.create_table(
        "silences",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("start", _MOMENT, nullable=False),
        sa.Column("end", _MOMENT, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("monitor", sa.Text),
        sa.Column("lifted_at", _MOMENT),
    )
    op.create_index("silences_by_end", "silences", ["end"])


def _create_check_requests() -> None:
    op.create_table(
        "check_requests",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("monitor", sa.Text, nullable=False),
        sa.Column("window_start", _MOMENT, nullable=False),
        sa.Column("window_end", _MOMENT, nullable=False),
        sa.Column("requested_at", _MOMENT, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("check", sa.Text),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("claimed_until", _MOMENT),
    )
    op.create_index("check_requests_line", "check_requests", ["state", "requested_at"])


def _create_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("made_at", _MOMENT, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("expires_at", _MOMENT),
        sa.Column("revoked_at", _MOMENT),
        sa.Column("used_at", _MOMENT),
    )


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("made_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
    )


def _create_answers() -> None:
    op.create_table(
        "answers",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("asker", sa.Text, primary_key=True),
        sa.Column("asked", sa.Text, nullable=False),
        sa.Column("answer", sa.JSON, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
    )
    op.create_index("answers_by_time", "answers", ["at"])


def _create_claims() -> None:
    op.create_table(
        "claims",
        sa.Column("monitor", sa.Text, primary_key=True),
        sa.Column("window_start", _MOMENT, primary_key=True),
        sa.Column("window_end", _MOMENT, primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("until", _MOMENT, nullable=False),
    )


def _create_replicas() -> None:
    op.create_table(
        "replicas",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("started_at", _MOMENT, nullable=False),
        sa.Column("seen_at", _MOMENT, nullable=False),
        sa.Column("parts", sa.JSON, nullable=False),
        sa.Column("moved_at", _MOMENT),
    )
