"""Modals: what Slack asks of whoever pressed a button, and what it says in the end."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from monitor.slack.blocks import ACKNOWLEDGE, MUTE, RETRAIN, mute_options, plain

CALLBACK = "monitor_deed"
WHY, LASTS = "why", "lasts"  # the inputs, by block
_ANSWER = "answer"
_TITLES = {ACKNOWLEDGE: "Acknowledge", MUTE: "Mute", RETRAIN: "Ask for a new model"}
_SAYS = {
    ACKNOWLEDGE: "Everybody who heard of it hears that you look after it.",
    MUTE: "Nobody is alerted of this monitor meanwhile; it is checked as ever.",
    RETRAIN: "Its training system is asked at once.",
}
_TEXT_CHARS = 2900  # of the 3 000 a section takes


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to do, as a modal carries it from the button to the answer."""

    do: str
    channel: str  # our name of it
    place: str  # Slack's id of it
    monitor: str
    episode: str


def asking(wish: Wish, why_chars: int, hours: str = "") -> dict[str, Any]:
    """The modal that asks why, and how long where that is open."""
    blocks = [_section(f"{wish.monitor}: {_SAYS[wish.do]}")]
    if wish.do == MUTE:
        blocks.append(_lasts(hours))
    blocks.append(
        {
            "type": "input",
            "block_id": WHY,
            "label": plain("Why?"),
            "hint": plain("The audit log keeps it."),
            "element": {
                "type": "plain_text_input",
                "action_id": _ANSWER,
                "max_length": why_chars,
                "min_length": 1,
            },
        }
    )
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "private_metadata": json.dumps(asdict(wish)),
        "title": plain(_TITLES[wish.do]),
        "submit": plain("Do it"),
        "close": plain("Cancel"),
        "blocks": blocks,
    }


def _lasts(hours: str) -> dict[str, Any]:
    options = mute_options()
    chosen = next((o for o in options if o["value"] == hours), options[0])
    return {
        "type": "input",
        "block_id": LASTS,
        "label": plain("For"),
        "element": {
            "type": "static_select",
            "action_id": _ANSWER,
            "options": options,
            "initial_option": chosen,
        },
    }


def telling(title: str, text: str) -> dict[str, Any]:
    """The modal that says what became of it."""
    return {
        "type": "modal",
        "title": plain(title),
        "close": plain("Close"),
        "blocks": [_section(text)],
    }


def wish_of(view: Mapping[str, Any]) -> Wish:
    """KeyError, TypeError or ValueError for a view that is not ours."""
    return Wish(**json.loads(view["private_metadata"]))


def answer_to(view: Mapping[str, Any], block: str) -> str:
    """What was filled in; empty when nothing was."""
    given = view["state"]["values"].get(block, {}).get(_ANSWER, {})
    chosen = given.get("selected_option") or {}
    return str(given.get("value") or chosen.get("value") or "")


def wrong(block: str, text: str) -> dict[str, Any]:
    """The answer that leaves the modal open, with what is wrong below an input."""
    return {"response_action": "errors", "errors": {block: text[:_TEXT_CHARS]}}


def instead(view: Mapping[str, Any]) -> dict[str, Any]:
    """The answer that shows another modal in place of the one filled in."""
    return {"response_action": "update", "view": view}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": plain(text[:_TEXT_CHARS])}
