"""What a new schema leaves to be filled in: a little at a time, while others read and write."""

from typing import Any

import sqlalchemy as sa

from monitor.core.records import Check
from monitor.core.wire import check_from_json
from monitor.stores._sql_columns import column_rows, shown_of
from monitor.stores._sql_engine import Schema, Writing
from monitor.stores._sql_rows import add
from monitor.stores._sql_tables import checks, column_results, tables

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
                _fill(db, check_id, document)
        if not rows:
            return
        last = rows[-1][0]


def _fill(db: sa.Connection, check_id: str, document: Any) -> None:
    """A document that cannot be read keeps its row as it is."""
    try:
        check: Check = check_from_json(document)
    except (ValueError, TypeError, AttributeError):
        return
    shown = sa.update(checks).where(checks.c.id == check_id)
    db.execute(shown.values(shown_of(check)))
    for row in column_rows(check):
        add(db, column_results, row | {"check_id": check_id})


SCHEMA = Schema(tables, {"0003": fill_checks})
