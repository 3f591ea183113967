"""Signatures over what is posted: proof for the receiver that a body is ours, whole and recent."""

import hmac
from datetime import datetime
from hashlib import sha256

VERSION = "v1"
TOLERANCE_S = 300.0  # a recorded request cannot be played again later


def timestamp(moment: datetime) -> str:
    """`moment` as it goes into the `X-Monitor-Timestamp` header: whole Unix seconds."""
    return str(int(moment.timestamp()))


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The `X-Monitor-Signature` header: HMAC-SHA256 over timestamp, a dot and the exact body.

    >>> sign("secret", "1553990400", b"{}")
    'v1=3acb410a4ce57f9a79938f5c3c02c32c7bfa595439788a1c725c1231d1f6b7aa'
    """
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, sha256)
    return f"{VERSION}={digest.hexdigest()}"


def verify(secret: str, timestamp: str, body: bytes, signature: str, now: datetime) -> bool:
    """Whether `signature` was made with `secret` over this body, at most TOLERANCE_S from `now`.

    The time bound keeps a recorded request from being played again later. The comparison takes
    the same time wherever the first difference is. False for anything malformed.
    """
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    expected = sign(secret, timestamp, body).encode()
    if not hmac.compare_digest(expected, signature.encode("utf-8", "replace")):
        return False
    return abs(now.timestamp() - int(timestamp)) <= TOLERANCE_S
