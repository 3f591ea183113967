"""Alerts in Slack: a message opens an episode, its thread follows it, its edit says how it ended.

Slack promises no idempotency. `client_msg_id`, by which Slack's own clients avoid posting twice,
goes along and makes a repetition unlikely after an answer that got lost on the way.
"""

import http.client
import logging
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from monitor.core.messages import cause_lines, rows_text, time_text, window_text
from monitor.core.records import Message
from monitor.errors import DeliveryDelayed, DeliveryRefused
from monitor.ports import Clock
from monitor.posting import final_status, retry_after_s

if TYPE_CHECKING:
    from slack_sdk.errors import SlackApiError

HEADER_CHARS = 150
SECTION_CHARS = 3000
LINK_CHARS = 600

# Errors that need a person: another try with the same message cannot end differently. Everything
# else (ratelimited, internal_error, fatal_error, service_unavailable, request_timeout, and any
# error Slack invents later) is tried again: a wrong guess then costs a few calls, and the outbox
# gives up visibly in the end, whereas wrongly giving up at once would lose the alert.
_FINAL = {
    "access_denied", "account_inactive", "as_user_not_supported",
    "attachment_payload_limit_exceeded", "cannot_reply_to_message", "cant_update_message",
    "channel_not_found", "channel_type_not_supported", "deprecated_endpoint", "edit_window_closed",
    "ekm_access_denied", "enterprise_is_restricted", "invalid_arg_name", "invalid_arguments",
    "invalid_array_arg", "invalid_auth", "invalid_blocks", "invalid_blocks_format",
    "invalid_charset", "invalid_form_data", "invalid_post_type", "is_archived", "is_inactive",
    "message_not_found", "messages_tab_disabled", "method_deprecated", "missing_post_type",
    "missing_scope", "msg_blocks_too_long", "msg_too_long", "no_permission", "no_text",
    "not_allowed_token_type", "not_authed", "not_in_channel", "restricted_action",
    "restricted_action_non_threadable_channel", "restricted_action_read_only_channel",
    "restricted_action_thread_locked", "restricted_action_thread_only_channel",
    "team_access_not_granted", "team_not_found", "thread_not_found", "token_expired",
    "token_revoked", "too_many_attachments", "two_factor_setup_required", "unknown_method",
    "update_failed", "user_not_found", "user_not_in_channel",
}  # fmt: skip
# The first message cannot be answered any more: the alert is then a message of its own.
_THREAD_LOST = {
    "cannot_reply_to_message", "channel_not_found", "is_archived", "message_not_found",
    "not_in_channel", "restricted_action_non_threadable_channel",
    "restricted_action_thread_locked", "thread_not_found",
}  # fmt: skip


