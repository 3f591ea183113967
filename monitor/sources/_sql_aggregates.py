"""Rows of a database that were too many to hold, with the database still there to be asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from monitor.core.aggregates import (
    Aggregate,
    Among,
    Beside,
    Compared,
    Condition,
    Count,
    Every,
    Family,
    Found,
    Long,
    Missing,
    Not,
    Of,
    Repeated,
    Some,
    Value,
    columns_asked,
)
from monitor.core.records import SampleInfo
from monitor.errors import MonitorError
from monitor.sources._sql_database import Database, Field, Rows
from monitor.tables.streams import StreamedTable, Streams


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Where the rows of a window lie, for those who come back to ask about them."""

    database: Database
    rows: Rows
    inside: sa.ColumnElement[bool]
    fields: Mapping[str, Field]


class SqlTable(StreamedTable):
    """The rows on this machine's disk, and aggregates of them from the database.

    The transaction that read the rows is over. A database that has another number of rows in the
    window by now, or cannot answer, is not believed: the rows that were read decide.
    """

    def __init__(self, streams: Streams, info: SampleInfo, asked: Asked) -> None:
        super().__init__(streams)
        self._rows = info.rows
        self._asked = asked
        self.families: dict[str, Family] = {
            name: asked.fields[name].family for name in streams.names
        }
        self._written = _Expressions(asked)

    def can(self, asked: Aggregate) -> bool:
        known = self._asked.database.computes
        measured = not isinstance(asked, Of) or asked.measure in known
        return measured and (Found in known or not _searches(asked.where))

    def aggregate(self, asked: Sequence[Aggregate]) -> dict[Aggregate, Any]:
        try:
            return self._answers(asked)
        except (MonitorError, sa.exc.SQLAlchemyError, OverflowError):
            return {}

    def some_values(
        self, columns: Sequence[str], where: Condition, *, least: int, limit: int
    ) -> list[tuple[Any, ...]]:
        chosen = self._chosen(columns, where)
        query = sa.select(*chosen.c)
        if least:
            query = query.group_by(*chosen.c).having(sa.func.count() >= least).order_by(*chosen.c)
        try:
            with self._asked.database.reading(self._asked.rows) as db:
                return [tuple(row) for row in db.execute(query.limit(limit))]
        except (MonitorError, sa.exc.SQLAlchemyError, OverflowError):
            return []

    def _answers(self, asked: Sequence[Aggregate]) -> dict[Aggregate, Any]:
        """One SELECT with all that is flat, and one for each `Repeated`, in one transaction."""
        flat = [each for each in asked if not isinstance(each, Repeated)]
        used = sorted(columns_asked(asked))
        doubts = [self._asked.database.doubtful(self._asked.fields[name]) for name in used]
        values = [sa.func.count(), *(_counted(doubt) for doubt in doubts)]
        values += [self._written.aggregate(each) for each in flat]
        query = sa.select(*(value.label(f"a{i}") for i, value in enumerate(values)))
        query = query.select_from(self._asked.rows.clause).where(self._asked.inside)
        with self._asked.database.reading(self._asked.rows) as db:
            rows, *told = db.execute(query).one()
            if rows != self._rows:
                return {}
            strange = {name for name, count in zip(used, told, strict=False) if count}
            found: dict[Aggregate, Any] = dict(zip(flat, told[len(used) :], strict=True))
            for each in asked:
                if isinstance(each, Repeated) and strange.isdisjoint(each.columns):
                    found[each] = db.execute(self._repeated(each)).scalar_one()
        return {each: found[each] for each in found if strange.isdisjoint(columns_asked([each]))}

    def _repeated(self, asked: Repeated) -> sa.Select[Any]:
        chosen = self._chosen(asked.columns, asked.where)
        groups = sa.select(sa.func.count().label("n")).select_from(chosen).group_by(*chosen.c)
        held = groups.having(sa.func.count() > 1).subquery("groups")
        return sa.select(sa.func.coalesce(sa.func.sum(held.c.n), 0))

    def _chosen(self, columns: Sequence[str], where: Condition) -> sa.Subquery:
        """Values by a name of their own: an expression that binds something cannot be grouped."""
        values = [self._written.value(name).label(f"c{i}") for i, name in enumerate(columns)]
        inside = sa.and_(self._asked.inside, self._written.condition(where))
        query = sa.select(*values).select_from(self._asked.rows.clause).where(inside)
        return query.subquery("chosen")


