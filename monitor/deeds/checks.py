"""What people ask of checks: another look at a window, another try of a message."""

from dataclasses import replace

from monitor.core.people import CheckRequest, Deed
from monitor.core.records import Window
from monitor.deeds.planning import Actor, Planning, new_id
from monitor.errors import AskedWrongly, UnknownName
from monitor.ledger import Act


class CheckDeeds(Planning):
    """What was seen or said is done once more."""

    def check_again(self, actor: Actor, monitor: str, window: Window, why: str) -> Act:
        """Have a window looked at, once more when it was before.

        Only windows that the monitor has: any other could pass for its newest, and hide those to
        come. One that is stored may be of a configuration that was changed since.
        """
        fits = window == self.window_of(monitor, window.start)
        if not fits and self._store.find_check(monitor, window) is None:
            raise AskedWrongly(
                f"{monitor} has no window from {window.start.isoformat()} to "
                f"{window.end.isoformat()}",
                hint="choose one of its checks, or the time its windows begin at",
            )
        if window.end > self._clock():
            raise AskedWrongly(
                f"the window until {window.end.isoformat()} is not complete yet",
                hint="a window is looked at when it is over",
            )
        subject = f"{window.start.isoformat()} to {window.end.isoformat()}"
        entry = self._entry(actor, Deed.CHECK_REQUESTED, subject, why, monitor)
        wanted = CheckRequest(new_id("request"), monitor, window, entry.at, entry.who)
        return Act(replace(entry, details={"request": wanted.id}), wanted=wanted)

    def resend(self, actor: Actor, message_id: str, why: str) -> Act:
        """Try a message again that was given up."""
        message = self._store.get_message(message_id)
        if message is None:
            known = [m.id for m in self._store.oldest_messages(state="failed")]
            raise UnknownName("message", message_id, known)
        entry = self._entry(actor, Deed.MESSAGE_RESENT, message_id, why, message.monitor)
        return Act(entry, resent=message_id)
