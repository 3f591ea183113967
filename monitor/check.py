"""THE STORY, read this first: one check of one monitor on one window, in six named steps.

1. sample    the rows of the window, read once
2. validate  them against the expectation suite, when there is one
3. compare   them with the reference or an earlier window, when there is one
4. decide    findings → verdict and headline; episodes; whether to ask for a new model
5. report    one page, and a page for digging when an episode opens
6. remember  the check and all its consequences in one transaction; the outbox alerts

What cannot be looked at is a finding with the verdict `undecided`, never silence. Until step 6
nothing has happened: a process may die anywhere before it, and the window is still due.
"""

from dataclasses import dataclass, replace
from functools import partial

from monitor.archive import Outcome
from monitor.core.records import Window
from monitor.core.summaries.windows import stored_form
from monitor.ports import Sample
from monitor.references import Reference
from monitor.steps.budgeting import within_budget
from monitor.steps.deciding import consequences, decide, is_newest
from monitor.steps.holding import hold_against
from monitor.steps.kit import Look, Timings, Tools, Watch
from monitor.steps.looking import compare_rows, confirm_files, sample_window, validate_rows
from monitor.steps.quieting import under_maintenance, with_silences
from monitor.steps.telling import announce, explore, write_report


def run_check(
    watch: Watch,
    reference: Reference | None,
    window: Window,
    tools: Tools,
    *,
    revision: int = 0,
    keep: bool = True,
) -> Outcome:
    """One check from the first row to the commit; without `keep` it is not remembered.

    When another process stored this window first, its check stands and this one is dropped.
    """
    timings = Timings()
    # 1. sample
    sample, look = sample_window(watch, window, tools.source, timings)
    # 2. validate
    look = validate_rows(watch, sample, look, tools.validator, timings)
    # 3. compare
    seen_so_far = sample, look
    maintained = partial(under_maintenance, watch.name, tools.store)
    held, look = hold_against(
        watch, reference, window, seen_so_far, tools.source, timings, maintained
    )
    look = compare_rows(watch, held.reference, sample, look, timings, held.measure)
    look = confirm_files(held.reference, sample, look)
    seen = Seen(held.reference, sample, look, timings)
    return conclude(watch, window, seen, tools, revision=revision, keep=keep)


@dataclass(frozen=True, slots=True)
class Seen:
    """What steps 1 to 3 leave to the others."""

    reference: Reference | None
    sample: Sample | None
    look: Look
    timings: Timings


def conclude(
    watch: Watch, window: Window, seen: Seen, tools: Tools, *, revision: int = 0, keep: bool = True
) -> Outcome:
    """Steps 4 to 6, of whatever was seen; also of a window that could not be looked at."""
    reference, timings = seen.reference, seen.timings
    # 4. decide
    state = tools.store.state(watch.name)
    watch, look = with_silences(watch, window, seen.look, tools)
    look = within_budget(watch, reference, window, look, tools.store)
    check = decide(watch, reference, window, look, timings, revision)
    changes, request = consequences(watch, check, tools)
    told = announce(watch, check, changes, request, tools)
    # 5. report
    explorer, check = explore(watch, reference, seen.sample, changes, check, tools)
    check = replace(check, timings_s=timings, made_at=tools.clock())
    report = write_report(watch, check, told, explorer, tools, timings)
    # 6. remember
    follows = changes or request or is_newest(check, tools.store)
    based_on = state if follows else None
    kept = stored_form(look.summaries, watch.name if watch.show_values == "never" else "")
    outcome = Outcome(check, changes, told, request, report, based_on, revision, kept)
    if keep:
        tools.store.save(outcome)
    return outcome
