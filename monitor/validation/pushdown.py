"""Expectations that the engine of the rows answers, where there is one: no row comes here.

All that can be asked of it is asked at once. What cannot is left to those who look at rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from monitor.core.aggregates import ALWAYS, Aggregate, Condition, Count, Missing
from monitor.core.records import ExpectationResult
from monitor.errors import SuiteError
from monitor.ports import Aggregating
from monitor.validation.asking import Unaskable, rows_where, zone_of_family
from monitor.validation.engine import Decision, judged
from monitor.validation.formulas import Answers, Examples, Formula, Formulas, as_pandas
from monitor.validation.plans import FAILING_VALUES, Plan, no_rows
from monitor.validation.results import decided, undecided, why_not, without_rows
from monitor.validation.suites import Entry


class Planned(Protocol):
    """The expectations of a suite, and how to plan one of them."""

    @property
    def entries(self) -> Sequence[Entry]: ...

    def plan(self, number: int, zone: str) -> Plan: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """An expectation whose every metric the engine can compute."""

    entry: Entry
    plan: Plan
    where: Condition
    formulas: Mapping[Any, Formula]  # by the id of the metric

    @property
    def examples(self) -> list[Examples]:
        return [formula.examples for formula in self.formulas.values() if formula.examples]

    def shows(self, show_values: str) -> bool:
        """Whether values may be shown, if there are any."""
        levels = any(each.shape == "level" for each in self.examples)
        return show_values == "all" or (show_values == "levels" and levels)

    @property
    def asked(self) -> list[Aggregate]:
        needed = [each for formula in self.formulas.values() for each in formula.asked]
        if self.where != ALWAYS:
            needed.append(Count(self.where))
        # Whether whole numbers are floats, should some of them be shown
        shown = [name for each in self.examples for name in each.columns]
        return needed + [Count(Missing(name)) for name in shown]


def decided_there(
    suite: Planned, table: Any, names: Sequence[str], show_values: str
) -> dict[int, ExpectationResult]:
    """What the engine of a table decides of a suite, by the number of the expectation.

    CouldNotLook when it fails to answer.
    """
    if not isinstance(table, Aggregating):
        return {}
    questions: dict[int, _Question] = {}
    for number in range(len(suite.entries)):
        try:
            questions[number] = _question(suite, number, table, names)
        except (Unaskable, SuiteError):  # what is wrong is told on the other road
            continue
    asked = list(dict.fromkeys(each for question in questions.values() for each in question.asked))
    answers = table.aggregate(asked) if asked else {}
    return {
        number: _outcome(question, answers, partial(_examples, table, answers), show_values)
        for number, question in questions.items()
        if answers.keys() >= set(question.asked)
    }


def _question(suite: Planned, number: int, table: Aggregating, names: Sequence[str]) -> _Question:
    entry, families = suite.entries[number], table.families
    about_names = entry.type == "expect_column_to_exist" and entry.condition is None
    if not about_names and not families.keys() >= set(entry.columns):
        raise Unaskable
    zone = zone_of_family(families.get(entry.column or "", "other"))
    plan = suite.plan(number, zone)
    if plan.by_dtype:
        raise Unaskable
    where = rows_where(entry.condition, families)
    written = Formulas(names, families, where)
    formulas = {key: written.of(metric) for key, metric in plan.needed}
    question = _Question(entry, plan, where, formulas)
    if not all(map(table.can, question.asked)):
        raise Unaskable
    return question


def _outcome(
    question: _Question, answers: Answers, look_up: Any, show_values: str
) -> ExpectationResult:
    entry, plan = question.entry, question.plan
    if question.where != ALWAYS and not answers[Count(question.where)]:
        return without_rows(entry, plan)
    try:
        metrics = {key: formula.value(answers) for key, formula in question.formulas.items()}
        decision = judged(plan, metrics, no_rows())
        if decision.result.get("unexpected_count") and question.shows(show_values):
            decision = _with_examples(question, metrics, look_up)
        return decided(entry, decision, show_values)
    except Exception as error:  # whatever goes wrong stays with this expectation
        return undecided(entry, why_not(error, show_values))


def _with_examples(question: _Question, metrics: dict[Any, Any], look_up: Any) -> Decision:
    for key, formula in question.formulas.items():
        if formula.examples is not None:
            metrics[key] = look_up(formula.examples)
    return judged(question.plan, metrics, no_rows())


def _examples(table: Aggregating, answers: Answers, asked: Examples) -> list[Any]:
    """Some of the values, in the shape that GX gives them."""
    found = table.some_values(asked.columns, asked.where, least=asked.least, limit=FAILING_VALUES)
    told = [(table.families[name], answers[Count(Missing(name))] > 0) for name in asked.columns]
    rows = [
        tuple(as_pandas(value, *how) for value, how in zip(row, told, strict=True)) for row in found
    ]
    if asked.shape in ("value", "level"):
        return [row[0] for row in rows]
    if asked.shape == "record":
        return [dict(zip(asked.columns, row, strict=True)) for row in rows]
    return rows
