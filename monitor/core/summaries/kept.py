"""The summaries of one dataset's columns, each made when first asked for and then kept."""

from monitor.core.columns import Column, Kind, Stream
from monitor.core.summaries.collecting import summarize
from monitor.core.summaries.summary import Summary


class Summaries:
    """Of columns that are held in memory; one that is streamed is not kept, for it may be large.

    They hold a sorted copy of every compared number column, so they cost its memory once more.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, Kind], tuple[Stream, Summary]] = {}

    def of(self, column: Stream, kind: Kind) -> Summary:
        column_then, summary = self._kept.get((column.name, kind), (None, None))
        if summary is None or column_then is not column:
            summary = summarize(column, kind)
            if isinstance(column, Column):
                self._kept[column.name, kind] = column, summary
        return summary
