"""What lists show of a check beside its document; deeds of people, access, claims."""

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_AT_ONCE = 200  # documents


def upgrade() -> None:
    _widen_checks()
    _create_column_results()
    _fill_checks()
    _widen_retrain_requests()
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


def _fill_checks() -> None:
    """From the documents, a few at a time: they may be large."""
    db = op.get_bind()
    checks = sa.table(
        "checks",
        *(sa.column(name) for name in ("id", "rows_in_window", "reference_version")),
        *(sa.column("document", sa.JSON), sa.column("reference_rows")),
        sa.column("made_at", _MOMENT),
        sa.column("newest", _MOMENT),
    )
    last = ""
    query = sa.select(checks.c.id, checks.c.document).order_by(checks.c.id).limit(_AT_ONCE)
    while rows := db.execute(query.where(checks.c.id > last)).all():
        for check_id, document in rows:
            told = _told(document)
            db.execute(sa.update(checks).where(checks.c.id == check_id).values(_listed(told)))
            if columns := _columns(check_id, told):
                db.execute(sa.insert(_COLUMN_RESULTS), columns)
        last = rows[-1][0]


def _told(document: Any) -> dict[str, Any]:
    """A document that cannot be read tells nothing, and its row stays as it is."""
    told = json.loads(document) if isinstance(document, str) else document
    return told if isinstance(told, dict) else {}


def _listed(told: dict[str, Any]) -> dict[str, Any]:
    sample, reference = told.get("sample") or {}, told.get("reference") or {}
    made_at, newest = told.get("made_at"), sample.get("newest")
    return {
        "rows_in_window": sample.get("rows_in_window", 0),
        "reference_version": reference.get("version"),
        "reference_rows": reference.get("rows"),
        "made_at": datetime.fromisoformat(made_at) if made_at else None,
        "newest": datetime.fromisoformat(newest) if newest else None,
    }


_COLUMN_RESULTS = sa.table(
    "column_results",
    *(sa.column(name) for name in ("check_id", "position", "column", "verdict", "strength")),
    *(sa.column(name) for name in ("missing_reference", "missing_current", "test")),
    *(sa.column(name) for name in ("effect", "threshold")),
)
_BEYOND_MEASURE = 1e12


def _columns(check_id: str, told: dict[str, Any]) -> list[dict[str, Any]]:
    compared = [c for c in told.get("columns") or () if c.get("compared", True)]
    return [_column(check_id, position, c) for position, c in enumerate(compared)]


def _column(check_id: str, position: int, column: dict[str, Any]) -> dict[str, Any]:
    """Its strength is null in a document when it is beyond measure."""
    strength = column.get("strength", 0.0)
    findings = [f for f in column.get("findings") or () if f.get("effect") is not None]
    lead: dict[str, Any] = max(findings, key=_weight, default={})
    return {
        "check_id": check_id,
        "position": position,
        "column": column.get("name", ""),
        "verdict": column.get("verdict", "undecided"),
        "strength": _BEYOND_MEASURE if strength is None else min(strength, _BEYOND_MEASURE),
        "missing_reference": column.get("missing_reference"),
        "missing_current": column.get("missing_current"),
        "test": lead.get("test", ""),
        "effect": lead.get("effect"),
        "threshold": lead.get("threshold"),
    }


def _weight(finding: dict[str, Any]) -> tuple[bool, float]:
    """Those that decide before the others, the strongest first."""
    strength = finding["effect"] / (finding.get("tolerance") or 1e-9)
    return bool(finding.get("decides", True)), strength


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
    )
