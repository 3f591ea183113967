"""The same in Python: `compare` holds two datasets against each other and returns a result.

>>> import pandas as pd
>>> before = pd.DataFrame({"age": [20 + i % 40 for i in range(2000)]})
>>> after = pd.DataFrame({"age": [35 + i % 40 for i in range(500)]})
>>> compare(before, after).verdict
<Verdict.DRIFTED: 'drifted'>
"""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from monitor import briefing, wiring
from monitor.configuration.datasets import FROZEN, SourceSettings
from monitor.configuration.mistakes import checked
from monitor.configuration.urls import scheme_of, without_secrets
from monitor.core import feed, laws, wire
from monitor.core.comparison import Plan
from monitor.core.records import Check, Verdict, Window
from monitor.core.side_by_side import are_held
from monitor.core.time_columns import times_among
from monitor.errors import AskedWrongly, CouldNotLook, NoCommonColumns, PathNotFound, one_line
from monitor.ports import Sample, Source, StoredReference
from monitor.question import (
    Question,
    refuse_before_reading,
    refuse_unknown,
    refuse_untimed,
    time_told,
)
from monitor.references import Reference, content_version, tell_uneven, version_as_asked
from monitor.steps.deciding import decide
from monitor.steps.kit import Look, Timings, Watch
from monitor.steps.looking import compare_rows, confirm_files, unread_look, validate_rows

EXIT_CODES = {
    Verdict.PASSED: 0,
    Verdict.DRIFTED: 1,
    Verdict.VIOLATED: 2,
    Verdict.UNDECIDED: 3,
}
_REFERENCE_FIRST = "the training data comes first, then the new data"
Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


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


def compare(
    reference: Any, current: Any, *, meanwhile: Callable[[], None] | None = None, **question: Any
) -> Result:
    """Compare two datasets: data frames, Arrow tables, or paths of files, folders and patterns.

    The rows of a Spark data frame stay on its cluster, except a draw of at most 100 000.

    The keyword arguments are the fields of `Question`:

    - what is compared: `columns` (only these) and `exclude`, `kinds` by column, `segments` (columns
      by whose values the rows are compared once more);
    - how: `tests` (names, default by kind), `dataset_tests` (of all columns together), `tolerance`
      and `must_see` by test, `alpha` (0 to 0.5), or a classical rule, `p_value` or `threshold`;
    - what columns are: `time_column`, `prediction`, `probability`, `label` and `id`;
    - `suite`: a Great Expectations suite, to which the new rows are held;
    - reading: `sample` (rows a side, default all) drawn with `seed`, `csv` (separator, encoding,
      decimal, missing), and `show_values` (never, levels or all) in the result.

    Raises AskedWrongly for what cannot be asked (an unknown test or column, a path that does not
    exist, nothing in common). A file that cannot be read is a result with verdict `undecided`.

    `meanwhile` is called at most once, in a thread of its own, while the columns are read and
    sorted: what the caller has to prepare costs little then. What it raises is raised here.
    """
    asked = checked(Question, question)
    _refuse_frozen(current)
    plan = briefing.make_plan(
        asked,
        kinds=asked.column_kinds,
        roles=briefing.roles_of(asked.prediction, asked.probability, asked.label),
        names=asked.show_values != "never",
    )
    watch = Watch(
        name="",
        plan=plan,
        suite=str(asked.suite) if asked.suite else None,
        label=asked.label,
        show_values=asked.show_values,
        segments=asked.segments,
        setup=_setup(plan, reference, current, asked),
    )
    check = _check(watch, reference, current, asked, meanwhile)
    made_at = wiring.now()
    check = replace(check, id=f"compare-{made_at:%Y%m%dT%H%M%S%f}", made_at=made_at)
    return Result(check, asked.show_values)


