"""What people and training systems do about models: ask for one, answer, promote its reference."""

from dataclasses import replace

from monitor.archive import StoredCheck
from monitor.core import episodes, messages
from monitor.core.people import Answer, Deed
from monitor.deeds.planning import Actor, Planning
from monitor.errors import AskedWrongly, UnknownName
from monitor.ledger import Act

ANSWERS = ("accepted", "succeeded", "failed")


class ModelDeeds(Planning):
    """A request is answered, and a new model brings a new reference."""

    def request_retrain(self, actor: Actor, monitor: str, why: str) -> Act:
        """Ask for a new model; cooldown and conditions are the asker's to judge."""
        settings = self._known(monitor)
        if settings.retrain is None:
            raise AskedWrongly(
                f"monitor {monitor} has no training system to ask",
                hint="configure `retrain: {url: ..., secret: ...}`",
            )
        entry = self._entry(actor, Deed.RETRAIN_REQUESTED, monitor, why, monitor)
        latest = next(iter(self._store.newest_checks(monitor, limit=1)), None)
        current = self._store.current_reference(monitor)
        request = episodes.request_by_hand(
            monitor,
            entry.why,
            entry.at,
            latest.check if latest else None,
            current.version if current else "",
        )
        message = messages.retrain_message(
            request,
            report_url=self._report_url(latest),
            check_url=self._links.check(latest.check.id) if latest else "",
            created_at=entry.at,
        )
        told = replace(entry, subject=request.id)
        return Act(told, retrain=request, messages=(message,))

    def _report_url(self, latest: StoredCheck | None) -> str:
        return self._links.report(latest.report) if latest and latest.report else ""

    def answer(self, actor: Actor, answer: Answer) -> Act:
        """What a training system says of a request: accepted, then succeeded or failed."""
        request = self._store.get_retrain(answer.request)
        if request is None:
            known = [r.id for r in self._store.newest_retrains(limit=20)]
            raise UnknownName("retrain request", answer.request, known)
        if answer.state not in ANSWERS:
            raise UnknownName("answer", answer.state, ANSWERS)
        why = answer.text or answer.state
        entry = self._entry(actor, Deed.RETRAIN_ANSWERED, request.id, why, request.monitor)
        said = {"state": answer.state, "model_version": answer.model_version}
        return Act(replace(entry, details=said), answer=replace(answer, at=entry.at))

    def promote(self, actor: Actor, monitor: str, version: str, why: str) -> Act:
        """Hold the windows to come against another version of the reference.

        It holds until other data are configured as reference than now.
        """
        self._known(monitor)
        known = {r.version: r for r in self._store.list_references(monitor)}
        versions = list(known)
        bare = version.removeprefix("sha256:")
        matching = [v for v in versions if v.removeprefix("sha256:").startswith(bare)]
        if len(matching) != 1 or not bare:
            raise UnknownName("reference", version, versions)
        self._refuse_lost(monitor, known[matching[0]])
        entry = self._entry(actor, Deed.REFERENCE_PROMOTED, matching[0], why, monitor)
        return Act(replace(entry, details={"instead_of": versions[0]}), promoted=matching[0])
