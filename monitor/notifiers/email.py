"""Alerts by e-mail: each episode is one conversation in every mail program."""

import html
import smtplib
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Any

from monitor.configuration.channels import EmailSettings
from monitor.core.consequences import Message
from monitor.core.plain_text import body, subject
from monitor.core.reach import WORLD, Reach
from monitor.errors import DeliveryDelayed, DeliveryRefused
from monitor.ports import Around
from monitor.posting import cut_off, first_taking, permitted

CONNECT_S = 10.0
TOTAL_S = 45.0  # for the whole conversation with the server, however slowly it answers
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_SUBJECT_CHARS = 200


class Email:
    """Hands messages to one mail server."""

    def __init__(
        self, settings: EmailSettings, *, reach: Reach = WORLD,
        context: ssl.SSLContext | None = None, total_s: float = TOTAL_S,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._reach = reach
        self._context = context
        self._total_s = total_s

    def send(self, message: Message, thread: Mapping[str, Any]) -> Mapping[str, Any]:
        """The first mail of an episode begins a conversation, which the others answer to.

        `Message-ID` follows from the message, so that a repetition is known as one.
        """
        mail = self._mail(message, thread)
        refused = self._hand_over(mail)
        receipt = {"message_id": mail["Message-ID"], "refused": refused}
        return receipt if thread else receipt | {"subject": mail["Subject"]}

    def _mail(self, message: Message, thread: Mapping[str, Any]) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self._settings.from_
        mail["To"] = ", ".join(self._settings.to)
        mail["Date"] = format_datetime(message.created_at.astimezone(UTC))
        mail["Message-ID"] = self._message_id(message)
        mail["Auto-Submitted"] = "auto-generated"  # nobody's absence notice answers
        first = str(thread.get("message_id", ""))
        if first:
            mail["In-Reply-To"] = mail["References"] = first
            mail["Subject"] = f"Re: {thread['subject']}"
        else:
            mail["Subject"] = _one_line(subject(message))
        lines = [subject(message), "", *body(message)] if first else body(message)
        mail.set_content("\n".join(lines), cte="quoted-printable")
        mail.add_alternative(_page(lines), subtype="html", cte="quoted-printable")
        return mail

    def _message_id(self, message: Message) -> str:
        domain = parseaddr(self._settings.from_)[1].rpartition("@")[2]
        return f"<{message.id}@{domain}>"

    def _hand_over(self, mail: EmailMessage) -> int:
        """How many receivers the server refused while it took others. Every failure becomes
        delayed or refused, in words that hold neither password nor address."""
        try:
            with self._session() as session:
                return len(session.send_message(mail))
        except smtplib.SMTPRecipientsRefused as error:
            raise _verdict(min(code for code, _ in error.recipients.values())) from None
        except smtplib.SMTPResponseException as error:
            raise _verdict(int(error.smtp_code)) from None
        except smtplib.SMTPNotSupportedError:
            raise DeliveryRefused(
                "the mail server does not encrypt, or takes no password; see `security`"
            ) from None
        except TimeoutError:
            raise DeliveryDelayed("the mail server does not answer in time") from None
        except (OSError, smtplib.SMTPException) as error:
            raise DeliveryDelayed(f"the mail server: {type(error).__name__}") from None

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        """A connection to a permitted address, encrypted and signed in as configured, cut off
        when its time is over."""
        settings = self._settings
        context = self._context or ssl.create_default_context()
        port = settings.port or _PORTS[settings.security]
        if settings.security == "tls":
            made: smtplib.SMTP = smtplib.SMTP_SSL(timeout=CONNECT_S, context=context)
        else:
            made = smtplib.SMTP(timeout=CONNECT_S)
        with cut_off(lambda: made.sock, self._total_s), closing(made):
            made._host = settings.host  # type: ignore[attr-defined]  # whose certificate
            places = permitted(self._reach, settings.host, port)
            first_taking(places, lambda place: made.connect(*place))
            if settings.security == "starttls":
                made.starttls(context=context)
            if settings.user is not None and settings.password is not None:
                made.login(settings.user, settings.password.get_secret_value())
            yield made
            # The mail is taken: however the goodbye ends, it is not sent again.
            with suppress(OSError, smtplib.SMTPException):
                made.quit()


def _verdict(code: int) -> DeliveryDelayed | DeliveryRefused:
    """5xx is for good; so says the standard, and so does a person who must act."""
    text = f"the mail server answered {code}"
    return DeliveryRefused(text) if 500 <= code < 600 else DeliveryDelayed(text)


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_SUBJECT_CHARS]


def _page(lines: list[str]) -> str:
    """The same lines, with links that can be followed and numbers that stand below each other."""
    shown = "\n".join(_linked(line) for line in lines)
    return f'<pre style="font-family: monospace; white-space: pre-wrap">{shown}</pre>'


def _linked(line: str) -> str:
    what, _, url = line.strip().partition(" ")
    if what in ("report", "check") and url.startswith(("http://", "https://")):
        safe = html.escape(url, quote=True)
        return f'{what} <a href="{safe}">{safe}</a>'
    return html.escape(line)


def make(settings: EmailSettings, around: Around) -> Email:
    return Email(settings, reach=around.reach)
