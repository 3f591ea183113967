"""A large reference as it is frozen: of each column its kind, its summary, and a draw of its rows.

Checks need no more of it, so they cost what the window costs. Rows that are not held are read
again only when somebody asks for a column as another kind than it was frozen as.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from monitor.core.columns import COMPARED_KINDS, Column, Kind, Stream
from monitor.core.comparison import Plan, kind_of, kinds_of, picture_of
from monitor.core.side_by_side import Run
from monitor.core.summaries.collecting import Foretold, summarize
from monitor.core.summaries.kept import Summaries
from monitor.core.summaries.summary import Summary
from monitor.errors import AskedWrongly

POINTS = 2**14  # that stand for the numbers of a column; ranks are off by at most 1/32768


@dataclass(frozen=True, slots=True)
class Picture:
    """What is frozen of one column; times, identifiers and broken columns have no summary."""

    kind: Kind
    dtype: str
    rows: int
    missing: int
    problem: str = ""
    summary: Summary | None = None


Pictures = Mapping[str, Picture]  # by column


def freeze(columns: Mapping[str, Stream], plan: Plan, run: Run = map) -> Pictures:
    """The picture of each column, with the kinds of the plan where it has some."""
    if isinstance(columns, Foretold):
        columns.expect(kinds_of(columns, columns, plan))
    made = run(lambda name: _picture(columns[name], plan), columns)
    return dict(zip(columns, made, strict=True))


def _picture(column: Stream, plan: Plan) -> Picture:
    kind, _ = kind_of(column, plan)
    if column.problem or kind not in COMPARED_KINDS:
        return Picture(kind, column.dtype, column.rows, column.missing, column.problem)
    kind, summary = picture_of(column, kind, plan, Summaries())
    kept = summary.condensed(POINTS)
    return Picture(kind, column.dtype, summary.rows, summary.missing, summary=kept)


def are_frozen(columns: Mapping[str, Stream]) -> bool:
    """Whether all columns are pictures already."""
    return all(isinstance(column, FrozenColumn) for column in columns.values())


class FrozenColumn:
    """One column of a frozen reference, as comparisons see it."""

    def __init__(
        self,
        name: str,
        picture: Picture,
        draw: Callable[[], Column],
        again: Callable[[str], Stream] | None,
    ) -> None:
        self.name = name
        self.picture = picture
        self._draw = draw
        self._again = again

    @property
    def kind(self) -> Kind:
        return self.picture.kind

    @property
    def dtype(self) -> str:
        return self.picture.dtype

    @property
    def rows(self) -> int:
        return self.picture.rows

    @property
    def missing(self) -> int:
        return self.picture.missing

    @property
    def problem(self) -> str:
        return self.picture.problem

    def head(self) -> Column:
        return self._drawn

    def drawn(self) -> Column:
        return self._drawn

    @cached_property
    def _drawn(self) -> Column:
        """Made when it is asked for: most columns are not."""
        return self._draw()

    def pieces(self) -> Iterator[Column]:
        """AskedWrongly when the rows are not at hand."""
        return self._rows("another kind").pieces()

    def summary(self, kind: Kind, reference: Summary | None) -> Summary:
        """The frozen one; made anew from the rows for another kind than the frozen one."""
        if kind is self.picture.kind and self.picture.summary is not None:
            return self.picture.summary
        return summarize(self._rows(str(kind)), kind, reference)

    def _rows(self, kind: str) -> Stream:
        if self._again is None:
            raise AskedWrongly(
                f"{self.name!r} was frozen as {self.picture.kind} and cannot be compared as {kind}",
                hint="freeze the reference anew, with the kind that is meant",
            )
        return self._again(self.name)
