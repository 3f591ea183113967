"""Columns over many checks in a SQL database: what is drawn of them, without their documents."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from monitor.archive import BEYOND_MEASURE, ColumnLine, Tally
from monitor.core.records import Check, Finding, Verdict
from monitor.core.verdict import deciding
from monitor.stores._sql_engine import Part
from monitor.stores._sql_rows import row_of
from monitor.stores._sql_tables import column_results, expectation_results, findings

_OF_CHECK = column_results.c.check_id
_SHOWN = [_OF_CHECK, *(column_results.c[name] for name in ColumnLine._fields[1:])]
_NO_COLUMNS = (0, 0, None, None)  # of a Tally


class Columns(Part):
    """How columns moved over checks."""

    def column_lines(
        self, check_ids: Collection[str], *, most: int
    ) -> tuple[list[ColumnLine], int]:
        of_checks = _OF_CHECK.in_(list(check_ids))
        furthest = sa.func.max(column_results.c.strength).desc()
        column = column_results.c.column
        ranked = sa.select(column).where(of_checks).group_by(column).order_by(furthest, column)
        names = [row["column"] for row in self._database.rows(ranked)]
        shown = {name: place for place, name in enumerate(names[:most])}
        query = sa.select(*_SHOWN).where(of_checks)
        if len(names) > most:
            query = query.where(column.in_(list(shown)))
        found = self._database.tuples(query)
        lines = [ColumnLine(of, name, Verdict(said), *rest) for of, name, said, *rest in found]
        lines.sort(key=lambda line: shown[line.column])
        return lines, max(0, len(names) - most)

    def tallies(self, check_ids: Collection[str]) -> dict[str, Tally]:
        columns, expectations = (
            {check_id: told for check_id, *told in self._database.tuples(query(check_ids))}
            for query in (_columns_told, _expectations_told)
        )
        return {
            check_id: Tally(*columns.get(check_id, _NO_COLUMNS), *expectations.get(check_id, ()))
            for check_id in check_ids
        }

    def promised(self, check_ids: Sequence[str]) -> dict[str, float | None]:
        of_check = findings.c.check_id
        query = sa.select(of_check, findings.c.test, findings.c.threshold).where(
            of_check.in_(list(check_ids)), findings.c.column.is_(None)
        )
        place = {check_id: n for n, check_id in enumerate(check_ids)}
        found = sorted(self._database.tuples(query), key=lambda row: place[row[0]])
        return {test: threshold for _, test, threshold in found}


def shown_of(check: Check) -> dict[str, Any]:
    """What lists show of a check beside its document."""
    return {
        "rows_in_window": check.sample.rows_in_window,
        "reference_version": check.reference and check.reference.version,
        "reference_rows": check.reference and check.reference.rows,
        "newest": check.sample.newest,
        "made_at": check.made_at,
        "took_s": sum(check.timings_s.values()) if check.timings_s else None,
        "worst": max((c.strength for c in check.columns if c.compared), default=None),
    }


def column_rows(check: Check) -> list[dict[str, Any]]:
    """A line of each compared column."""
    compared = [c for c in check.columns if c.compared]
    return [
        row_of(c, column_results)
        | {"check_id": check.id, "position": place, "column": c.name}
        | {"strength": min(c.strength, BEYOND_MEASURE)}
        | _lead(c.findings)
        for place, c in enumerate(compared)
    ]


def _lead(found: Collection[Finding]) -> dict[str, Any]:
    """The finding that says most."""
    measured = [f for f in deciding(list(found)) if f.effect is not None]
    if not measured:
        return {"test": "", "effect": None, "threshold": None}
    lead = max(measured, key=lambda f: f.strength)
    return {"test": lead.test, "effect": lead.effect, "threshold": lead.threshold}


def _columns_told(check_ids: Collection[str]) -> sa.Select[Any]:
    """The first fields of a Tally."""
    drifted = sa.case((column_results.c.verdict == "drifted", 1), else_=0)
    return (
        sa.select(
            _OF_CHECK,
            sa.func.count(),
            sa.func.sum(drifted),
            sa.func.avg(column_results.c.missing_reference),
            sa.func.avg(column_results.c.missing_current),
        )
        .where(_OF_CHECK.in_(list(check_ids)))
        .group_by(_OF_CHECK)
    )


def _expectations_told(check_ids: Collection[str]) -> sa.Select[Any]:
    """Its last fields."""
    of_check, success = expectation_results.c.check_id, expectation_results.c.success
    failed = sa.case((success.is_(False), 1), else_=0)
    return (
        sa.select(of_check, sa.func.count(success), sa.func.sum(failed))
        .where(of_check.in_(list(check_ids)))
        .group_by(of_check)
    )
