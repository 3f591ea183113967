"""Columns over many checks in a SQL database: what is drawn of them, without their documents."""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from monitor.archive import BEYOND_MEASURE, ColumnLine, Tally
from monitor.core.records import Check, Finding, Verdict
from monitor.core.verdict import deciding
from monitor.stores._sql_engine import Part
from monitor.stores._sql_rows import Row, row_of
from monitor.stores._sql_tables import column_results, expectation_results, findings


class Columns(Part):
    """How columns moved over checks."""

    def column_lines(
        self, check_ids: Collection[str], *, most: int
    ) -> tuple[list[ColumnLine], int]:
        of_checks = column_results.c.check_id.in_(list(check_ids))
        furthest = sa.func.max(column_results.c.strength).desc()
        column = column_results.c.column
        ranked = sa.select(column).where(of_checks).group_by(column).order_by(furthest, column)
        names = [row["column"] for row in self._database.rows(ranked)]
        shown = {name: place for place, name in enumerate(names[:most])}
        query = sa.select(column_results).where(of_checks, column.in_(list(shown)))
        lines = [_line(row) for row in self._database.rows(query)]
        lines.sort(key=lambda line: shown[line.column])
        return lines, max(0, len(names) - most)

    def tallies(self, check_ids: Collection[str]) -> dict[str, Tally]:
        found = {check_id: dict[str, Any]() for check_id in check_ids}
        for query in (_columns_told, _expectations_told):
            for row in self._database.rows(query(check_ids)):
                found[row["check_id"]] |= {k: v for k, v in row.items() if k != "check_id"}
        return {check_id: Tally(**told) for check_id, told in found.items()}

    def whole_findings(self, check_ids: Collection[str]) -> dict[str, list[Mapping[str, Any]]]:
        query = sa.select(findings).where(
            findings.c.check_id.in_(list(check_ids)), findings.c.column.is_(None)
        )
        found: dict[str, list[Mapping[str, Any]]] = {check_id: [] for check_id in check_ids}
        for row in self._database.rows(query.order_by(findings.c.check_id, findings.c.position)):
            found[row["check_id"]].append(dict(row))
        return found


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


def _line(row: Row) -> ColumnLine:
    """Written out, for there may be thousands."""
    return ColumnLine(
        check=row["check_id"],
        column=row["column"],
        verdict=Verdict(row["verdict"]),
        strength=row["strength"],
        missing_reference=row["missing_reference"],
        missing_current=row["missing_current"],
        test=row["test"],
        effect=row["effect"],
        threshold=row["threshold"],
    )


def _lead(found: Collection[Finding]) -> dict[str, Any]:
    """The finding that says most."""
    measured = [f for f in deciding(list(found)) if f.effect is not None]
    if not measured:
        return {"test": "", "effect": None, "threshold": None}
    lead = max(measured, key=lambda f: f.strength)
    return {"test": lead.test, "effect": lead.effect, "threshold": lead.threshold}


def _columns_told(check_ids: Collection[str]) -> sa.Select[Any]:
    of_check = column_results.c.check_id
    drifted = sa.case((column_results.c.verdict == "drifted", 1), else_=0)
    return (
        sa.select(
            of_check,
            sa.func.count().label("columns"),
            sa.func.sum(drifted).label("drifted"),
            sa.func.avg(column_results.c.missing_reference).label("missing_reference"),
            sa.func.avg(column_results.c.missing_current).label("missing_current"),
        )
        .where(of_check.in_(list(check_ids)))
        .group_by(of_check)
    )


def _expectations_told(check_ids: Collection[str]) -> sa.Select[Any]:
    of_check, success = expectation_results.c.check_id, expectation_results.c.success
    failed = sa.case((success.is_(False), 1), else_=0)
    return (
        sa.select(
            of_check,
            sa.func.count(success).label("expectations"),
            sa.func.sum(failed).label("failed"),
        )
        .where(of_check.in_(list(check_ids)))
        .group_by(of_check)
    )
