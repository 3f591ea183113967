"""What people do by forms: each deed asks why, is done once, and leads back to its page.

A form brings a key of its own. When it is sent twice, by a double click or by going back, the deed
is done once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Annotated
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from monitor.configuration.fields import parse_time
from monitor.core.people import MUTES_H, NEEDS, Deed, Scope
from monitor.core.records import Window
from monitor.desk import Desk, Key, Planned, digest_of
from monitor.errors import AskedWrongly, MonitorError, NotAllowed, StoreConflict, StoreUnavailable
from monitor.web.access import MARK, Visitor, form_of
from monitor.web.drawing import draw, root_of
from monitor.web.front import Front
from monitor.web.named import LASTS_DAYS
from monitor.web.signing_in import ours

_KEY_CHARS = 64

Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A deed as a form asks for it."""

    front: Front
    visitor: Visitor
    fields: Fields

    @property
    def desk(self) -> Desk:
        return self.front.desk

    @property
    def why(self) -> str:
        return self.fields.get("why", "")

    def must(self, name: str) -> str:
        if not (value := self.fields.get(name, "").strip()):
            raise AskedWrongly(f"the form does not say {name.replace('_', ' ')}")
        return value

    def monitor(self) -> str | None:
        """None: all of them."""
        return self.fields.get("monitor") or None

    def zone(self) -> tzinfo:
        return self.front.views.zone(self.monitor())

    def moment(self, name: str) -> datetime:
        text = self.must(name)
        try:
            return parse_time(text, self.zone())
        except ValueError:
            raise AskedWrongly(
                f"{text!r} is not a time", hint="write it as 2026-03-01T12:00"
            ) from None


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of form: the deed it asks for, and its plan; a secret is shown once, or is None."""

    deed: Deed
    plan: Callable[[Asked], Planned]


def deed_routes(front: Front) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    for name, form in FORMS.items():
        routes.add_api_route(f"/deeds/{name}", _route(front, name, form), methods=["POST"])
    return routes


def _route(front: Front, name: str, form: Form) -> Callable[..., object]:
    async def do(
        request: Request, visitor: Annotated[Visitor, Depends(front.gate.form(NEEDS[form.deed]))]
    ) -> Response:
        asked = Asked(front, visitor, await form_of(request))
        return await run_in_threadpool(_do, request, name, form, asked)

    return do


def _do(request: Request, name: str, form: Form, asked: Asked) -> Response:
    back = ours(asked.fields.get("back", "/"))
    try:
        done = asked.desk.do_once(_key(asked, name), lambda: form.plan(asked))
    except (AskedWrongly, StoreConflict) as error:
        return _refused(request, asked, back, error)
    except StoreUnavailable as error:
        return _refused(request, asked, back, error, 503)
    if done.act is not None and done.secret is not None:
        page = draw(request, "token.html.j2", token=done.act.token, secret=done.secret, back=back)
        page.headers["Cache-Control"] = "no-store"
        return page
    return RedirectResponse(root_of(request) + with_notice(back, name), 303)


def _key(asked: Asked, name: str) -> Key | None:
    """That of the form; one without is done as often as it is sent."""
    key = asked.fields.get("once", "")[:_KEY_CHARS]
    if not key:
        return None
    told = sorted((k, v) for k, v in asked.fields.items() if k != MARK)
    asker = asked.visitor.token or asked.visitor.name
    return Key(f"form {key}", asker, digest_of(f"{name} {told}"))


def _refused(
    request: Request, asked: Asked, back: str, error: MonitorError, status: int = 0
) -> Response:
    """The same for a mistake and for somebody who was faster: what now, and nothing typed lost."""
    conflict = isinstance(error, StoreConflict)
    code = status or (409 if conflict else 403 if isinstance(error, NotAllowed) else 422)
    return draw(
        request,
        "refused.html.j2",
        code,
        conflict=conflict,
        message=str(error),
        hint="" if conflict else error.hint,
        why=asked.why,
        back=back,
    )


def with_notice(path: str, name: str) -> str:
    """The page to go back to, told what was done.

    >>> with_notice("/monitors/loans?last=60&done=mute", "resolve")
    '/monitors/loans?last=60&done=resolve'
    """
    parts = urlsplit(path)
    query = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if k != "done"]
    return parts._replace(query=urlencode([*query, ("done", name)])).geturl()


# --- What each form plans ---


def _acknowledge(asked: Asked) -> Planned:
    return asked.desk.acknowledge(asked.visitor.actor, asked.must("episode"), asked.why), None


def _resolve(asked: Asked) -> Planned:
    return asked.desk.resolve(asked.visitor.actor, asked.must("episode"), asked.why), None


def _mute(asked: Asked) -> Planned:
    """Until a time of its own, else for as long as the list says."""
    if asked.fields.get("until"):
        until = asked.moment("until")
    else:
        hours = asked.fields.get("hours", "")
        if hours not in map(str, MUTES_H):
            raise AskedWrongly(f"a mute does not last {hours!r} hours", hint="choose from the list")
        until = asked.front.views.now() + timedelta(hours=int(hours))
    return asked.desk.mute(asked.visitor.actor, asked.monitor(), until, asked.why), None


def _maintain(asked: Asked) -> Planned:
    span = asked.moment("start"), asked.moment("end")
    return asked.desk.maintain(asked.visitor.actor, asked.monitor(), *span, asked.why), None


def _lift(asked: Asked) -> Planned:
    visitor = asked.visitor
    may = visitor.may_lift
    return asked.desk.lift(visitor.actor, asked.must("silence"), asked.why, may=may), None


def _check_again(asked: Asked) -> Planned:
    window = Window(asked.moment("start"), asked.moment("end"))
    act = asked.desk.check_again(asked.visitor.actor, asked.must("monitor"), window, asked.why)
    return act, None


def _retrain(asked: Asked) -> Planned:
    return asked.desk.request_retrain(asked.visitor.actor, asked.must("monitor"), asked.why), None


def _promote(asked: Asked) -> Planned:
    names = asked.must("monitor"), asked.must("version")
    return asked.desk.promote(asked.visitor.actor, *names, asked.why), None


def _resend(asked: Asked) -> Planned:
    return asked.desk.resend(asked.visitor.actor, asked.must("message"), asked.why), None


def _make_token(asked: Asked) -> Planned:
    scopes = {scope for scope in Scope if asked.fields.get(f"scope_{scope}")}
    days = asked.fields.get("days", "")
    if days not in LASTS_DAYS:
        raise AskedWrongly(f"a token does not last {days!r} days", hint="choose from the list")
    lasts = timedelta(days=int(days)) if days else None
    name = asked.fields.get("name", "")
    return asked.desk.make_token(asked.visitor.actor, name, scopes, asked.why, lasts=lasts)


def _rotate_token(asked: Asked) -> Planned:
    return asked.desk.rotate_token(asked.visitor.actor, asked.must("token"), asked.why)


def _revoke_token(asked: Asked) -> Planned:
    return asked.desk.revoke_token(asked.visitor.actor, asked.must("token"), asked.why), None


FORMS = {
    "acknowledge": Form(Deed.ACKNOWLEDGED, _acknowledge),
    "resolve": Form(Deed.RESOLVED, _resolve),
    "mute": Form(Deed.MUTED, _mute),
    "maintain": Form(Deed.MAINTENANCE_SET, _maintain),
    "lift": Form(Deed.SILENCE_LIFTED, _lift),
    "check-again": Form(Deed.CHECK_REQUESTED, _check_again),
    "retrain": Form(Deed.RETRAIN_REQUESTED, _retrain),
    "promote": Form(Deed.REFERENCE_PROMOTED, _promote),
    "resend": Form(Deed.MESSAGE_RESENT, _resend),
    "make-token": Form(Deed.TOKEN_MADE, _make_token),
    "rotate-token": Form(Deed.TOKEN_MADE, _rotate_token),
    "revoke-token": Form(Deed.TOKEN_REVOKED, _revoke_token),
}
