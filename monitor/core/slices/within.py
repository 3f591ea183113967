"""How columns are compared within some of the rows: by the plan of the whole, and its yardstick."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from monitor.core.columns import Column, Kind, Stream
from monitor.core.comparison import Plan, compare_columns
from monitor.core.over_time.calibration import Measure, Yardstick
from monitor.core.records import ColumnResult
from monitor.core.summaries.kept import Summaries
from monitor.core.summaries.summary import Summary

Sides = tuple[Mapping[str, Column], Mapping[str, Column]]  # (reference, window)


@dataclass(frozen=True, slots=True, eq=False)
class Drawn(Mapping[str, Column]):
    """Columns in the rows that are drawn of them, each when it is first asked for."""

    columns: Mapping[str, Stream]
    names: Mapping[str, None]  # in order

    def __getitem__(self, name: str) -> Column:
        if name not in self.names:
            raise KeyError(name)
        return self.columns[name].drawn()

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def rows(self) -> int:
        """How many are drawn, the same of each column."""
        first = next(iter(self.names), None)
        return 0 if first is None else self[first].rows

    @property
    def whole(self) -> bool:
        """Whether all rows are drawn."""
        first = next(iter(self.names), None)
        return first is None or self[first].rows == self.columns[first].rows


@dataclass(frozen=True, slots=True, eq=False)
class Within:
    """The rule of comparisons within slices and segments."""

    plan: Plan
    measure: Measure | None = None  # see `of_some_rows`
    versus: str = "in training"  # how one says what columns are compared with

    def compare(self, sides: Sides) -> tuple[ColumnResult, ...]:
        """The columns of both sides, of which only some rows are left."""
        return compare_columns(*sides, self.plan, measure=self.measure)

    def frozen(self, kinds: Mapping[str, Kind]) -> "Within":
        """The same with the kinds of whole columns, and none of them critical.

        A critical column is exempt from the control of false discoveries; many slices are not.
        """
        return replace(self, plan=replace(self.plan, kinds=kinds, critical=frozenset()))


def of_some_rows(
    measure: Measure, reference: Mapping[str, Stream], summaries: Summaries
) -> Measure:
    """What `measure` knows of the whole columns of `reference`, for some of their rows.

    How much windows vary is a matter of the whole column, what is compared is not; and seasons are
    left out, as the rows of one phase would be too few.
    """

    def scaled(column: Stream, kind: Kind, summary: Summary) -> Yardstick:
        whole = reference[column.name]
        found = measure(whole, kind, summaries.of(whole, kind))
        return Yardstick(summary, found.variation, against_window=found.against_window)

    return scaled
