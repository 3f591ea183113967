"""A local Socket Mode for tests: a WebSocket that hands out presses and keeps what is answered."""

import base64
import hashlib
import json
import queue
import socket
import struct
import threading
from contextlib import suppress
from typing import Any

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


class SlackSocket:
    """`send` hands a press to whoever is connected; `answers` holds what comes back."""

    def __init__(self) -> None:
        self.answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self.connections: queue.Queue[socket.socket] = queue.Queue()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._listening.getsockname()[1]}/link?ticket=hush"

    def __enter__(self) -> "SlackSocket":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.drop()
        self._thread.join()

    def send(self, payload: dict[str, Any], envelope: str = "e1") -> None:
        told = {"type": "interactive", "envelope_id": envelope, "payload": payload}
        _frame(self._open[-1], _TEXT, json.dumps(told).encode())

    def drop(self) -> None:
        """Every connection breaks."""
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            _shake_hands(connection)
            _frame(connection, _TEXT, b'{"type": "hello"}')
            self._open.append(connection)
            self.connections.put(connection)
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError, struct.error):
            while True:
                kind, content = _unframed(connection)
                if kind == _PING:
                    _frame(connection, _PONG, content)
                elif kind == _TEXT:
                    self.answers.put(json.loads(content))
                elif kind == _CLOSE:
                    return


def _shake_hands(connection: socket.socket) -> None:
    asked = b""
    while b"\r\n\r\n" not in asked:
        asked += connection.recv(4096)
    lines = dict(line.split(b": ", 1) for line in asked.split(b"\r\n") if b": " in line)
    key = next(value for name, value in lines.items() if name.lower() == b"sec-websocket-key")
    accept = base64.b64encode(hashlib.sha1(key.strip() + _MAGIC).digest())
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def _frame(connection: socket.socket, kind: int, content: bytes) -> None:
    size = len(content)
    head = bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size)
    connection.sendall(bytes([0x80 | kind]) + head + content)


def _unframed(connection: socket.socket) -> tuple[int, bytes]:
    first, second = _exactly(connection, 2)
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack(">H", _exactly(connection, 2))
    elif size == 127:
        (size,) = struct.unpack(">Q", _exactly(connection, 8))
    mask = _exactly(connection, 4) if second & 0x80 else bytes(4)
    content = bytes(b ^ mask[i % 4] for i, b in enumerate(_exactly(connection, size)))
    return first & 0x0F, content


def _exactly(connection: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        more = connection.recv(size - len(read))
        if not more:
            raise OSError
        read += more
    return read
