"""A stand-in for a training system: takes signed retrain requests over HTTP and acts once each."""

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from monitor.core.signing import verify
from monitor.ports import Clock

_MOST_BYTES = 1_000_000


class Receiver:
    """`with Receiver(secret) as receiver: ... receiver.url ...`, on a free port of 127.0.0.1.

    The first `fail_first` genuine requests are answered 503 before acting; the answers to the
    next `lose_first` are lost after acting, as when a connection breaks. What came is kept in
    `received` (every genuine request), `acted_on` (one for each idempotency key, in order) and
    `rejected` (why a request was not taken at all).
    """

    def __init__(
        self,
        secret: str,
        *,
        fail_first: int = 0,
        lose_first: int = 0,
        retry_after_s: int = 1,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self.received: list[dict[str, Any]] = []
        self.acted_on: list[dict[str, Any]] = []
        self.rejected: list[str] = []
        self._secret = secret
        self._clock = clock
        self._fail, self._lose = fail_first, lose_first
        self._retry_after_s = retry_after_s
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler, self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, headers: Any, body: bytes) -> tuple[int | None, dict[str, str]]:
        """Status and headers of the answer to a request; status None for an answer that is lost."""
        with self._lock:
            if (problem := self._problem(headers, body)) is not None:
                self.rejected.append(problem)
                return (401 if "signature" in problem else 400), {}
            self.received.append(json.loads(body))
            if self._fail > 0:
                self._fail -= 1
                return 503, {"Retry-After": str(self._retry_after_s)}
            if (key := headers["Idempotency-Key"]) not in self._seen:
                self._seen.add(key)
                self.acted_on.append(json.loads(body))
            if self._lose > 0:
                self._lose -= 1
                return None, {}
            return 202, {}

    def _problem(self, headers: Any, body: bytes) -> str | None:
        """The signature is looked at first: nothing of a forged request is read."""
        stamp, signature = headers["X-Monitor-Timestamp"], headers["X-Monitor-Signature"]
        if not verify(self._secret, stamp or "", body, signature or "", self._clock()):
            return "the signature does not fit"
        if not headers["Idempotency-Key"]:
            return "no Idempotency-Key"
        try:
            genuine = isinstance(json.loads(body), dict)
        except ValueError:
            genuine = False
        return None if genuine else "the body is not a JSON object"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], receiver: Receiver
    ) -> None:
        super().__init__(address, handler)
        self.receiver = receiver


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10  # seconds a client may keep a thread waiting

    def do_POST(self) -> None:
        length = self.headers["Content-Length"] or ""
        if not length.isdigit() or int(length) > _MOST_BYTES:
            self.send_error(413 if length.isdigit() else 411)
            return
        status, headers = self.server.receiver.take(self.headers, self.rfile.read(int(length)))
        if status is None:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the demo tells its own story."""
