"""What was seen before: earlier checks of a monitor in the few words that a report has of them."""

from datetime import datetime

from monitor.archive import CheckLine, Place, Store
from monitor.core.over_time.spending import ACCUMULATED
from monitor.ports import PastCheck, PastColumn
from monitor.steps.kit import HISTORY

MOST_COLUMNS = 1000  # beyond them those that moved least go without a past


def past_checks(store: Store, monitor: str, before: datetime) -> list[PastCheck]:
    """The newest of those whose windows start before a moment, oldest first.

    Told from lines: thirty documents would take longer to read than a check takes to make.
    """
    lines = store.lines(monitor, before=Place(before, before, monitor), limit=HISTORY)[::-1]
    columns = _columns(store, lines)
    evidence = store.dataset_statistics(ACCUMULATED, list(columns))
    return [
        PastCheck(
            verdict=line.verdict,
            headline=line.headline,
            window=line.window,
            rows=line.rows,
            columns=columns[line.id],
            evidence=evidence.get(line.id),
        )
        for line in lines
    ]


def _columns(store: Store, lines: list[CheckLine]) -> dict[str, dict[str, PastColumn]]:
    """By check and name."""
    found = {line.id: dict[str, PastColumn]() for line in lines}
    for column in store.column_lines(list(found), most=MOST_COLUMNS)[0]:
        found[column.check][column.column] = PastColumn(column.verdict, column.strength)
    return found
