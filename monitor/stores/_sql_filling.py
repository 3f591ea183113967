"""What a new schema leaves to be filled in: a little at a time, while others read and write."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from monitor.stores._sql_tables import checks

Writing = Callable[[], AbstractContextManager[sa.Connection]]
_AT_ONCE = 50  # documents of one transaction: they may be large


def fill_checks(writing: Writing) -> None:
    """What lists show of each check, from its document.

    Whoever is stopped in the middle begins anew: what is filled already stays as it is.
    """
    last = ""
    bare = sa.select(checks.c.id, checks.c.document).where(checks.c.made_at.is_(None))
    query = bare.order_by(checks.c.id).limit(_AT_ONCE)
    while True:
        with writing() as db:
            rows = db.execute(query.where(checks.c.id > last)).all()
            for check_id, document in rows:
                shown = sa.update(checks).where(checks.c.id == check_id)
                db.execute(shown.values(_listed(document)))
        if not rows:
            return
        last = rows[-1][0]


def _listed(document: Any) -> dict[str, Any]:
    """A document that cannot be read keeps its row as it is."""
    told = json.loads(document) if isinstance(document, str) else document
    told = told if isinstance(told, dict) else {}
    sample, reference = told.get("sample") or {}, told.get("reference") or {}
    made_at = told.get("made_at")
    return {
        "rows_in_window": sample.get("rows_in_window", 0),
        "reference_version": reference.get("version"),
        "reference_rows": reference.get("rows"),
        "made_at": datetime.fromisoformat(made_at) if made_at else None,
    }