class _Refused(DeliveryRefused):
    """Slack's final no, with the name Slack gives it."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Slack:
    """Posts to one channel with a bot token (scope `chat:write`)."""

    def __init__(
        self,
        token: str,
        channel: str,
        clock: Clock,
        *,
        api_url: str = "https://slack.com/api/",
        timeout_s: int = 10,
    ) -> None:
        from monitor.notifiers._slack_client import BoundedClient

        # The client logs addresses, proxies and whole answers; the outbox keeps what is needed.
        silent = logging.getLogger("monitor.notifiers.slack.client")
        silent.setLevel(logging.CRITICAL + 1)
        self._client = BoundedClient(
            token, base_url=api_url, timeout=timeout_s, retry_handlers=[], logger=silent
        )
        self._channel = channel
        self._clock = clock

    def send(self, message: Message, thread: Mapping[str, Any]) -> Mapping[str, Any]:
        """Post the change of an episode: the first as a message, later ones into its thread.

        1. A resolved episode first edits its first message. Editing twice changes nothing, so a
           failure of step 2 may repeat step 1.
        2. The alert is posted, as the last thing that can fail.
        3. The receipt of a first message keeps its blocks, for the edit to come.
        """
        if thread and message.kind == "episode.resolved":
            self._say_how_it_ended(message, thread)
        text, blocks = fallback_text(message), message_blocks(message)
        answer = self._post(message, thread, text, blocks)
        receipt = {"channel": answer.get("channel"), "ts": answer.get("ts")}
        return receipt if thread else receipt | {"text": text, "blocks": blocks}

    def _post(
        self, message: Message, thread: Mapping[str, Any], text: str, blocks: list[dict[str, Any]]
    ) -> Mapping[str, Any]:
        said = {
            "text": text,
            "blocks": blocks,
            "unfurl_links": False,
            "unfurl_media": False,
            "client_msg_id": str(uuid5(NAMESPACE_URL, message.id)),
        }
        if thread:
            where = {"channel": thread["channel"], "thread_ts": thread["ts"]}
            try:
                return self._call("chat.postMessage", where | said)
            except _Refused as refused:
                if refused.code not in _THREAD_LOST:
                    raise
        return self._call("chat.postMessage", {"channel": self._channel} | said)

    def _say_how_it_ended(self, message: Message, thread: Mapping[str, Any]) -> None:
        ending = _sentence(message.payload)
        first, *rest = thread["blocks"]
        edited = {
            "channel": thread["channel"],
            "ts": thread["ts"],
            "text": f"{ending} ({thread['text']})",
            "blocks": [first, _section([f"*{ending}*"]), *rest],
        }
        # Refused when deleted or too old to be edited: the thread still tells the end.
        with suppress(DeliveryRefused):
            self._call("chat.update", edited)

    def _call(self, method: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """One call; every failure becomes delayed or refused, in words that hold no secret."""
        from slack_sdk.errors import SlackApiError, SlackClientError

        try:
            # Nothing in a text may become a mention or a link that we did not write as one.
            answer = self._client.api_call(
                method, json={**arguments, "parse": "none", "link_names": False}
            )
        except SlackApiError as error:
            raise _failure(error, self._clock()) from None
        except TimeoutError:
            raise DeliveryDelayed("Slack: no answer in time") from None
        except (OSError, http.client.HTTPException) as error:
            raise DeliveryDelayed(f"Slack: {_kind(error)}") from None
        except (AttributeError, TypeError, ValueError):  # an answer of a shape Slack never sends
            raise DeliveryDelayed("Slack: an answer that is not Slack's") from None
        except SlackClientError as error:
            raise DeliveryRefused(f"Slack: {type(error).__name__}; check `api_url`") from None
        return answer.data if isinstance(answer.data, dict) else {}


def _failure(error: "SlackApiError", now: datetime) -> DeliveryDelayed | DeliveryRefused:
    """What a failed answer means; an HTTP 200 with `ok: false` is a failure like any other."""
    response = error.response
    status = int(response.status_code)
    code = str(response.data.get("error", "")) if isinstance(response.data, dict) else ""
    known = code if re.fullmatch(r"[a-z0-9_]{1,60}", code) else ""  # else a page of some proxy
    text = f"Slack answered {known or status}"
    if known in _FINAL or (not known and final_status(status)):
        return _Refused(text, known)
    headers = {str(k).lower(): v for k, v in dict(response.headers or {}).items()}
    return DeliveryDelayed(text, retry_after_s=retry_after_s(headers.get("retry-after"), now))


def _kind(error: Exception) -> str:
    """The name of what went wrong below urllib, without its text."""
    reason = getattr(error, "reason", None)
    return type(reason if isinstance(reason, Exception) else error).__name__


# --- Words and blocks ---


def fallback_text(message: Message) -> str:
    """What a notification on a locked phone shows."""
    worse = " got worse" if message.kind == "episode.worsened" else ""
    return f"{_escape(message.monitor)}{worse}: {_escape(message.payload['headline'])}"


def message_blocks(message: Message) -> list[dict[str, Any]]:
    """The sentence, the causes with their small numbers, then rows, window and links.

    Links are plain links: a button would call back to an app that does not listen.
    """
    payload = message.payload
    headline = payload["headline"].replace("`", "")
    title = _clip(headline, HEADER_CHARS)
    blocks = [_header(title)]
    if title != headline:
        blocks.append(_section([_sentence(payload)]))
    if causes := cause_lines(payload):
        blocks.append(_section(_cause(name, text) for name, text in causes))
    blocks.append(_context(message))
    return blocks


def _sentence(payload: Mapping[str, Any]) -> str:
    """The whole headline, short enough for a section even if every character is escaped."""
    return _escape(_clip(payload["headline"], SECTION_CHARS // 5 - 10))


def _cause(name: str, text: str) -> str:
    named = f"• {_code(name)} " if name else "• "
    return (named + _escape(text)).rstrip()


def _context(message: Message) -> dict[str, Any]:
    payload = message.payload
    change = message.kind.removeprefix("episode.")
    facts = [
        f"*{_escape(message.monitor)}*",
        f"{payload['cause'].replace('_', ' ')} {change}",
        rows_text(payload),
        f"window {window_text(payload)}" if payload["window"] else "",
        f"since {time_text(payload['opened_at'])}" if change == "worsened" else "",
        _link(payload["report_url"], "Report"),
        _link(payload["check_url"], "Check"),
    ]
    return {"type": "context", "elements": [_mrkdwn(" · ".join(fact for fact in facts if fact))]}


def _header(text: str) -> dict[str, Any]:
    return {"type": "header", "text": {"type": "plain_text", "text": text, "emoji": False}}


def _section(lines: Iterable[str]) -> dict[str, Any]:
    """Whole lines, as many as a section takes, so that no escape is cut in two."""
    kept: list[str] = []
    for line in lines:
        if sum(len(k) + 1 for k in kept) + len(line) > SECTION_CHARS - 2:
            kept.append("…")
            break
        kept.append(line)
    return {"type": "section", "text": _mrkdwn("\n".join(kept))}


def _mrkdwn(text: str) -> dict[str, Any]:
    # verbatim: Slack must not turn names like @here, #general or example.com into links itself.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _code(name: str) -> str:
    return f"`{_escape(name.replace('`', chr(39)))}`"


def _link(url: str, label: str) -> str:
    """A link to a web address; a path is told as it is. Too long for a block, it is left out."""
    if not url or len(url) > LINK_CHARS:
        return ""
    if not url.startswith(("http://", "https://")):
        return f"{label} {_code(url)}"
    plain = re.sub(r"[\s<>|]", lambda match: f"%{ord(match[0]):02X}", url)
    return f"<{plain.replace('&', '&amp;')}|{label}>"


def _clip(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
