"""Proof that a request is Slack's: its signature, its age, and that it was not seen before."""

import hmac
import threading
from collections import OrderedDict
from datetime import datetime
from hashlib import sha256

TOLERANCE_S = 300.0
_MOST_SEEN = 10_000  # far more than anybody presses in five minutes


class Proof:
    """Judges requests by one signing secret, and remembers those it let in."""

    def __init__(self, signing_secret: str) -> None:
        self._secret = signing_secret.encode()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def holds(self, timestamp: str, body: bytes, signature: str, now: datetime) -> bool:
        """Whether the signature is Slack's over this body, at most five minutes from now, and new.

        The comparison takes the same time wherever the first difference is. False for anything
        malformed.
        """
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
            return False
        signed = b"v0:" + timestamp.encode() + b":" + body
        expected = f"v0={hmac.new(self._secret, signed, sha256).hexdigest()}"
        if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
            return False
        if abs(now.timestamp() - int(timestamp)) > TOLERANCE_S:
            return False
        return self._is_new(expected)

    def _is_new(self, signature: str) -> bool:
        """A request that somebody recorded is not let in twice by this process; what it would do
        is done once by the store, whichever process it comes to."""
        with self._lock:
            if signature in self._seen:
                return False
            self._seen[signature] = None
            while len(self._seen) > _MOST_SEEN:
                self._seen.popitem(last=False)
            return True
