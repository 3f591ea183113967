"""A local Slack for tests: real HTTP, and answers that a test may script."""

import json
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """What the server says once instead of doing as it was asked."""

    error: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None  # verbatim, instead of JSON
    after_s: float = 0.0
    length: int = 0  # what Content-Length claims; 0: the truth


class SlackServer:
    """`posts` maps the timestamp of each message to its latest content; `calls` keeps them all."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.script: deque[Answer | None] = deque()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.posts: dict[str, dict[str, Any]] = {}
        self.gone = threading.Event()
        self.socket_url = ""  # where Socket Mode connects to
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("H", (_Handler,), {"slack": self})
        )
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/api/"

    def __enter__(self) -> "SlackServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gone.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, call: dict[str, Any], bearer: str) -> Answer:
        self.calls.append((method, call))
        if bearer != f"Bearer {self.token}":
            return Answer(error="invalid_auth")
        scripted = self.script.popleft() if self.script else None
        if scripted is not None:
            return scripted
        known = {"chat.update": self._update, "chat.postMessage": self._post}
        return known[method](call) if method in known else self._other(method)

    def _post(self, call: dict[str, Any]) -> Answer:
        if call.get("thread_ts", "") and call["thread_ts"] not in self.posts:
            return Answer(error="thread_not_found")
        ts = f"1700000000.{len(self.posts) + 1:06d}"
        self.posts[ts] = call
        return Answer(body=json.dumps({"ok": True, "channel": "C0ML", "ts": ts}))

    def _other(self, method: str) -> Answer:
        more = {"url": self.socket_url} if method == "apps.connections.open" else {}
        return Answer(body=json.dumps({"ok": True} | more))

    def _update(self, call: dict[str, Any]) -> Answer:
        if call["ts"] not in self.posts:
            return Answer(error="message_not_found")
        self.posts[call["ts"]] = self.posts[call["ts"]] | call
        return Answer(body=json.dumps({"ok": True, "channel": "C0ML", "ts": call["ts"]}))


class _Handler(BaseHTTPRequestHandler):
    slack: SlackServer

    def do_POST(self) -> None:
        told = self.rfile.read(int(self.headers["Content-Length"] or 0))
        is_json = "json" in (self.headers["Content-Type"] or "")
        body = json.loads(told or b"{}") if is_json else {}
        method = self.path.rsplit("/", 1)[-1]
        answer = self.slack.answer(method, body, self.headers["Authorization"])
        if answer.after_s and self.slack.gone.wait(answer.after_s):
            return
        said = answer.body
        if said is None:
            said = json.dumps({"ok": False, "error": answer.error})
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(answer.length or len(said.encode())))
        self.end_headers()
        self.wfile.write(said.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
