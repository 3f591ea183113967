"""What people press in Slack: who may, what they are asked, what is done and what they are told."""

import logging
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any, Literal, NamedTuple, Protocol

from monitor.archive import Store
from monitor.core.people import MUTES_H
from monitor.deeds.once import Done, Key
from monitor.deeds.planning import WHY_CHARS, Actor
from monitor.desk import Desk
from monitor.errors import AskedWrongly, DeliveryError, StoreConflict, StoreUnavailable
from monitor.ledger import Act
from monitor.ports import Clock
from monitor.slack.blocks import ACKNOWLEDGE, MUTE, RETRAIN
from monitor.slack.modals import (
    CALLBACK,
    LASTS,
    WHY,
    Wish,
    answer_to,
    asking,
    instead,
    telling,
    wish_of,
    wrong,
)

log = logging.getLogger(__name__)

Allowed = Literal["everybody"] | Collection[str]  # ids of Slack's users
NAME_CHARS = 80
_SLACKS = (KeyError, TypeError, ValueError, AttributeError, IndexError)  # of a payload not Slack's


class Calls(Protocol):
    """Slack's Web API."""

    def call(self, method: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Raises DeliveryError."""


class Reply(NamedTuple):
    """What Slack is answered at once, and what is done when the answer is on its way."""

    answer: Mapping[str, Any] | None = None
    then: Callable[[], None] | None = None


class Interactions:
    """One Slack app: hears what is pressed below its messages and does it through the desk."""

    def __init__(
        self, calls: Calls, desk: Desk, store: Store, clock: Clock, allowed: Mapping[str, Allowed]
    ) -> None:
        """`allowed`: by our name of a channel, whose presses are obeyed."""
        self._calls = calls
        self._desk = desk
        self._store = store
        self._clock = clock
        self._allowed = allowed

    def hear(self, payload: Mapping[str, Any]) -> Reply:
        """A press is answered by a modal that asks why; a modal that is filled in, by the deed.

        What is not understood is ignored: an app may have other messages than ours.
        """
        try:
            if payload["type"] == "block_actions":
                return self._pressed(payload)
            if payload["type"] == "view_submission" and payload["view"]["callback_id"] == CALLBACK:
                return self._filled_in(payload)
        except _SLACKS as error:
            log.warning("a press in Slack was not understood error=%s", type(error).__name__)
        return Reply()

    # --- A button ---

    def _pressed(self, payload: Mapping[str, Any]) -> Reply:
        action = payload["actions"][0]
        do = str(action["action_id"])
        if do not in (ACKNOWLEDGE, MUTE, RETRAIN):
            return Reply()  # a link, or not ours
        channel, _, episode_id = str(action["block_id"]).partition("/")
        place = str(payload["channel"]["id"])
        if refusal := self._refusal(channel, payload):
            return Reply(then=lambda: self._whisper(place, payload["user"]["id"], refusal))
        episode = self._store.get_episode(episode_id)
        if episode is None:
            gone = "I do not know this episode any more."
            return Reply(then=lambda: self._whisper(place, payload["user"]["id"], gone))
        wish = Wish(do, channel, place, episode.monitor, episode_id)
        hours = str((action.get("selected_option") or {}).get("value", ""))
        view = asking(wish, WHY_CHARS, hours)
        trigger = str(payload["trigger_id"])
        return Reply(then=lambda: self._open(trigger, view, place, str(payload["user"]["id"])))

    def _open(self, trigger: str, view: Mapping[str, Any], place: str, user: str) -> None:
        try:
            self._calls.call("views.open", {"trigger_id": trigger, "view": view})
        except DeliveryError as error:
            log.warning("a modal could not be opened in Slack error=%r", str(error))
            self._whisper(place, user, "That took too long. Please press it again.")

    def _whisper(self, place: str, user: str, text: str) -> None:
        """A word that only one person sees; lost when Slack does not take it."""
        said = {"channel": place, "user": user, "text": text, "parse": "none"}
        try:
            self._calls.call("chat.postEphemeral", said)
        except DeliveryError as error:
            log.warning("somebody could not be answered in Slack error=%r", str(error))

    def _refusal(self, channel: str, payload: Mapping[str, Any]) -> str:
        """Why this person may not, kindly; empty when they may.

        `everybody` are the people of the workspace: guests of a shared channel are named by id.
        """
        user, allowed = payload["user"], self._allowed.get(channel, ())
        if allowed == "everybody":
            own = (payload.get("team") or {}).get("id")
            if own and user.get("team_id") == own:
                return ""
        elif str(user["id"]) in allowed:
            return ""
        return (
            "Thank you for looking after this. You are not among those who may do it from here: "
            f"whoever keeps monitor.yaml can add {user['id']} to `allow` of this channel."
        )

    # --- A modal ---

    def _filled_in(self, payload: Mapping[str, Any]) -> Reply:
        """Do it, and say in the modal what became of it.

        A submission that comes twice is done once: its view is the key under which the store
        remembers it.
        """
        view = payload["view"]
        wish = wish_of(view)
        if refusal := self._refusal(wish.channel, payload):
            return Reply(instead(telling("Not allowed", refusal)))
        try:
            key = Key(f"slack {view['id']}", f"slack {payload['user']['id']}", _digest(wish))
            actor = _actor(payload["user"])
            done = self._desk.do_once(
                key,
                lambda: (self._planned(wish, actor, view), None),
                lambda act: {"told": _told(wish, act)},
            )
        except StoreConflict as error:
            text = f"Somebody was faster, or it is over: {error}. Nothing was changed."
            return Reply(instead(telling("Nothing to do", text)))
        except StoreUnavailable:
            return Reply(wrong(WHY, "The store does not answer now. Please try again."))
        except AskedWrongly as error:
            return Reply(wrong(WHY, " – ".join(p for p in (str(error), error.hint) if p)))
        told = _told(wish, done.act) if done.act else _told_before(done)
        return Reply(instead(telling("Done", told)))

    def _planned(self, wish: Wish, actor: Actor, view: Mapping[str, Any]) -> Act:
        why = answer_to(view, WHY)
        if wish.do == ACKNOWLEDGE:
            return self._desk.acknowledge(actor, wish.episode, why)
        if wish.do == RETRAIN:
            return self._desk.request_retrain(actor, wish.monitor, why)
        hours = int(answer_to(view, LASTS))
        if hours not in MUTES_H:
            raise AskedWrongly(f"a mute does not last {hours} hours", hint="choose from the list")
        until = self._clock() + timedelta(hours=hours)
        return self._desk.mute(actor, wish.monitor, until, why)


def _told(wish: Wish, act: Act) -> str:
    """What is said when it is done."""
    if act.acknowledged is not None:
        return f"You look after {wish.monitor} now; the others are told."
    if act.silence is not None:
        return f"{wish.monitor} is muted until {act.silence.end:%Y-%m-%d %H:%M} UTC."
    return f"The training system of {wish.monitor} is asked for a new model."


def _told_before(done: Done) -> str:
    return str(done.before.answer["told"]) if done.before else ""


def _digest(wish: Wish) -> str:
    return sha256(repr(wish).encode()).hexdigest()


def _actor(user: Mapping[str, Any]) -> Actor:
    """By name and id: names change, ids do not."""
    given = str(user.get("username") or user.get("name") or "somebody")
    name = "".join(c if c.isprintable() else " " for c in given)[:NAME_CHARS]
    return Actor(f"{name} ({user['id']})", "slack")
