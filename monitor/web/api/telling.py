"""Records as the API tells them."""

from collections.abc import Sequence
from typing import Any

from monitor.archive import CheckLine, Store
from monitor.core.consequences import Episode
from monitor.core.wire import plain
from monitor.ledger import Act
from monitor.web.api import shapes


def check_of(line: CheckLine) -> shapes.Check:
    """A check as lists show it."""
    return shapes.Check(
        id=line.id,
        monitor=line.monitor,
        verdict=str(line.verdict),
        headline=line.headline,
        window=shapes.Window.model_validate(line.window),
        rows=line.rows,
        reference=line.reference and line.reference.version,
        report=line.report,
        made_at=line.made_at,
        stored_at=line.stored_at,
        revision=line.revision,
    )


def episodes_of(store: Store, episodes: Sequence[Episode]) -> list[shapes.Episode]:
    """Episodes as the API tells them, each with who looks after it."""
    given = store.acknowledgements([episode.id for episode in episodes])
    return [
        shapes.Episode.model_validate(episode).model_copy(
            update={
                "worst": plain(episode.worst),
                "acknowledged": (found := given.get(episode.id))
                and shapes.Acknowledgement.model_validate(found),
            }
        )
        for episode in episodes
    ]


def done_of(act: Act) -> shapes.Done:
    """A deed as the API tells it."""
    return shapes.Done(
        entry=shapes.AuditEntry.model_validate(act.entry),
        silence=act.silence and shapes.Silence.model_validate(act.silence),
        check_request=act.wanted and shapes.CheckRequest.model_validate(act.wanted),
        retrain_request=act.retrain and shapes.RetrainRequest.model_validate(act.retrain),
        token=act.token and token_of(act.token),
    )


def token_of(token: Any) -> shapes.Token:
    """A token without its digest, its scopes in order."""
    made = shapes.Token.model_validate(token)
    return made.model_copy(update={"scopes": sorted(made.scopes)})