def _check(
    watch: Watch,
    reference: Any,
    current: Any,
    asked: Question,
    meanwhile: Callable[[], None] | None,
) -> Check:
    """Read both sides, look, decide; a side that cannot be read is a finding."""
    timings = Timings()
    before = version = None
    try:
        with timings.step("sample"):
            source, new = _source(reference, asked), _source(current, asked, asked.time_column)
            refuse_before_reading(asked, (reference, source), (current, new))
            version = _aside(_fingerprint, source)
            before = _reference(reference, source, asked)
            now = _read(current, new, asked)
            window = _window(current, new, now, asked)
    except CouldNotLook as error:
        if before is not None and version is not None:
            with suppress(CouldNotLook, PathNotFound):
                before = _versioned(before, version)
        return decide(watch, before, None, unread_look(one_line(error)), timings)
    _check_names(before.sample, now, asked)
    refuse_untimed(now, window, asked)
    uneven = feed.uneven(before.sample.layouts, "the reference: ")
    look = Look(now.info, notices=(*now.notices, *uneven, *time_told(watch.plan, asked)))
    prepared = _aside(_prepare, meanwhile)
    if watch.suite is not None:
        look = validate_rows(watch, now, look, wiring.validator(), timings)
    look = compare_rows(watch, before, now, look, timings)
    try:
        before = _versioned(before, version)
    except (CouldNotLook, PathNotFound) as error:  # which reference it was is not known
        return decide(watch, before, None, unread_look(str(error)), timings)
    look = confirm_files(before, now, look)  # that what was hashed is what was read, too
    prepared.result()
    return decide(watch, before, window, look, timings)


def _versioned(before: Reference, version: "Future[str]") -> Reference:
    told = version.result() or content_version(before.sample)
    return replace(before, stored=replace(before.stored, version=told))


def _aside(work: Callable[[Asked], Answer], asked: Asked) -> "Future[Answer]":
    """Begin something in a thread of its own, which keeps nobody waiting who gave up meanwhile."""
    done = Future[Answer]()

    def do() -> None:
        try:
            done.set_result(work(asked))
        except BaseException as error:
            done.set_exception(error)

    Thread(target=do, daemon=True).start()
    return done


def _prepare(meanwhile: Callable[[], None] | None) -> None:
    """What columns need when they have been read and sorted, then what the caller needs."""
    laws.prepare()
    if meanwhile is not None:
        meanwhile()


def prepare_report() -> None:
    """Do what every report needs and no result does: `meanwhile` of a comparison."""
    wiring.prepare_report()


def freeze(reference: Any, file: str | Path, **question: Any) -> StoredReference:
    """Freeze training data into one file, which `compare` takes in place of the data.

    `reference` is what `compare` takes, `file` a path that ends in `.reference`; of the question,
    what columns are and how files are read counts. Checks against the file cost what the new data
    cost, and it can travel where the data may not: it holds the levels of categories, points of
    the numbers, and a draw of at most 100 000 rows. Raises AskedWrongly and CouldNotLook.
    """
    asked, place = checked(Question, question), str(file)
    if not place.endswith(FROZEN):
        raise AskedWrongly(f"{place} must end in {FROZEN}", hint=f"write to {place}{FROZEN}")
    source = _source(reference, asked)
    refuse_before_reading(asked, (reference, source))
    before = _reference(reference, source, asked)
    refuse_unknown(asked, before.sample.columns, lambda: times_among(before.sample.columns))
    tell_uneven(before.sample, f"the reference {_told(reference)}")
    plan = briefing.make_plan(asked, kinds=asked.column_kinds, roles={}, names=True)
    version = _fingerprint(source) or content_version(before.sample)
    version = version_as_asked(version, plan)
    stored = replace(before.stored, version=version, origin=_told(reference))
    try:
        return wiring.freeze(stored, before.sample, plan, place)
    except OSError as error:
        raise AskedWrongly(f"{place} cannot be written: {error.strerror or error}") from None


def _setup(plan: Plan, reference: Any, current: Any, asked: Question) -> dict[str, Any]:
    frozen = {"frozen": True} if _is_frozen(reference) else {}
    return briefing.setup_of(
        plan,
        reference=_told(reference),
        current=_told(current),
        **frozen,
        sample={"rows": asked.sample, "seed": asked.seed},
        segments=list(asked.segments),
        expectations=str(asked.suite) if asked.suite else None,
        roles=asked.roles,
    )