class _Expressions:
    """Writes what is asked; names are quoted and values bound."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def value(self, name: str) -> sa.ColumnElement[Any]:
        """The value of a column, null where it is missing."""
        return self._asked.database.plain(self._asked.fields[name])

    def aggregate(self, asked: Count | Of) -> sa.ColumnElement[Any]:
        if isinstance(asked, Count):
            return _counted(self.condition(asked.where))
        value = sa.case((self.condition(asked.where), self.value(asked.column)))
        if asked.measure == "distinct":
            return sa.func.count(sa.distinct(value))
        if asked.measure in ("mean", "deviation"):
            name = "avg" if asked.measure == "mean" else "stddev_samp"
            return getattr(sa.func, name)(sa.cast(value, sa.Double))  # type: ignore[no-any-return]
        return getattr(sa.func, asked.measure)(value)  # type: ignore[no-any-return]

    def condition(self, asked: Condition) -> sa.ColumnElement[bool]:
        """True or false, never null."""
        if isinstance(asked, Not):
            return sa.not_(self.condition(asked.part))
        if isinstance(asked, Missing):
            return self.value(asked.column).is_(None)
        if isinstance(asked, Compared | Among | Long | Found | Beside):
            value = self.value(asked.column)
            return sa.and_(value.is_not(None), self._of_value(asked, value))
        parts = [self.condition(part) for part in asked.parts]
        every = isinstance(asked, Every)
        return sa.and_(sa.true(), *parts) if every else sa.or_(sa.false(), *parts)

    def _of_value(
        self, asked: Compared | Among | Long | Found | Beside, value: sa.ColumnElement[Any]
    ) -> sa.ColumnElement[bool]:
        if isinstance(asked, Beside):
            other = self.value(asked.other)
            return sa.and_(other.is_not(None), _beside(value, asked.sign, other))
        if isinstance(asked, Among):
            listed = [self._bound(asked.column, each) for each in asked.values]
            return value.in_(listed) if listed else sa.false()
        if isinstance(asked, Long):
            return _beside(sa.func.length(value), asked.sign, sa.literal(asked.length))
        if isinstance(asked, Found):
            return value.op("~", is_comparison=True)(sa.literal(asked.pattern, sa.Text()))
        return _beside(value, asked.sign, self._bound(asked.column, asked.value))

    def _bound(self, column: str, value: Value) -> sa.ColumnElement[Any]:
        if isinstance(value, bool):
            return sa.literal(value, sa.Boolean())
        if isinstance(value, str):
            return sa.literal(value, sa.Text())
        if isinstance(value, int):
            return sa.literal(value, sa.BigInteger())
        if isinstance(value, float):
            return sa.literal(value, sa.Double())
        aware = self._asked.fields[column].family == "moment"
        return sa.literal(value, sa.TIMESTAMP(timezone=aware))


def _counted(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[Any]:
    return sa.func.count(sa.case((condition, 1)))


def _beside(left: Any, sign: str, right: Any) -> sa.ColumnElement[bool]:
    word = "=" if sign == "==" else sign
    return left.op(word, is_comparison=True)(right)  # type: ignore[no-any-return]


def _searches(condition: Condition) -> bool:
    """Whether a pattern is looked for."""
    if isinstance(condition, Found):
        return True
    if isinstance(condition, Not):
        return _searches(condition.part)
    return isinstance(condition, Every | Some) and any(map(_searches, condition.parts))
