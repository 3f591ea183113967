"""What people may do about monitors: each deed is checked, planned as one act, then stored.

A deed is planned without changing anything. `do` stores it with its audit entry in one
transaction, or raises StoreConflict when somebody else was faster. Pages, API, Slack and the
command line all come here, so that each deed is done in one way and leaves one kind of trace.
"""

from collections.abc import Callable, Collection
from typing import Any

from monitor.core.people import Deed
from monitor.deeds.checks import CheckDeeds
from monitor.deeds.episodes import EpisodeDeeds
from monitor.deeds.models import ModelDeeds
from monitor.deeds.once import Done, Key, Planned, kept, same
from monitor.deeds.planning import Actor
from monitor.deeds.silences import SilenceDeeds
from monitor.deeds.tokens import TokenDeeds
from monitor.errors import AskedWrongly, StoreConflict
from monitor.ledger import Act, Once


class Desk(EpisodeDeeds, SilenceDeeds, CheckDeeds, ModelDeeds, TokenDeeds):
    """Plans and does deeds."""

    @property
    def monitors(self) -> Collection[str]:
        """The names of those that are watched."""
        return self._monitors.keys()

    def asks_for_models(self, monitor: str) -> bool:
        """Whether there is a training system to ask."""
        return monitor in self._monitors and self._monitors[monitor].retrain is not None

    def retrain_secret(self, monitor: str) -> str | None:
        """What a monitor and its training system sign with; None without one."""
        settings = self._monitors.get(monitor)
        return settings.retrain.secret.get_secret_value() if settings and settings.retrain else None

    def do(self, act: Act, once: Once | None = None) -> Once | None:
        """Store it; see `ledger.Acts.act`."""
        return self._store.act(act, once)

    def do_once(
        self,
        key: Key | None,
        plan: Callable[[], Planned],
        answer: Callable[[Act], Any] = lambda _: {},
    ) -> Done:
        """What `plan` says, unless that was done already under the same key.

        1. A key that is known gets what it got. AskedWrongly when it asked for something else.
        2. Plan, and store the deed together with its answer, in one transaction.
        3. Where that fails, the same request may have been faster: then its answer is ours.
        """
        if (before := self._before(key)) is not None:
            return Done(before=before)
        try:
            act, secret = plan()
            faster = self.do(act, kept(key, act, answer(act)) if key else None)
        except (AskedWrongly, StoreConflict):
            if (before := self._before(key)) is not None:
                return Done(before=before)
            raise
        return Done(act, secret) if faster is None else Done(before=same(faster, key))

    def _before(self, key: Key | None) -> Once | None:
        known = key and self._store.answered(key.key, key.asker)
        return same(known, key) if known else None

    def note(self, actor: Actor, deed: Deed, subject: str, monitor: str | None = None) -> None:
        """Write down what needs no reason: signing in and out, building a reference."""
        self.do(Act(self._entry(actor, deed, subject, deed.value, monitor)))