def _told(data: Any) -> str:
    return (
        without_secrets(str(data))
        if isinstance(data, str | Path)
        else f"a {type(data).__name__} in memory"
    )


def _is_frozen(data: Any) -> bool:
    return isinstance(data, str | Path) and str(data).endswith(FROZEN)


def _refuse_frozen(current: Any) -> None:
    if _is_frozen(current):
        raise AskedWrongly(
            f"{_told(current)} is a frozen reference: it stands for training data, and new data "
            "are looked at row by row",
            hint="a frozen reference comes first; give the files of the new data after it",
        )


# --- Reading ---


def _source(data: Any, asked: Question, time: str | None = None) -> Source | None:
    """Where rows are read from; None when they are in memory."""
    if isinstance(data, str | Path):
        settings = checked(SourceSettings, {"path": str(data), "time": time, "csv": asked.csv})
        return wiring.open_source(settings, Path())
    return wiring.source_of(data, time)


def _read(data: Any, source: Source | None, asked: Question) -> Sample:
    if source is None:
        return wiring.sample_of(data, asked.sample, asked.seed)
    return source.read(limit=asked.sample, seed=asked.seed)


def _reference(data: Any, source: Source | None, asked: Question) -> Reference:
    """The rows of the training data, not kept anywhere; its time column may be absent."""
    named = isinstance(data, str | Path)
    path = Path(data) if named and not scheme_of(str(data)) else None
    if path and path.is_file() and not path.stat().st_size:
        raise AskedWrongly(f"the reference {path} is empty (0 bytes)", hint=_REFERENCE_FIRST)
    sample = _read(data, source, asked)
    if not sample.info.rows:
        raise AskedWrongly(f"the reference has no rows: {_told(data)}", hint=_REFERENCE_FIRST)
    stored = StoredReference(
        monitor="",
        version="",  # told by `_fingerprint`, which may have to read every byte
        rows=sample.info.rows,
        path=_told(data),
        kinds={},
        dtypes={name: column.dtype for name, column in sample.columns.items()},
        built_at=wiring.now(),
    )
    return Reference(stored, sample)


def _fingerprint(source: Source | None) -> str:
    """`sha256:...` of what is read from somewhere; empty for what is in memory."""
    return "" if source is None else source.fingerprint()


def _window(data: Any, source: Source | None, sample: Sample, asked: Question) -> Window | None:
    """First to last time of the new data, when there is a time column."""
    if asked.time_column is None:
        return None
    from monitor.tables.frames import from_frame
    from monitor.tables.times import span

    if source is not None and (sample.info.method != "all" or not are_held(sample.columns)):
        return _span_of_all(source)
    rows = sample.table if sample.info.method == "all" else from_frame(data)
    known = asked.time_column in rows.column_names
    return span(rows[asked.time_column], ZoneInfo("UTC")) if known else None


def _span_of_all(source: Source) -> Window | None:
    try:
        return source.span()
    except CouldNotLook:
        return None  # no readable time at all, of which there is a notice


def _check_names(before: Sample, now: Sample, asked: Question) -> None:
    """Every column that was named exists; there is something in common."""
    refuse_unknown(asked, {**before.columns, **now.columns}, lambda: times_among(now.columns))
    if before.columns and now.columns and not set(before.columns) & set(now.columns):
        raise NoCommonColumns(
            f"the two datasets share no column: the reference has {_listing(before)}, "
            f"the other one {_listing(now)}",
            hint=_spelt_alike(before, now)
            or "are both files of the same kind, and is the separator right?",
        )


def _spelt_alike(before: Sample, now: Sample) -> str:
    """Names that differ only in upper and lower case: two columns here, one to most people."""
    small = {name.lower(): name for name in before.columns}
    pairs = [(small[name.lower()], name) for name in now.columns if name.lower() in small]
    if not pairs:
        return ""
    told = ", ".join(f"{ours!r} and {theirs!r}" for ours, theirs in pairs[:3])
    more = f" and {len(pairs) - 3} more" if len(pairs) > 3 else ""
    return f"names differ only in upper and lower case: {told}{more}; write both sides alike"


def _listing(sample: Sample) -> str:
    names = list(sample.columns)
    return ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")
