"""The same in Python: `compare` holds two datasets against each other and returns a result.

>>> import pandas as pd
>>> before = pd.DataFrame({"age": [20 + i % 40 for i in range(2000)]})
>>> after = pd.DataFrame({"age": [35 + i % 40 for i in range(500)]})
>>> compare(before, after).verdict
<Verdict.DRIFTED: 'drifted'>
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from monitor import briefing, wiring
from monitor.check import Look, Timings, Watch, decide, look_at
from monitor.core import wire
from monitor.core.comparison import Plan
from monitor.core.drift_socket import Rule
from monitor.core.records import Check, Finding, Kind, SampleInfo, Verdict, Window
from monitor.errors import AskedWrongly, CouldNotLook, NoCommonColumns, UnknownName
from monitor.ports import Sample, StoredReference
from monitor.references import Reference
from monitor.settings import CsvSettings, SourceSettings

EXIT_CODES = {
    Verdict.PASSED: 0,
    Verdict.DRIFTED: 1,
    Verdict.VIOLATED: 2,
    Verdict.UNDECIDED: 3,
}


@dataclass(frozen=True, slots=True)
class Result:
    """What a comparison says; shows itself as a report in a notebook."""

    check: Check
    show_values: str = "levels"

    @property
    def verdict(self) -> Verdict:
        return self.check.verdict

    @property
    def headline(self) -> str:
        return self.check.headline

    @property
    def exit_code(self) -> int:
        """0 passed, 1 drifted, 2 violated, 3 undecided."""
        return EXIT_CODES[self.check.verdict]

    def to_dict(self) -> dict[str, Any]:
        """The document that `--json` writes."""
        return wire.check_to_json(self.check)

    def html(self) -> str:
        """The report, one self-contained page."""
        return wiring.draw()(self.check, show_values=self.show_values)

    def __repr__(self) -> str:
        return f"<{self.check.headline}>"

    def _repr_html_(self) -> str:
        from html import escape

        page = escape(self.html(), quote=True)
        return f'<iframe srcdoc="{page}" style="width:100%;height:720px;border:0"></iframe>'


@dataclass(frozen=True, slots=True)
class Question:
    """What a one-off comparison can be asked; every field has the flag of the same name."""

    suite: str | Path | None = None
    tests: Sequence[str] = ()
    tolerance: Mapping[str, float] | None = None
    must_see: Mapping[str, float] | None = None
    alpha: float = 0.01
    p_value: float | None = None
    threshold: float | Mapping[str, float] | None = None
    columns: Sequence[str] = ()
    exclude: Sequence[str] = ()
    kinds: Mapping[str, str] | None = None
    time_column: str | None = None
    prediction: str | None = None
    probability: str | None = None
    label: str | None = None
    id: str | None = None
    sample: int | None = None
    seed: int = 0
    show_values: str = "levels"
    csv: Mapping[str, str] | None = None  # separator, encoding, decimal of CSV files


def compare(reference: Any, current: Any, **question: Any) -> Result:
    """Compare two datasets: data frames, Arrow tables, or paths of files, folders and patterns.

    The keyword arguments are the fields of `Question`: `tests` (names, default by kind),
    `tolerance` and `must_see` by test, `alpha` (0 to 0.5), the classical rules `p_value` or
    `threshold`, `columns`, `exclude`, `kinds` by column, `suite` (a Great Expectations suite),
    `sample` (rows a side) and `seed`.

    Raises AskedWrongly for what cannot be asked (an unknown test or column, a path that does not
    exist, nothing in common). A file that cannot be read is a result with verdict `undecided`.
    """
    unknown = set(question) - set(Question.__dataclass_fields__)
    if unknown:
        raise UnknownName("option of compare", min(unknown), Question.__dataclass_fields__)
    asked = Question(**question)
    plan = plan_of(asked)
    timings = Timings()
    try:
        with timings.step("sample"):
            before = _read(reference, asked)
            now = _read(current, asked)
    except CouldNotLook as error:
        return Result(_unread(asked, error), asked.show_values)
    _check_names(before, now, asked)
    return Result(_compare(before, now, asked, plan, timings), asked.show_values)


def plan_of(asked: Question) -> Plan:
    """The plan of a question; AskedWrongly where it does not make sense."""
    if asked.p_value is not None and asked.threshold is not None:
        raise AskedWrongly("p_value and threshold are two different rules: choose one")
    if not 0 < asked.alpha < 0.5:
        raise AskedWrongly(f"alpha is {asked.alpha:g}; it lies between 0 and 0.5")
    rule = Rule(
        alpha=asked.alpha,
        tolerance=dict(asked.tolerance or {}),
        must_see=dict(asked.must_see or {}),
        p_value=asked.p_value,
        threshold=asked.threshold,
    )
    return Plan(
        tests=briefing.drift_tests((*asked.tests, *rule.tolerance, *rule.must_see)),
        chosen=tuple(asked.tests),
        rule=rule,
        only=tuple(asked.columns),
        exclude=tuple(asked.exclude),
        kinds=_kinds(asked),
    )


def _kinds(asked: Question) -> dict[str, Kind]:
    kinds = {name: _kind(name, kind) for name, kind in (asked.kinds or {}).items()}
    if asked.id:
        kinds[asked.id] = Kind.ID
    if asked.time_column:
        kinds[asked.time_column] = Kind.TIME
    return kinds


def _kind(column: str, kind: str) -> Kind:
    try:
        return Kind(kind)
    except ValueError:
        raise UnknownName(f"kind (asked for column {column})", kind, list(Kind)) from None


def _read(data: Any, asked: Question) -> Sample:
    if not isinstance(data, str | Path):
        return wiring.sample_of(data, asked.sample, asked.seed)
    csv = _csv(asked.csv or {})
    settings = SourceSettings(path=str(data), time=asked.time_column, csv=csv)
    source = wiring.open_source(settings, Path())
    return source.read(limit=asked.sample, seed=asked.seed)


def _csv(options: Mapping[str, str]) -> CsvSettings:
    try:
        return CsvSettings.model_validate(options)
    except ValueError as error:
        raise AskedWrongly(f"CSV options {dict(options)}: {error}") from None


def _check_names(before: Sample, now: Sample, asked: Question) -> None:
    """Every column that was named exists; something is left to compare."""
    known = {*before.columns, *now.columns}
    named = {
        "columns": asked.columns,
        "exclude": asked.exclude,
        "kinds": tuple(asked.kinds or {}),
        "prediction": (asked.prediction,),
        "probability": (asked.probability,),
        "label": (asked.label,),
        "id": (asked.id,),
        "time column": (asked.time_column,),
    }
    for what, names in named.items():
        for name in names:
            if name and name not in known:
                raise UnknownName(f"column (asked for as {what})", name, known)
    if before.columns and now.columns and not set(before.columns) & set(now.columns):
        raise NoCommonColumns(
            f"the two datasets share no column: the reference has {_listing(before)}, "
            f"the other one {_listing(now)}",
            hint="are both files of the same kind, and is the separator right?",
        )


def _listing(sample: Sample) -> str:
    names = list(sample.columns)
    return ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")


def _compare(before: Sample, now: Sample, asked: Question, plan: Plan, timings: Timings) -> Check:
    reference = Reference(
        StoredReference(
            monitor="",
            version=wiring.content_version(before),
            rows=before.info.rows,
            path="",
            kinds={},
            dtypes={name: column.dtype for name, column in before.columns.items()},
            built_at=wiring.now(),
        ),
        before,
    )
    watch = Watch(
        name="",
        plan=plan,
        suite=str(asked.suite) if asked.suite else None,
        label=asked.label,
        show_values=asked.show_values,
        setup=briefing.setup_of(plan),
    )
    if not before.info.rows:
        raise AskedWrongly("the reference has no rows", hint="it comes first, then the new data")
    look = Look(now.info, notices=now.notices)
    look = look_at(watch, reference, now, look, wiring.validator(), timings)
    check = decide(watch, reference, _span(now, asked), look, timings)
    return replace(check, made_at=wiring.now())


def _span(sample: Sample, asked: Question) -> Window | None:
    """First to last time of the new data, when there is a time column."""
    column = sample.columns.get(asked.time_column or "")
    if column is None or column.numbers is None or not column.numbers.size:
        return None
    first, last = float(column.numbers.min()), float(column.numbers.max())
    return Window(
        datetime.fromtimestamp(first, UTC),
        datetime.fromtimestamp(last, UTC) + timedelta(microseconds=1),
    )


def _unread(asked: Question, error: CouldNotLook) -> Check:
    """A file that cannot be read: `undecided`, with the reason."""
    finding = Finding(test="source", verdict=Verdict.UNDECIDED, reason=str(error))
    watch = Watch(name="", plan=plan_of(asked), show_values=asked.show_values)
    look = Look(SampleInfo(0, 0, "none"), dataset=(finding,))
    return replace(decide(watch, None, None, look, {}), made_at=wiring.now())
