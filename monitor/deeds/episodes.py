"""What people do about an episode: look after it, and end it."""

from dataclasses import replace
from typing import Any

from monitor.core import messages
from monitor.core.consequences import Episode
from monitor.core.people import Acknowledgement, AuditEntry, Deed
from monitor.deeds.planning import Actor, Planning
from monitor.errors import StoreConflict, UnknownName
from monitor.ledger import Act


class EpisodeDeeds(Planning):
    """Everybody who heard of the episode hears of the deed."""

    def acknowledge(self, actor: Actor, episode_id: str, why: str) -> Act:
        """Somebody looks after an episode; everybody who heard of it hears that."""
        episode = self._open_episode(episode_id)
        entry = self._entry(actor, Deed.ACKNOWLEDGED, episode.id, why, episode.monitor)
        given = Acknowledgement(episode.id, entry.at, entry.who, entry.why)
        told = self._tell(entry, episode, "episode.acknowledged")
        return Act(entry, acknowledged=given, messages=told)

    def resolve(self, actor: Actor, episode_id: str, why: str) -> Act:
        """An episode ends because somebody says so; the next breach opens another."""
        episode = self._open_episode(episode_id)
        entry = self._entry(actor, Deed.RESOLVED, episode.id, why, episode.monitor)
        ended = replace(episode, resolved_by=entry.id, resolved_at=entry.at)
        return Act(entry, resolved=ended, messages=self._tell(entry, ended, "episode.resolved"))

    def _open_episode(self, episode_id: str) -> Episode:
        episode = self._store.get_episode(episode_id)
        if episode is None:
            known = [e.id for e in self._store.open_episodes()]
            raise UnknownName("episode", episode_id, known)
        if episode.resolved_by is not None:
            raise StoreConflict(f"episode {episode_id} is over", hint="there is nothing left to do")
        return episode

    def _tell(self, entry: AuditEntry, episode: Episode, kind: str) -> tuple[Any, ...]:
        return messages.of_deed(
            entry,
            episode,
            kind=kind,
            routing=self._routing,
            heard=self._store.channels_told,
            check_url=self._links.check(episode.last_check),
        )
