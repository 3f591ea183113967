"""Checks in a SQL database: one transaction a check with all its consequences."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from monitor.archive import CheckLine, Outcome, Place, StoredCheck, state_token
from monitor.core.records import (
    Check,
    DatasetResult,
    Notice,
    ReferenceInfo,
    SampleInfo,
    Verdict,
    Window,
)
from monitor.core.wire import check_from_json, check_to_json
from monitor.errors import StoreConflict, StoreUnavailable
from monitor.stores._sql_columns import column_rows, shown_of
from monitor.stores._sql_engine import Part
from monitor.stores._sql_episodes import open_of, put_episodes
from monitor.stores._sql_rows import Row, add, add_all, record_of, row_of, window_of
from monitor.stores._sql_tables import (
    WINDOW,
    Moment,
    checks,
    column_results,
    expectation_results,
    findings,
    outbox,
    retrain_requests,
    window_summaries,
)

_LISTED = [c for c in checks.c if c.name != "document"]
_LONG_AGO = datetime(1, 1, 2, tzinfo=UTC)
_NEWEST = (checks.c.window_start.desc(), checks.c.window_end.desc(), checks.c.monitor)
_later = checks.alias("later")
_LATEST = ~sa.exists().where(  # of the looks at a window; made once, for lists are asked often
    *(_later.c[name] == checks.c[name] for name in WINDOW[:-1]),
    _later.c.revision > checks.c.revision,
)


class Checks(Part):
    """What was seen of each window."""

    def save(self, outcome: Outcome) -> bool:
        row = _check_row(outcome, self._clock())
        document = row["document"]
        with self._database.writing() as db:
            before = _state(db, row["monitor"])
            if not add(db, checks, row):
                _must_be_known(db, row, self._database.place)
                return False
            if outcome.based_on not in (None, before):
                raise StoreConflict(f"{row['monitor']} was decided on by another check meanwhile")
            add_all(db, findings, _finding_rows(row["id"], document))
            add_all(db, column_results, column_rows(outcome.check))
            add_all(db, expectation_results, _expectation_rows(row["id"], document))
            if outcome.summaries is not None:
                add(db, window_summaries, {"check_id": row["id"], "content": outcome.summaries})
            put_episodes(db, [change.episode for change in outcome.changes])
            if outcome.retrain:
                add(db, retrain_requests, row_of(outcome.retrain, retrain_requests))
            for message in outcome.messages:
                add(db, outbox, row_of(message, outbox))
        return True

    def state(self, monitor: str) -> str:
        with self._database.reading() as db:
            return _state(db, monitor)

    def find_check(self, monitor: str, window: Window) -> StoredCheck | None:
        exactly = (
            checks.c.monitor == monitor,
            checks.c.window_start == window.start,
            checks.c.window_end == window.end,
        )
        query = sa.select(checks).where(*exactly).order_by(checks.c.revision.desc()).limit(1)
        return next(iter(self._checks(query)), None)

    def get_check(self, check_id: str) -> StoredCheck | None:
        return next(iter(self._checks(sa.select(checks).where(checks.c.id == check_id))), None)

    def summaries(self, check_id: str) -> bytes | None:
        query = sa.select(window_summaries).where(window_summaries.c.check_id == check_id)
        rows = self._database.rows(query)
        return bytes(rows[0]["content"]) if rows else None

    def dataset_statistics(self, test: str, check_ids: Collection[str]) -> dict[str, float | None]:
        query = sa.select(findings.c.check_id, findings.c.statistic).where(
            findings.c.check_id.in_(list(check_ids)),
            findings.c.column.is_(None),
            findings.c.test == test,
        )
        return {row["check_id"]: row["statistic"] for row in self._database.rows(query)}

    def newest_checks(
        self, monitor: str | None = None, *, before: datetime | None = None, limit: int = 30
    ) -> list[StoredCheck]:
        query = sa.select(checks).where(_LATEST, *_of(monitor))
        if before is not None:
            query = query.where(checks.c.window_start < before)
        return self._checks(query.order_by(*_NEWEST).limit(limit))

    def lines(
        self, monitor: str | None = None, *, before: Place | None = None, limit: int = 30
    ) -> list[CheckLine]:
        query = sa.select(*_LISTED).where(_LATEST, *_of(monitor))
        if before is not None:
            query = query.where(_older_than(before))
        return self._lines(query.order_by(*_NEWEST).limit(limit))

    def line_after(self, monitor: str, place: Place) -> CheckLine | None:
        start, end = checks.c.window_start, checks.c.window_end
        later = sa.or_(start > place.start, sa.and_(start == place.start, end > place.end))
        query = sa.select(*_LISTED).where(_LATEST, *_of(monitor), later)
        return next(iter(self._lines(query.order_by(start, end).limit(1))), None)

    def lines_since(
        self, moment: datetime, limit: int = 1000, *, after: str = ""
    ) -> list[CheckLine]:
        stored_at, ids = checks.c.stored_at, checks.c.id
        query = sa.select(*_LISTED).where(stored_at >= moment)
        if after:
            query = query.where(sa.or_(stored_at > moment, ids > after))
        return self._lines(query.order_by(stored_at, ids).limit(limit))

    def strips(self, length: int) -> dict[str, list[CheckLine]]:
        names, first = _names(), checks.alias("first")
        oldest = (  # every window has a first look
            sa.select(first.c.window_start)
            .where(first.c.monitor == names.c.monitor, first.c.revision == 0)
            .order_by(first.c.window_start.desc())
            .limit(1)
            .offset(length - 1)
            .scalar_subquery()
        )
        since = sa.func.coalesce(oldest, sa.literal(_LONG_AGO, Moment), type_=Moment)
        mine = sa.and_(checks.c.monitor == names.c.monitor, checks.c.window_start >= since)
        query = sa.select(*_LISTED).select_from(names).join(checks, mine)
        found: dict[str, list[CheckLine]] = {}
        for line in self._lines(query.where(_LATEST).order_by(*_NEWEST)):
            found.setdefault(line.monitor, []).append(line)
        return {name: lines[:length] for name, lines in found.items()}

    def last_windows(self) -> dict[str, Window]:
        names = _names()
        start, end = checks.c.window_start, checks.c.window_end
        same = checks.alias("same")
        newest = (
            sa.select(same.c.id)
            .where(same.c.monitor == names.c.monitor)
            .order_by(same.c.window_start.desc(), same.c.window_end.desc())
            .limit(1)
            .scalar_subquery()
        )
        query = sa.select(checks.c.monitor, start, end).select_from(names)
        rows = self._database.rows(query.join(checks, checks.c.id == newest))
        return {row["monitor"]: window_of(row) for row in rows}

    def last_window(self, monitor: str) -> Window | None:
        return self._first_of(monitor, checks.c.window_start.desc(), checks.c.window_end.desc())

    def first_window(self, monitor: str) -> Window | None:
        return self._first_of(monitor, checks.c.window_start, checks.c.window_end)

    def _first_of(self, monitor: str, *order: Any) -> Window | None:
        query = sa.select(checks.c.window_start, checks.c.window_end)
        query = query.where(checks.c.monitor == monitor).order_by(*order).limit(1)
        rows = self._database.rows(query)
        return window_of(rows[0]) if rows else None

    def findings(self, check_ids: Collection[str]) -> dict[str, list[Row]]:
        query = sa.select(findings).where(findings.c.check_id.in_(list(check_ids)))
        found: dict[str, list[Row]] = {check_id: [] for check_id in check_ids}
        for row in self._database.rows(query.order_by(findings.c.check_id, findings.c.position)):
            found[row["check_id"]].append(dict(row))
        return found

    def _checks(self, query: sa.Select[Any]) -> list[StoredCheck]:
        return [_stored_check(row, self._database.place) for row in self._database.rows(query)]

    def _lines(self, query: sa.Select[Any]) -> list[CheckLine]:
        return [_line(row) for row in self._database.rows(query)]


# --- Statements ---


def _of(monitor: str | None) -> Sequence[Any]:
    return () if monitor is None else (checks.c.monitor == monitor,)


def _names() -> sa.CTE:
    """The monitors that have a check, each found behind the one before in the index: their number
    counts, not that of their checks."""
    names = sa.select(sa.func.min(checks.c.monitor).label("monitor")).cte("names", recursive=True)
    behind = sa.select(sa.func.min(checks.c.monitor)).where(checks.c.monitor > names.c.monitor)
    step = sa.select(behind.scalar_subquery()).where(names.c.monitor.is_not(None))
    return names.union_all(step)


def _older_than(place: Place) -> Any:
    """What follows a place in the order of `_NEWEST`."""
    start, end, name = checks.c.window_start, checks.c.window_end, checks.c.monitor
    same_start = sa.and_(start == place.start, end < place.end)
    same_window = sa.and_(start == place.start, end == place.end, name > place.monitor)
    return sa.or_(start < place.start, same_start, same_window)


def _must_be_known(db: sa.Connection, row: Row, place: str) -> None:
    """A check was refused: right if its window and revision are stored, else its id is taken."""
    same = [checks.c[name] == row[name] for name in WINDOW]
    if db.execute(sa.select(checks.c.id).where(*same)).first() is None:
        raise StoreConflict(f"{place} holds another check with the id {row['id']}")


def _state(db: sa.Connection, monitor: str) -> str:
    newest = sa.select(sa.func.max(checks.c.window_start)).where(checks.c.monitor == monitor)
    return state_token(db.execute(newest).scalar(), open_of(db, monitor))


# --- Rows ---


def _check_row(outcome: Outcome, now: datetime) -> dict[str, Any]:
    check = outcome.check
    if check.monitor is None or check.window is None:
        raise ValueError("only a check of a monitor's window can be stored")
    return row_of(check, checks) | {
        "revision": outcome.revision,
        "document": check_to_json(check),
        "report": outcome.report,
        "stored_at": now,
        **shown_of(check),
    }


def _stored_check(row: Row, place: str) -> StoredCheck:
    if row["document"] is None:
        return record_of(StoredCheck, row, check=_without_document(row))
    try:
        check: Check = check_from_json(row["document"])
    except ValueError as error:
        raise StoreUnavailable(f"check {row['id']} in {place} cannot be read: {error}") from None
    return record_of(StoredCheck, row, check=check)


def _without_document(row: Row) -> Check:
    """What a list shows is all that is left of it."""
    gone = Notice("document_gone", "the columns of this check are not kept any more")
    rows = row["rows_in_window"]
    return Check(
        id=row["id"],
        verdict=Verdict(row["verdict"]),
        headline=row["headline"],
        columns=(),
        dataset=DatasetResult(None, 0, 0),
        sample=SampleInfo(rows, rows, "all"),
        reference=_reference(row),
        monitor=row["monitor"],
        window=window_of(row),
        notices=(gone,),
        made_at=row["made_at"],
    )


def _reference(row: Row) -> ReferenceInfo | None:
    version, rows = row["reference_version"], row["reference_rows"]
    return None if version is None else ReferenceInfo(version, rows)


def _line(row: Row) -> CheckLine:
    """Written out, for there may be tens of thousands."""
    return CheckLine(
        id=row["id"],
        monitor=row["monitor"],
        verdict=Verdict(row["verdict"]),
        headline=row["headline"],
        window=Window(row["window_start"], row["window_end"]),
        rows=row["rows_in_window"],
        reference=_reference(row),
        report=row["report"],
        made_at=row["made_at"],
        stored_at=row["stored_at"],
        revision=row["revision"],
        newest=row["newest"],
        took_s=row["took_s"],
        worst=row["worst"],
    )


def _finding_rows(check_id: str, document: Row) -> list[dict[str, Any]]:
    found = [(None, finding) for finding in document["dataset"]["findings"]]
    found += [(c["name"], finding) for c in document["columns"] for finding in c["findings"]]
    return [
        _part(findings, check_id, position, finding) | {"column": column}
        for position, (column, finding) in enumerate(found)
    ]


def _expectation_rows(check_id: str, document: Row) -> list[dict[str, Any]]:
    results = document["expectations"]["results"] if document["expectations"] else []
    return [
        _part(expectation_results, check_id, position, result)
        for position, result in enumerate(results)
    ]


def _part(table: sa.Table, check_id: str, position: int, values: Row) -> dict[str, Any]:
    kept = {c.name: values[c.name] for c in table.c if c.name in values}
    return kept | {"check_id": check_id, "position": position}
