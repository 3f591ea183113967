"""How urgent a monitor is, in a word: what its newest check says, or why there is none."""

from monitor.core.records import Verdict

CANNOT_LOOK, WAITING = "cannot look", "waiting"
# The states of a monitor, the most urgent first.
URGENCY = ("violated", "drifted", CANNOT_LOOK, "undecided", WAITING, "passed")


def state_of(newest: Verdict | None, error: str = "") -> str:
    """One of URGENCY, by the verdict of the newest check and why the last try failed.

    A pass that could not be repeated is no pass any more.

    >>> state_of(Verdict.PASSED), state_of(Verdict.PASSED, "the disk is away"), state_of(None)
    ('passed', 'cannot look', 'waiting')
    """
    if error and newest not in (Verdict.VIOLATED, Verdict.DRIFTED):
        return CANNOT_LOOK
    return str(newest) if newest else WAITING
