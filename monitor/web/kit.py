"""What the files of pages work with: what is known, who may come in, and where deeds are done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from monitor.core.records import Check
from monitor.desk import Desk
from monitor.ports import Reports
from monitor.web.access import Gate
from monitor.web.views import Views

Difference = Callable[[str, str, str], Check]  # of a monitor, between two of its checks

READ_METHODS = ["GET", "HEAD"]


@dataclass(frozen=True, slots=True)
class PageKit:
    """Handed to every file of pages."""

    views: Views
    reports: Reports
    gate: Gate
    desk: Desk
    alive: Callable[[], Mapping[str, bool]]
    difference: Difference | None = None  # None: there is nothing to compare windows by
