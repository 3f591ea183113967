"""A local mail server for tests: speaks SMTP, keeps what it takes, and answers as it is told to."""

import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class Taken:
    """One message, with what came around it."""

    sender: str
    receivers: list[str]
    mail: EmailMessage
    raw: bytes
    encrypted: bool
    login: str


@dataclass
class MailServer:
    """`script` answers a command instead of the server (RCPT TO:<a@b> by its whole line); `hang`
    names a command that is never answered, `drop` one at which the connection breaks."""

    context: ssl.SSLContext | None = None
    script: dict[str, str] = field(default_factory=dict)
    hang: str = ""
    drop: str = ""
    taken: list[Taken] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "MailServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._gone.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            session = _Session(self, connection)
            with suppress(OSError):
                session.run()
            session.close()


class _Session:
    def __init__(self, server: MailServer, connection: socket.socket) -> None:
        self.server = server
        self.connection = connection
        self.lines = connection.makefile("rb")
        self.encrypted, self.login, self.sender = False, "", ""
        self.receivers: list[str] = []

    def run(self) -> None:
        self.say("220 mail.example ESMTP")
        while line := self.lines.readline().decode().rstrip("\r\n"):
            command = line.split(" ")[0].upper()
            line = command + line[len(command) :]
            self.server.seen.append(line)
            if command == self.server.drop:
                return
            if command == self.server.hang:
                self.drip()
                return
            scripted = self.server.script.get(line) or self.server.script.get(command)
            if scripted:
                self.say(scripted)
            elif not self.answer(command, line):
                return

    def close(self) -> None:
        self.lines.close()
        self.connection.close()

    def drip(self) -> None:
        """An answer that never ends."""
        while not self.server._gone.wait(0.05):
            self.connection.sendall(b"2")

    def answer(self, command: str, line: str) -> bool:
        if command == "EHLO":
            offers = ["mail.example"]
            if self.server.context is not None and not self.encrypted:
                offers.append("STARTTLS")
            if self.encrypted:
                offers.append("AUTH PLAIN")
            self.say("\r\n".join(f"250-{o}" for o in offers) + "\r\n250 8BITMIME")
        elif command == "STARTTLS":
            self.say("220 go on")
            assert self.server.context is not None
            plain = self.lines
            self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
            plain.close()
            self.lines, self.encrypted = self.connection.makefile("rb"), True
        elif command == "AUTH":
            self.login = line
            self.say("235 welcome")
        elif command == "MAIL":
            self.sender, self.receivers = line, []
            self.say("250 ok")
        elif command == "RCPT":
            self.receivers.append(line.partition("<")[2].partition(">")[0])
            self.say("250 ok")
        elif command == "DATA":
            self.take()
        else:
            self.say("221 bye" if command == "QUIT" else "250 ok")
        return command != "QUIT"

    def take(self) -> None:
        self.say("354 go on")
        raw = b""
        while (line := self.lines.readline()) not in (b".\r\n", b""):
            raw += line[1:] if line.startswith(b".") else line
        mail = message_from_bytes(raw, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        if answer := self.server.script.get("."):
            self.say(answer)
            return
        self.server.taken.append(
            Taken(self.sender, self.receivers, mail, raw, self.encrypted, self.login)
        )
        self.say("250 taken")

    def say(self, text: str) -> None:
        self.connection.sendall(f"{text}\r\n".encode())
