"""A sample held against a suite: every expectation passes, fails, or says why it cannot tell."""

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from monitor.core.records import ExpectationReport, ExpectationResult
from monitor.errors import AskedWrongly, CouldNotLook
from monitor.ports import Sample
from monitor.validation.bounded import TookTooLong, run_within
from monitor.validation.conditions import rows_where
from monitor.validation.engine import Look, Undecidable, time_zone
from monitor.validation.frames import plain_frame
from monitor.validation.matcher import Matcher
from monitor.validation.plans import Plan, batch_of, plan
from monitor.validation.pushdown import decided_there
from monitor.validation.results import decided, undecided, why_not, without_rows
from monitor.validation.suites import Entry, read_suite

SHOW_VALUES = ("never", "levels", "all")
_SUITES_KEPT = 64

# Warnings are silenced for the whole process while GX works, so two threads take turns.
_ONE_AT_A_TIME = threading.RLock()


@dataclass(slots=True, eq=False)
class _Suite:
    """A suite that was read strictly, and its plans by expectation and time zone."""

    entries: tuple[Entry, ...]
    plans: dict[tuple[int, str], Plan] = field(default_factory=dict)

    def plan(self, number: int, zone: str) -> Plan:
        if (number, zone) not in self.plans:
            self.plans[number, zone] = plan(self.entries[number], zone)
        return self.plans[number, zone]


class SuiteValidator:
    """`ports.Validator` on Great Expectations.

    Suites are kept while their file stays as it is; of the data nothing is kept.
    """

    def __init__(self, timeout_s: float = 60) -> None:
        self._timeout_s = timeout_s
        self._suites: OrderedDict[tuple[str, int, int], _Suite] = OrderedDict()
        self._matcher = Matcher(timeout_s)

    def validate(self, suite: str, sample: Sample, *, show_values: str) -> ExpectationReport:
        """See `ports.Validator`; each expectation has `timeout_s` seconds.

        PathNotFound when there is no such file, SuiteError when it loses something on load.
        """
        if show_values not in SHOW_VALUES:
            raise AskedWrongly(f"show_values is one of {', '.join(SHOW_VALUES)}")
        with _ONE_AT_A_TIME, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = self._load(Path(suite))
            if not sample.table.num_rows:
                why = "there are no rows in the window"
                return ExpectationReport(tuple(undecided(e, why) for e in loaded.entries))
            return self._evaluate(loaded, sample, show_values)

    def close(self) -> None:
        """End the helper process, if one was started."""
        self._matcher.stop()

    def _load(self, path: Path) -> _Suite:
        try:
            state = path.stat()
            key = (str(path.resolve()), state.st_mtime_ns, state.st_size)
        except OSError:
            return _load_suite(path)  # which says what is wrong with it
        if key not in self._suites:
            self._suites[key] = _load_suite(path)
            if len(self._suites) > _SUITES_KEPT:
                self._suites.popitem(last=False)
        self._suites.move_to_end(key)
        return self._suites[key]

    def _evaluate(self, suite: _Suite, sample: Sample, show_values: str) -> ExpectationReport:
        """1. Ask the engine of the rows, if it has one; 2. look at rows for all that is left."""
        found = decided_there(suite, sample.table, sample.table.column_names, show_values)
        left = [number for number in range(len(suite.entries)) if number not in found]
        try:
            found |= self._on_rows(suite, left, sample, show_values) if left else {}
        except CouldNotLook as error:
            if not found:
                raise
            found |= {number: undecided(suite.entries[number], str(error)) for number in left}
        return ExpectationReport(tuple(found[number] for number in range(len(suite.entries))))

    def _on_rows(
        self, suite: _Suite, left: Sequence[int], sample: Sample, show_values: str
    ) -> dict[int, ExpectationResult]:
        needed = {name for number in left for name in suite.entries[number].columns}
        names = [name for name in sample.table.column_names if name in needed]
        frame = plain_frame(sample, names)
        look = Look(frame, sample.table.column_names, sample.table.num_rows, self._matcher)
        rows = _Rows(frame, names, look)
        try:
            results = {}
            for number in left:
                entry = suite.entries[number]
                chosen = partial(suite.plan, number, time_zone(entry, frame))
                results[number] = self._outcome(entry, chosen, rows, show_values)
            return results
        finally:
            look.close()

    def _outcome(
        self, entry: Entry, planned: Callable[[], Plan], rows: "_Rows", show_values: str
    ) -> ExpectationResult:
        try:
            if not rows.prepare(entry):
                return without_rows(entry, planned())
            decision = run_within(self._timeout_s, partial(rows.look.decide, planned()))
            return decided(entry, decision, show_values)
        except TookTooLong:
            self._matcher.stop()
            return undecided(entry, f"took longer than {self._timeout_s:g} s and was given up")
        except Exception as error:  # whatever goes wrong stays with this expectation
            return undecided(entry, why_not(error, show_values))


class _Rows:
    """Picks the rows each expectation is about, once for every row condition."""

    def __init__(self, frame: Any, names: Sequence[str], look: Look) -> None:
        self._frame, self._names, self.look = frame, names, look
        self._sizes: dict[str, int] = {}

    def prepare(self, entry: Entry) -> bool:
        """Does any row remain for it? Undecidable when the values of a column are not there."""
        for name in entry.columns:
            if name not in self._frame.columns and entry.type != "expect_column_to_exist":
                there = name in self._names
                raise Undecidable(
                    f"column {name!r} {'could not be read' if there else 'is not in the window'}"
                )
        if entry.condition is None:
            return True
        batch = batch_of(entry)
        if batch not in self._sizes:
            chosen = self._frame[rows_where(entry.condition, self._frame)]
            self.look.add_rows(batch, chosen)
            self._sizes[batch] = len(chosen)
        return self._sizes[batch] > 0


def check_suite(path: str | Path) -> tuple[Entry, ...]:
    """Load a suite strictly, without data, and say what is in it.

    Raises PathNotFound or SuiteError as `SuiteValidator.validate` does.
    """
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _load_suite(Path(path)).entries


def _load_suite(path: Path) -> _Suite:
    suite = _Suite(read_suite(path))
    for number in range(len(suite.entries)):
        suite.plan(number, "")
    return suite
