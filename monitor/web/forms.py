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
from monitor.deeds.once import Key, Planned
from monitor.deeds.planning import Actor
from monitor.desk import Desk
from monitor.errors import AskedWrongly, MonitorError, NotAllowed, StoreConflict, StoreUnavailable
from monitor.tokens import digest_of
from monitor.web.access import MARK, Visitor, form_of
from monitor.web.drawing import draw, root_of
from monitor.web.kit import PageKit
from monitor.web.named import LASTS_DAYS
from monitor.web.signing_in import ours

_KEY_CHARS = 64

Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sent:
    """A form as somebody sent it."""

    kit: PageKit
    visitor: Visitor
    fields: Fields

    @property
    def desk(self) -> Desk:
        return self.kit.desk

    @property
    def actor(self) -> Actor:
        return self.visitor.actor

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
        return self.kit.views.zone(self.monitor())

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
    plan: Callable[[Sent], Planned]


def deed_routes(kit: PageKit) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    for name, form in FORMS.items():
        routes.add_api_route(f"/deeds/{name}", _route(kit, name, form), methods=["POST"])
    return routes


def _route(kit: PageKit, name: str, form: Form) -> Callable[..., object]:
    async def do(
        request: Request, visitor: Annotated[Visitor, Depends(kit.gate.form(NEEDS[form.deed]))]
    ) -> Response:
        sent = Sent(kit, visitor, await form_of(request))
        return await run_in_threadpool(_do, request, name, form, sent)

    return do


def _do(request: Request, name: str, form: Form, sent: Sent) -> Response:
    back = ours(sent.fields.get("back", "/"))
    try:
        done = sent.desk.do_once(_key(sent, name), lambda: form.plan(sent))
    except (AskedWrongly, StoreConflict) as error:
        return _refused(request, sent, back, error)
    except StoreUnavailable as error:
        return _refused(request, sent, back, error, 503)
    if done.act is not None and done.secret is not None:
        page = draw(request, "token.html.j2", token=done.act.token, secret=done.secret, back=back)
        page.headers["Cache-Control"] = "no-store"
        return page
    return RedirectResponse(root_of(request) + with_notice(back, name), 303)


def _key(sent: Sent, name: str) -> Key | None:
    """That of the form; one without is done as often as it is sent."""
    key = sent.fields.get("once", "")[:_KEY_CHARS]
    if not key:
        return None
    told = sorted((k, v) for k, v in sent.fields.items() if k != MARK)
    asker = sent.visitor.token or sent.visitor.name
    return Key(f"form {key}", asker, digest_of(f"{name} {told}"))


def _refused(
    request: Request, sent: Sent, back: str, error: MonitorError, status: int = 0
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
        why=sent.why,
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


def _acknowledge(sent: Sent) -> Planned:
    return sent.desk.acknowledge(sent.actor, sent.must("episode"), sent.why), None


def _resolve(sent: Sent) -> Planned:
    return sent.desk.resolve(sent.actor, sent.must("episode"), sent.why), None


def _mute(sent: Sent) -> Planned:
    """Until a time of its own, else for as long as the list says."""
    if sent.fields.get("until"):
        until = sent.moment("until")
    else:
        hours = sent.fields.get("hours", "")
        if hours not in map(str, MUTES_H):
            raise AskedWrongly(f"a mute does not last {hours!r} hours", hint="choose from the list")
        until = sent.kit.views.now() + timedelta(hours=int(hours))
    return sent.desk.mute(sent.actor, sent.monitor(), until, sent.why), None


def _maintain(sent: Sent) -> Planned:
    span = sent.moment("start"), sent.moment("end")
    return sent.desk.maintain(sent.actor, sent.monitor(), *span, sent.why), None


def _lift(sent: Sent) -> Planned:
    may = sent.visitor.may_lift
    return sent.desk.lift(sent.actor, sent.must("silence"), sent.why, may=may), None


def _check_again(sent: Sent) -> Planned:
    window = Window(sent.moment("start"), sent.moment("end"))
    act = sent.desk.check_again(sent.actor, sent.must("monitor"), window, sent.why)
    return act, None


def _retrain(sent: Sent) -> Planned:
    return sent.desk.request_retrain(sent.actor, sent.must("monitor"), sent.why), None


def _promote(sent: Sent) -> Planned:
    names = sent.must("monitor"), sent.must("version")
    return sent.desk.promote(sent.actor, *names, sent.why), None


def _resend(sent: Sent) -> Planned:
    return sent.desk.resend(sent.actor, sent.must("message"), sent.why), None


def _make_token(sent: Sent) -> Planned:
    scopes = {scope for scope in Scope if sent.fields.get(f"scope_{scope}")}
    days = sent.fields.get("days", "")
    if days not in LASTS_DAYS:
        raise AskedWrongly(f"a token does not last {days!r} days", hint="choose from the list")
    lasts = timedelta(days=int(days)) if days else None
    name = sent.fields.get("name", "")
    return sent.desk.make_token(sent.actor, name, scopes, sent.why, lasts=lasts)


def _rotate_token(sent: Sent) -> Planned:
    return sent.desk.rotate_token(sent.actor, sent.must("token"), sent.why)


def _revoke_token(sent: Sent) -> Planned:
    return sent.desk.revoke_token(sent.actor, sent.must("token"), sent.why), None


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
