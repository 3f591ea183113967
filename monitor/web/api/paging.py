"""Lists in parts: a cursor says after which item to go on, and a link leads there."""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel

from monitor.archive import Place
from monitor.errors import AskedWrongly
from monitor.web.api.shapes import Page

Item = TypeVar("Item")
Record = TypeVar("Record")
Told = TypeVar("Told", bound=BaseModel)
MOST = 200
Limit = Annotated[int, Query(ge=1, le=MOST, description="How many items at most.")]
Cursor = Annotated[
    str | None,
    Query(max_length=400, description="Where to go on, from the `next` of an answer."),
]


def cursor_of(*parts: datetime | str) -> str:
    """An opaque text; what is in it is no promise.

    >>> parts_of(cursor_of("loans", datetime(2026, 1, 1)), str, datetime)
    ('loans', datetime.datetime(2026, 1, 1, 0, 0))
    """
    told = [part.isoformat() if isinstance(part, datetime) else part for part in parts]
    text = json.dumps(told, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def parts_of(cursor: str, *kinds: type) -> tuple[Any, ...]:
    """What `cursor_of` put in. AskedWrongly for anything else."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        told = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        return tuple(_part(kind, one) for kind, one in zip(kinds, told, strict=True))
    except (ValueError, TypeError, RecursionError):
        raise AskedWrongly(
            "this cursor is none of ours", hint="take it from `next` of the answer before"
        ) from None


def _part(kind: type, told: Any) -> Any:
    if not isinstance(told, str) or not told.isprintable():
        raise ValueError
    return datetime.fromisoformat(told) if kind is datetime else told


class Part:
    """Which part of a list is asked for, and the answer that holds it: a dependency of lists."""

    def __init__(
        self, request: Request, response: Response, cursor: Cursor = None, limit: Limit = 50
    ) -> None:
        self._request = request
        self._response = response
        self._limit = limit
        self.cursor = cursor
        self.most = limit + 1  # to read: one more tells whether anything follows

    @property
    def before(self) -> tuple[datetime, str] | None:
        """The (time, id) of the last item that was told, in a list of the newest first."""
        if self.cursor is None:
            return None
        at, item = parts_of(self.cursor, datetime, str)
        return _aware(at), item

    @property
    def place(self) -> Place | None:
        """The same in a list of checks."""
        if self.cursor is None:
            return None
        start, end, monitor = parts_of(self.cursor, datetime, datetime, str)
        return Place(_aware(start), _aware(end), monitor)

    def of(
        self,
        found: Sequence[Record],
        tell: Callable[[Sequence[Record]], Sequence[Item]],
        place: Callable[[Record], tuple[datetime | str, ...]],
    ) -> Page[Item]:
        """What was found, as it is told, and the link to what follows the `place` of the last."""
        here = found[: self._limit]
        items = list(tell(here))
        if len(found) <= self._limit:
            return Page(items=items)
        url = self._request.url.include_query_params(cursor=cursor_of(*place(here[-1])))
        address = f"{url.path}?{url.query}"
        self._response.headers["Link"] = f'<{address}>; rel="next"'
        return Page(items=items, next=address)


AskedPart = Annotated[Part, Depends()]


def each(shape: type[Told]) -> Callable[[Sequence[Any]], list[Told]]:
    """Records told one by one in a shape."""
    return lambda found: [shape.model_validate(one) for one in found]


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None or not 1 < moment.year < 9999:
        raise AskedWrongly("this cursor is none of ours")
    return moment
