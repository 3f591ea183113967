"""What can go wrong, as a tree: you asked wrongly, we could not look, we could not deliver.

MonitorError
├── AskedWrongly            usage, configuration, a path that does not exist      exit 64
│   ├── ConfigError         a wrong key or value in monitor.yaml
│   ├── UnknownName         no such test, source, monitor, column ...
│   ├── UnknownCheck        no such check is stored
│   ├── PathNotFound        a file or folder that was named does not exist
│   ├── NoCommonColumns     nothing to compare
│   ├── SuiteError          an expectation suite that cannot be trusted
│   ├── NotSignedIn         nobody we know
│   ├── NotAllowed          somebody we know, who may not do this
│   └── ReferenceChanged    the reference file is no longer the one that was frozen
├── CouldNotLook            the data could not be read: verdict `undecided`       exit 3
│   ├── SourceUnreadable    a corrupt, truncated or undecodable file
│   ├── WorkerDied          the process that was looking ended before it was done
│   ├── WorkerTimeout       the process that was looking took too long and was ended
│   └── WindowTaken         another process is looking at the same window
├── StoreUnavailable        what we remember could not be read or kept            exit 70
│   └── StoreConflict       another process changed the same thing first; look again
├── ServiceUnavailable      a service that was asked from afar does not answer    exit 70
└── DeliveryError           a message did not reach its channel
    ├── DeliveryDelayed     worth another try, later
    └── DeliveryRefused     final: trying again cannot help

Bad data is not an error: it is a verdict. Anything outside this tree is a fault of ours (exit 70).
"""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class MonitorError(Exception):
    """Base of every error this package raises on purpose."""

    hint: str = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint or self.hint


class AskedWrongly(MonitorError):
    """The request cannot be carried out as it was put."""


class ConfigError(AskedWrongly):
    """The configuration is wrong; the message names file, line and key."""


class UnknownName(AskedWrongly):
    """A name that is not in a listing; the message shows the listing and the nearest match."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        listing = sorted(known)
        near = nearest(name, listing)
        self.what, self.name, self.known = what, name, listing
        super().__init__(
            f"there is no {what} named {name!r}; there are: {', '.join(listing) or 'none'}",
            hint=f"did you mean {near!r}?" if near else "",
        )


class UnknownCheck(AskedWrongly):
    """An id of no stored check; `known` are the ids there are, the latest first."""

    def __init__(self, check_id: str, known: Sequence[str]) -> None:
        latest = f"; the latest ones are {', '.join(known[:3])}" if known else ""
        hint = _near_check(check_id, known) if known else "nothing was checked yet"
        super().__init__(f"there is no check {check_id!r}{latest}", hint=hint)


class PathNotFound(AskedWrongly):
    """A file, folder or pattern that was named matches nothing."""


class NoCommonColumns(AskedWrongly):
    """Two datasets share no column, so there is nothing to compare."""


class SuiteError(AskedWrongly):
    """An expectation suite that would silently check less than it says."""


class ReferenceChanged(AskedWrongly):
    """The reference file differs from the frozen version; build a new one to accept it."""


class NotSignedIn(AskedWrongly):
    """Nobody we know: show a token, or sign in with one."""


class NotAllowed(AskedWrongly):
    """Somebody we know, whose token does not allow this."""


class CouldNotLook(MonitorError):
    """The data could not be looked at; says nothing about whether it is good."""


class SourceUnreadable(CouldNotLook):
    """A file exists but cannot be read as what it claims to be."""


class WorkerDied(CouldNotLook):
    """The worker process ended in the middle of a check; nothing of the check was stored."""


class WorkerTimeout(CouldNotLook):
    """A check took longer than it may; its worker process was ended."""


class WindowTaken(CouldNotLook):
    """Another process is looking at this window; wait for it, or see what it stored."""

    def __init__(self, monitor: str, holder: str) -> None:
        super().__init__(
            f"{holder} is looking at this window of {monitor}",
            hint="try again in a moment: when it is done, its result is the answer",
        )


class StoreUnavailable(MonitorError):
    """What the house remembers could not be read or kept; nothing was half written."""


class StoreConflict(StoreUnavailable):
    """Another process changed the same thing first; read it again and decide anew."""


class ServiceUnavailable(MonitorError):
    """A service could not be reached, or answers nothing that can be understood."""


class DeliveryError(MonitorError):
    """A message did not reach its channel."""


class DeliveryDelayed(DeliveryError):
    """The channel did not take the message now; try again, not before `retry_after_s`."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeliveryRefused(DeliveryError):
    """The channel refused the message for good."""


def one_line(error: Exception) -> str:
    """An error with its remedy; a fault of ours with its kind."""
    hint = getattr(error, "hint", "")
    text = str(error) if isinstance(error, MonitorError) else f"{type(error).__name__}: {error}"
    return " ".join(f"{text} ({hint})".split()) if hint else " ".join(text.split())


def _near_check(asked: str, known: Sequence[str]) -> str:
    """The ids that begin as was typed, or whose window does, with the day as people write it."""
    typed = re.sub(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):?(\d\d)?)?", _as_in_ids, asked)
    begun = [k for k in known if k.startswith(typed) or f"-{typed}" in k.rpartition("-")[0]]
    if len(begun) > 1 and typed:
        more = " ..." if len(begun) > 3 else ""
        return f"{len(begun)} ids begin so: {', '.join(begun[:3])}{more}"
    near = begun[0] if len(begun) == 1 else nearest(asked, known)
    if near:
        return f"did you mean {near!r}?"
    return "`monitor check NAME --at TIME` ends by naming the id of its check" if typed else ""


def _as_in_ids(time: "re.Match[str]") -> str:
    """`2026-03-01T12:00` as ids have it: `20260301T1200`."""
    clock = "".join(part or "" for part in time.groups()[3:])
    return "".join(time.groups()[:3]) + (f"T{clock}" if clock else "")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, or None when nothing is close.

    >>> nearest("chi_sqared", ["ks", "psi", "chi_squared"])
    'chi_squared'
    """
    matches = get_close_matches(name, list(known), n=1)
    return matches[0] if matches else None
