"""Lists in parts: a cursor says after which item to go on, and a link leads there."""

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import Query, Request, Response

from monitor.archive import Place
from monitor.errors import AskedWrongly
from monitor.web.api.shapes import Page

Item = TypeVar("Item")
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


def place_of(cursor: str | None) -> Place | None:
    """The place of a check in its list."""
    if cursor is None:
        return None
    start, end, monitor = parts_of(cursor, datetime, datetime, str)
    return Place(_aware(start), _aware(end), monitor)


def moment_of(cursor: str | None) -> tuple[datetime, str] | None:
    """The (time, id) of an item in a list of the newest first."""
    if cursor is None:
        return None
    at, item = parts_of(cursor, datetime, str)
    return _aware(at), item


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None or not 1 < moment.year < 9999:
        raise AskedWrongly("this cursor is none of ours")
    return moment


def page_of(
    request: Request, response: Response, items: Sequence[Item], cursor: str | None
) -> Page[Item]:
    """The items, and the link to what follows the last of them."""
    if cursor is None:
        return Page(items=list(items))
    url = request.url.include_query_params(cursor=cursor)
    address = f"{url.path}?{url.query}"
    response.headers["Link"] = f'<{address}>; rel="next"'
    return Page(items=list(items), next=address)
