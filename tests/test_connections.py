"""Those who send slowly, read slowly or are many: a real server on loopback answers the others."""

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, suppress
from typing import Any, ClassVar

import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send

from monitor.web.connections import Patient
from monitor.web.limits import KEPT, SMALL_BYTES, Limits, Meter, SizeLimit

WHOLE_S, MOST = 0.5, 20
LONG_S = 3.0  # by then whoever keeps the server waiting is gone, on a slow machine, too
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
HOLDS, GO_ON = threading.Event(), threading.Event()


class Hasty(Patient):
    whole_s: ClassVar[float] = WHOLE_S
    most: ClassVar[int] = MOST


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers at once at /early, after longer than is waited for others at /late, much at /much;
    takes as long until it reads at /unread, and until everybody may go on at /hold."""
    path = scope["path"]
    if path == "/unread":
        await asyncio.sleep(2 * WHOLE_S)
    if path == "/hold":
        HOLDS.set()
        GO_ON.wait(10)
    while path != "/early" and (await receive()).get("more_body"):
        pass
    if path == "/late":
        await asyncio.sleep(2 * WHOLE_S)
    body = b"x" * (8_000_000 if path == "/much" else 2)
    size = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": size})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def port() -> Iterator[int]:
    """With the loop that everybody has: others accept one connection a round."""
    config = uvicorn.Config(
        application, http=Hasty, loop="asyncio", ws="none", lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield int(listening.getsockname()[1])
        server.should_exit = server.force_exit = True
        thread.join()


def ask(port: int, path: str = "/") -> bytes:
    """The first line of an answer."""
    with socket.create_connection(("127.0.0.1", port), 10) as other:
        other.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return other.makefile("rb").readline().strip()


class Slow:
    """Connections that began with something and go on a byte at a time."""

    def __init__(self, port: int, count: int, begins: bytes, drips: bytes = b"x") -> None:
        self._drips = drips
        self.alive = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(count)]
        for each in self.alive:
            each.sendall(begins)
            each.settimeout(0.0)

    def __enter__(self) -> "Slow":
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.alive:
            each.close()

    def drip(self) -> int:
        """How many are still listened to."""
        for each in list(self.alive):
            try:
                each.send(self._drips)
                with suppress(BlockingIOError):
                    while each.recv(1000):
                        pass
                    raise ConnectionError
            except OSError as error:
                if not isinstance(error, BlockingIOError):
                    each.close()
                    self.alive.remove(each)
        return len(self.alive)


ANSWER = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "begins",
    [b"GET / HTTP/1.1\r\nHost: x\r\nX: ", HEAD, HEAD.replace(b"/ ", b"/early "), ANSWER + b"GET "],
    ids=["headers", "body", "body after the answer", "the next request"],
)
def test_who_sends_a_byte_at_a_time_is_not_waited_for(port: int, begins: bytes) -> None:
    with Slow(port, MOST - 5, begins) as slow:
        until = time.monotonic() + LONG_S
        while slow.drip() and time.monotonic() < until:
            assert ask(port) == b"HTTP/1.1 200 OK", "others are answered"
            time.sleep(0.05)
        assert slow.alive == []


def test_who_says_nothing_is_not_waited_for(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), LONG_S) as silent:
        assert silent.recv(1) == b""


def test_who_does_not_take_an_answer_is_not_waited_for(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), LONG_S) as other:
        other.sendall(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(2 * WHOLE_S)
        taken = 0
        with suppress(ConnectionError):
            while piece := other.recv(1_000_000):
                taken += len(piece)
    assert taken < 8_000_000


def test_our_own_time_is_nobodys_fault(port: int) -> None:
    assert ask(port, "/late") == b"HTTP/1.1 200 OK"


def test_what_we_do_not_read_is_nobodys_fault_until_we_do(port: int) -> None:
    """More than is read ahead: one goes on with it, the other does not."""
    begins = HEAD.replace(b"/ ", b"/unread ").replace(b"1000", b"200000") + b"x" * 100_000
    with ExitStack() as open_ones:
        good, bad = (
            open_ones.enter_context(socket.create_connection(("127.0.0.1", port), LONG_S))
            for _ in range(2)
        )
        for each in (good, bad):
            each.sendall(begins)
        time.sleep(0.1)
        good.sendall(b"x" * 100_000)
        assert good.recv(100).startswith(b"HTTP/1.1 200 OK")
        with suppress(ConnectionError):
            assert bad.recv(1) == b""


def test_when_there_are_too_many_the_one_that_waits_for_longest_makes_room(port: int) -> None:
    with ExitStack() as open_ones:
        first = open_ones.enter_context(socket.create_connection(("127.0.0.1", port), 10))
        for _ in range(MOST - 1):
            open_ones.enter_context(socket.create_connection(("127.0.0.1", port), 10))
        began = time.monotonic()
        assert ask(port) == b"HTTP/1.1 200 OK"
        with suppress(ConnectionError):
            assert first.recv(1) == b""
        assert time.monotonic() - began < WHOLE_S, "at once"


def test_those_who_come_together_make_room_for_each_other(port: int) -> None:
    HOLDS.clear()
    GO_ON.clear()
    with ExitStack() as open_ones:
        holder = open_ones.enter_context(socket.create_connection(("127.0.0.1", port), 10))
        holder.sendall(b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
        assert HOLDS.wait(10), "nobody is let in for now"
        waiting = [
            open_ones.enter_context(socket.create_connection(("127.0.0.1", port), 10))
            for _ in range(3 * MOST)
        ]
        GO_ON.set()
        assert ask(port) == b"HTTP/1.1 200 OK"
        assert sum(map(is_held, waiting)) < MOST


def is_held(one: socket.socket) -> bool:
    one.settimeout(0.0)
    try:
        return one.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def test_what_a_request_says_of_itself_is_bounded(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as other:
        with suppress(ConnectionError):
            for piece in (b"GET / HTTP/1.1\r\n", b"X: " + b"x" * 10_000_000):
                other.sendall(piece)
        with suppress(ConnectionError):
            assert other.recv(100).startswith(b"HTTP/1.1 400 ")


# --- What is held ---


def test_large_requests_share_what_may_be_held() -> None:
    """Small ones go through; when the others are done, there is room again."""
    first, second = Sent(300_000), Sent(300_000)
    limit = SizeLimit(taking, together=500_000)
    assert first.until_it_waits(limit) == []
    assert second.until_it_waits(limit) == [503]
    assert Sent(SMALL_BYTES - 1).whole(limit) == [200]
    assert first.end() == [200]
    assert Sent(300_000).whole(limit) == [200]


async def taking(scope: Scope, receive: Receive, send: Send) -> None:
    from starlette.exceptions import HTTPException

    status = 200
    try:
        while (await receive()).get("more_body"):
            pass
    except HTTPException as error:
        status = error.status_code
    await send({"type": "http.response.start", "status": status})


class Sent:
    """A request whose body comes at once, and whose end comes when it is told to."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._told: list[int] = []
        self._left: Any = None

    def whole(self, limit: SizeLimit) -> list[int]:
        self.until_it_waits(limit)
        return self.end()

    def until_it_waits(self, limit: SizeLimit) -> list[int]:
        self._pieces = iter([self._size])
        self._left = limit({"type": "http", "headers": []}, self._receive, self._send)
        self._go_on()
        return self._told

    def end(self) -> list[int]:
        self._go_on()
        return self._told

    def _go_on(self) -> None:
        with suppress(StopIteration):
            self._left.send(None)

    async def _receive(self) -> Message:
        for size in self._pieces:
            return {"type": "http.request", "body": b"x" * size, "more_body": True}
        await Waits()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: Message) -> None:
        self._told.append(message["status"])


class Waits:
    def __await__(self) -> Generator[None, None, None]:
        yield


def test_what_is_counted_does_not_grow_with_those_who_ask() -> None:
    limits = Limits()
    for number in range(100_000):
        limits.of_address(f"2001:db8::{number:x}")
        if number < 1.1 * KEPT:
            for count in (limits.of_token, limits.stranger, limits.sign_in):
                count(f"{number}")
    meters = [m for m in vars(limits).values() if isinstance(m, Meter)]
    assert [len(meter) for meter in meters] == [KEPT] * 4
    assert sum(sys.getsizeof(vars(meter)["_left"]) for meter in meters) < 8_000_000
