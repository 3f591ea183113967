"""What is told: messages to people and systems (from step 4), the report, the page for digging."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from monitor.core import messages
from monitor.core.consequences import Cause, Change, EpisodeChange, Message, RetrainRequest
from monitor.core.records import Check, Notice, Verdict
from monitor.ports import Sample
from monitor.references import Reference
from monitor.steps.kit import Timings, Tools, Watch
from monitor.steps.past import past_checks

log = logging.getLogger(__name__)


def explore(
    watch: Watch,
    reference: Reference | None,
    sample: Sample | None,
    changes: Sequence[EpisodeChange],
    check: Check,
    tools: Tools,
) -> tuple[str | None, Check]:
    """5. report: the page for digging, when configured; when it fails, the check does not."""
    if reference is None or sample is None or not _wants_explorer(watch, check, changes):
        return None, check
    try:
        kinds = {c.name: str(c.kind) for c in check.columns if c.compared}
        page = tools.explorer.explore(reference.sample, sample, kinds)
        name = f"{check.id}-explore.html"
        tools.reports.write(name, page)
        return name, check  # beside the report: a link without a folder leads there
    except Exception as error:
        log.warning("check=%s the explorer page failed: %s", check.id, error)
        text = f"the page for digging could not be made ({type(error).__name__})"
        return None, replace(check, notices=(*check.notices, Notice("explorer_failed", text)))


def _wants_explorer(watch: Watch, check: Check, changes: Sequence[EpisodeChange]) -> bool:
    opened = any(c.change is Change.OPENED and c.episode.cause is Cause.DRIFT for c in changes)
    breach = check.verdict in (Verdict.DRIFTED, Verdict.VIOLATED)
    when = {"never": False, "on_open": opened, "on_breach": breach, "always": True}
    return check.sample.rows > 0 and when[watch.explorer]


def announce(
    watch: Watch,
    check: Check,
    changes: Sequence[EpisodeChange],
    request: RetrainRequest | None,
    tools: Tools,
) -> tuple[Message, ...]:
    """4. decide, at last: what will be said to whom, as messages for the outbox."""
    report_url = tools.reports.location(report_name(check))
    check_url = tools.check_url(check.id)
    muted = [c for c in changes if c.change is Change.RESOLVED]
    told = messages.alerts(
        check,
        muted if watch.muted else changes,
        routing=watch.routing,
        heard=tools.store.channels_told,
        report_url=report_url,
        check_url=check_url,
        created_at=tools.clock(),
        show_values=watch.show_values,
    )
    if request is None:
        return told
    asked = messages.retrain_message(
        request, report_url=report_url, check_url=check_url, created_at=tools.clock()
    )
    return (*told, asked)


def write_report(
    watch: Watch,
    check: Check,
    told: Sequence[Message],
    explorer: str | None,
    tools: Tools,
    timings: Timings,
) -> str:
    """5. report: one page beside the page for digging."""
    with timings.step("report"):
        assert check.window is not None
        page = tools.draw(
            check,
            history=past_checks(tools.store, watch.name, check.window.start),
            explorer=explorer,
            sent=[_in_words(message) for message in told],
            show_values=watch.show_values,
        )
        tools.reports.write(report_name(check), page)
    return report_name(check)


def _in_words(message: Message) -> str:
    """What is said to whom, for the report."""
    if message.kind == "retrain.requested":
        return "training system: asked for a new model"
    return f"{message.channel}: {message.kind.replace('.', ' ')}"


def report_name(check: Check) -> str:
    return f"{check.id}.html"
