"""The one sentence of a check: what happened and its main causes, for someone woken at night."""

from collections.abc import Sequence

from monitor.core.columns import Kind
from monitor.core.comparison import TOLD_DESIGN_EFFECT
from monitor.core.numerals import count, number, pair, share
from monitor.core.over_time.spending import accumulated, is_enough_alone, is_full, so_far
from monitor.core.records import (
    ColumnResult,
    ExpectationReport,
    ExpectationResult,
    Finding,
    SampleInfo,
    Severity,
    Slice,
    Verdict,
    most_telling,
)
from monitor.core.unproven import TERMS, Terms, held_by, looks_beyond, unproven
from monitor.core.verdict import beyond_whole, deciding
from monitor.core.words import level, plural

CAUSES = 3
_MANY_TIMES = 10  # a rise by this many times the mean before is not told in per cent
# What a pass says of tests of all columns together that it does not speak for
_LEFT_OPEN = {Verdict.UNDECIDED: "undecided", Verdict.WATCH: "to watch"}
_UNUSABLE = {"unreadable_share": "values that are no numbers", "infinite_share": "infinite values"}


def headline(
    verdict: Verdict,
    columns: Sequence[ColumnResult],
    dataset: Sequence[Finding],
    expectations: ExpectationReport | None,
    sample: SampleInfo,
    *,
    names: bool = True,
    moved_at: str = "",
    terms: Terms = TERMS,
) -> str:
    """One sentence; `names` False keeps level names out of it.

    `moved_at` is the one moment at which the drifted columns moved, where there is one.
    """
    if verdict is Verdict.VIOLATED:
        return _violated(dataset, expectations)
    if verdict is Verdict.DRIFTED:
        told = _lasting(columns, dataset, names, terms.versus)
        if not told:
            told = _drifted(columns, dataset, names, terms.versus) + _together(columns, dataset)
        return told + (f"; they moved at about {moved_at}" if moved_at else "")
    if verdict is Verdict.UNDECIDED:
        return _undecided(columns, dataset, expectations, sample)
    return _passed(columns, dataset, expectations, sample, names=names, terms=terms)


def only_where(columns: Sequence[ColumnResult], slices: Sequence[Slice]) -> str:
    """The end of the sentence of a drift whose main cause is explained by a slice; "" else."""
    main = max((c for c in columns if c.verdict is Verdict.DRIFTED), key=_weight, default=None)
    found = next((s for s in slices if main is not None and main.name in s.columns), None)
    if main is None or found is None:
        return ""
    if found.mix:
        return f"; `{found.columns[0]}` moved with the share of rows with {found.where}"
    return f"; `{main.name}` only where {found.where}"


def in_segments(columns: Sequence[ColumnResult], segments: Sequence[Slice]) -> str:
    """The sentence of a check whose only drift is in segments."""
    first, *others = beyond_whole(columns, segments)
    more = f"; {plural(len(others), 'other segment')} drifted, too" if others else ""
    return f"Drifted: where {first.where}, {first.reason}{more}; the whole is within its tolerance"


def also_in_segments(columns: Sequence[ColumnResult], segments: Sequence[Slice]) -> str:
    """The end of the sentence of a drift when segments tell more than the whole; "" else."""
    hidden = beyond_whole(columns, segments)
    if not hidden:
        return ""
    more = f", and {plural(len(hidden) - 1, 'other segment')}" if len(hidden) > 1 else ""
    return f"; also where {hidden[0].where}: {hidden[0].reason}{more}"


def _weight(column: ColumnResult) -> float:
    return column.weight


def change_in_words(
    column: ColumnResult, *, names: bool = True, versus: str = "in training"
) -> str:
    """What changed in one column, in units where it has them; `versus` is how it was before.

    >>> from monitor.core.columns import Kind
    >>> from monitor.core.records import Verdict
    >>> age = ColumnResult("age", Kind.NUMBER, Verdict.DRIFTED, "", statistics={
    ...     "mean": (40.0, 50.0), "sd": (10.0, 10.0)})
    >>> change_in_words(age)
    'is 25 % higher than in training (mean 40 → 50)'
    """
    return (
        _missing_change(column, versus)
        or _unusable_change(column)
        or _new_levels(column, names, versus)
        or _mean_change(column, versus)
        or _level_change(column, names, versus)
        or "changed its distribution"
    )


def _violated(dataset: Sequence[Finding], expectations: ExpectationReport | None) -> str:
    broken = [f.reason for f in dataset if f.verdict is Verdict.VIOLATED]
    failed = [_failure(r) for r in _failed_critical(expectations)]
    causes = broken + failed
    more = f"; and {len(causes) - CAUSES} more" if len(causes) > CAUSES else ""
    return f"Violated: {'; '.join(causes[:CAUSES])}{more}"


def _failed_critical(expectations: ExpectationReport | None) -> list[ExpectationResult]:
    results = expectations.results if expectations else ()
    return [r for r in results if r.success is False and r.severity is Severity.CRITICAL]


def _failure(result: ExpectationResult) -> str:
    return f"`{result.column}`: {result.reason}" if result.column else result.reason


def _drifted(
    columns: Sequence[ColumnResult], dataset: Sequence[Finding], names: bool, versus: str
) -> str:
    drifted = most_telling(c for c in columns if c.verdict is Verdict.DRIFTED)
    whole = [f.what or f.reason for f in dataset if f.of_drift and f.verdict is Verdict.DRIFTED]
    if not drifted:
        return f"Drifted: {'; '.join(whole[:CAUSES])}, though no column moved by itself"
    return "; ".join([_drifted_columns(columns, drifted, names, versus), *whole[:CAUSES]])


def _drifted_columns(
    columns: Sequence[ColumnResult], drifted: Sequence[ColumnResult], names: bool, versus: str
) -> str:
    main, *others = drifted
    change = change_in_words(main, names=names, versus=versus)
    first = f"Drifted: {_called(main)} {change}"
    compared = sum(c.compared for c in columns)
    if not others:
        return f"{first}; no other of {compared} columns drifted" if compared > 1 else first
    outputs = [c for c in others if c.is_output]
    inputs = [c for c in others if not c.is_output]
    named = ", ".join(f"`{c.name}`" for c in inputs[: CAUSES - 1])
    rest = len(inputs) - CAUSES + 1
    more = f" and {rest} more" if rest > 0 else ""
    told = f"{first}; {len(drifted)} of {compared} columns drifted"
    told += f", next {named}{more}" if inputs else ""
    with_it = " and ".join(_called(c) for c in outputs)
    return f"{told}; {with_it} moved with {'them' if inputs else 'it'}" if outputs else told


def _called(column: ColumnResult) -> str:
    return f"the model's {column.role} `{column.name}`" if column.is_output else f"`{column.name}`"


def _lasting(
    columns: Sequence[ColumnResult], dataset: Sequence[Finding], names: bool, versus: str
) -> str:
    """The sentence of a drift that many checks prove together and none alone; "" for any other."""
    drifted = [c for c in columns if c.verdict is Verdict.DRIFTED]
    proven = any(f.verdict is Verdict.DRIFTED for c in drifted for f in deciding(c.findings))
    gathered, main = accumulated(dataset), _gatherer(drifted)
    if proven or gathered is None or main is None or is_enough_alone(gathered):
        return ""
    if not is_full(gathered) and not looks_beyond(main):
        return (
            f"Drifted: nothing is proven in this window alone, but the evidence of {_checks(main)} "
            f"({so_far(gathered)}) still keeps the alarm on, most of it in `{main.name}`"
        )
    change = change_in_words(main, names=names, versus=versus)
    return (
        f"Drifted: `{main.name}` {change}; this window alone does not prove it, the evidence of "
        f"{_checks(main)} together does"
    )


def _together(columns: Sequence[ColumnResult], dataset: Sequence[Finding]) -> str:
    """The end of the sentence of a drift that took more than this window to prove; "" else."""
    gathered, main = accumulated(dataset), _gatherer(columns)
    if gathered is None or main is None or is_enough_alone(gathered):
        return ""
    return f"; evidence of {_checks(main)} together"


def _gatherer(columns: Sequence[ColumnResult]) -> ColumnResult | None:
    """The drifted column with the most evidence of many checks; None without any."""
    gathered = [c for c in columns if c.verdict is Verdict.DRIFTED and c.accrued is not None]
    return max(gathered, key=_gathered, default=None)


def _gathered(column: ColumnResult) -> float:
    return column.importance * (column.accrued.evidence if column.accrued else 0.0)


def _checks(column: ColumnResult) -> str:
    return plural(column.accrued.checks if column.accrued else 0, "check")


def _undecided(
    columns: Sequence[ColumnResult],
    dataset: Sequence[Finding],
    expectations: ExpectationReport | None,
    sample: SampleInfo,
) -> str:
    unread = [f.reason for f in dataset if f.verdict is Verdict.UNDECIDED and not f.of_drift]
    if unread:
        return f"Undecided: {unread[0]}"
    if sample.rows_in_window == 0:
        return "Undecided: no rows in the window"
    errors = [r for r in (expectations.results if expectations else ()) if r.success is None]
    if errors:
        many = plural(len(errors), "expectation")
        return f"Undecided: {many} could not be evaluated: {_failure(errors[0])}"
    blind = [c for c in columns if c.verdict is Verdict.UNDECIDED]
    if not blind:
        return "Undecided: there is no column that can be compared"
    return f"Undecided: {_blind(blind, sample)}"


def _blind(blind: Sequence[ColumnResult], sample: SampleInfo, among: int = 0) -> str:
    """Columns that cannot be judged, the critical ones first, and what it would take.

    `among` is the number of all of them, where the others were judged; then the blind are named.
    """
    blind = sorted(blind, key=lambda c: not c.critical)
    what = plural(len(blind), "column")
    if among:
        what = f"{len(blind)} of {plural(among, 'column')} ({_named(blind)})"
    most = max(c.design_effect for c in blind)
    if most >= TOLD_DESIGN_EFFECT:
        fewer = f"rows count for up to {number(most, 2)} times fewer"
        return f"{what} cannot be judged: windows of the reference vary so much that {fewer}"
    needed = max((_rows_needed(c) for c in blind), default=0)
    if needed <= sample.rows:
        return f"{what} cannot be judged: `{blind[0].name}`: {blind[0].reason}"
    rows = plural(sample.rows, "row")
    return f"{what} cannot be judged on {rows}; {count(needed)} rows would do"


def _named(columns: Sequence[ColumnResult]) -> str:
    rest = len(columns) - CAUSES
    named = ", ".join(f"`{c.name}`" for c in columns[:CAUSES])
    return f"{named} and {rest} more" if rest > 0 else named


def _rows_needed(column: ColumnResult) -> int:
    """The fewest rows at which one of the column's tests can decide; 0 when rows are no help."""
    return min((f.rows_needed for f in column.findings if f.rows_needed and not f.guard), default=0)


def _passed(
    columns: Sequence[ColumnResult],
    dataset: Sequence[Finding],
    expectations: ExpectationReport | None,
    sample: SampleInfo,
    *,
    names: bool,
    terms: Terms,
) -> str:
    """What could not be judged or proven comes first: a pass speaks of the other columns alone."""
    compared = [c for c in columns if c.compared]
    states = [c.verdict for c in compared]
    same, watched = states.count(Verdict.PASSED), states.count(Verdict.WATCH)
    parts = [f"{same} of {len(compared)} columns are as {terms.versus}"] if compared else []
    if watched:
        parts.append(f"{watched} to watch")
    parts += [
        f"{f.test} {_LEFT_OPEN[f.verdict]}"
        for f in dataset
        if f.of_drift and f.verdict in _LEFT_OPEN
    ]
    if expectations:
        held = expectations.evaluated - expectations.failed
        parts.append(f"{held} of {plural(expectations.evaluated, 'expectation')} met")
    parts.append(f"{count(sample.rows_in_window)} rows")
    blind = [c for c in compared if c.verdict is Verdict.UNDECIDED]
    doubts = [_blind(blind, sample, len(compared))] if blind else []
    if unsure := unproven(compared, terms.rule):
        why = held_by(unsure[0], dataset, sample.rows, terms)
        doubts.append(_unproven(unsure, why, names=names, versus=terms.versus))
    how = " in part" if blind else " for want of proof" if unsure else ""
    return f"Passed{how}: {'; '.join([*doubts, ', '.join(parts)])}"


def _unproven(unsure: Sequence[ColumnResult], why: str, *, names: bool, versus: str) -> str:
    main, *others = unsure
    told = f"`{main.name}` {change_in_words(main, names=names, versus=versus)}"
    who = f"`{others[0].name}` seems" if len(others) == 1 else f"{len(others)} other columns seem"
    more = f"; {who} to be beyond tolerance, too" if others else ""
    return f"{told}, more than is tolerated, but {why}{more}"


def _guard(column: ColumnResult, test: str) -> Finding | None:
    """A guard's finding when it drifted."""
    found = (f for f in column.findings if f.test == test and f.verdict is Verdict.DRIFTED)
    return next(found, None)


def _leads(column: ColumnResult, test: str) -> bool:
    """Whether a test found more than its tolerance, and more of it than the others.

    Small changes that gathered over checks are proven, though no single check is.
    """
    strongest = max(deciding(column.findings), key=lambda f: f.strength, default=None)
    return strongest is not None and strongest.test == test and strongest.strength > 1


def _missing_change(column: ColumnResult, versus: str) -> str:
    if _guard(column, "missing_share") is None and not _leads(column, "missing_share"):
        return ""
    before, now = share(column.missing_reference), share(column.missing_current)
    return f"is missing in {now} of rows, {before} {versus}"


def _unusable_change(column: ColumnResult) -> str:
    for test, what in _UNUSABLE.items():
        if finding := _guard(column, test):
            return f"changed its share of {what} by {share(finding.effect)} of rows"
    return ""


def _new_levels(column: ColumnResult, names: bool, versus: str) -> str:
    finding = _guard(column, "unseen_share")
    levels = column.shape.new_levels if column.shape else ()
    if finding is None or len(levels) < 2:  # one new level is told with its share
        return ""
    named = ", ".join(level(name) for name in levels[:CAUSES])
    more = ", ..." if len(levels) > CAUSES else ""
    told = f" ({named}{more})" if names else ""
    return f"has levels unknown {versus} in {share(finding.effect)} of rows{told}"


def _mean_change(column: ColumnResult, versus: str) -> str:
    before, now = column.statistics.get("mean", (None, None))
    sd, sd_now = column.statistics.get("sd", (None, None))
    if before is None or now is None:
        return ""
    what = "length" if column.kind is Kind.TEXT else "mean"
    if abs(now - before) <= 0.1 * (sd or 0.0):
        return _spread_change(sd or 0.0, sd_now or 0.0, versus) or "changed its shape"
    figures = f"({what} {pair(before, now)})"
    direction = "higher" if now > before else "lower"
    relative = abs(now - before) / abs(before) if before else 0.0
    if times := times_as_high(before, now, sd):
        return f"is {times} as {versus} {figures}"
    if not 0.005 <= relative < _MANY_TIMES:
        return f"is {direction} than {versus} {figures}"
    return f"is {share(relative)} {direction} than {versus} {figures}"


def times_as_high(before: float, now: float, sd: float | None) -> str:
    """A rise of a mean that is too large to be told in per cent; "" for any other.

    Nothing is so many times a mean that is about zero.

    >>> times_as_high(17.4, 960.0, 12.0), times_as_high(17.4, 20.0, 12.0), times_as_high(0.1, 9, 5)
    ('55 times as high', '', '')
    """
    if before <= 0.1 * (sd or 0.0) or before <= 0 or now / before - 1 < _MANY_TIMES:
        return ""
    return f"{number(now / before, 2)} times as high"


def _spread_change(sd: float, sd_now: float, versus: str) -> str:
    if abs(sd_now - sd) <= 0.1 * sd:
        return ""
    how = "wider" if sd_now > sd else "closer"
    return f"is spread {how} than {versus} (sd {pair(sd, sd_now)})"


def _level_change(column: ColumnResult, names: bool, versus: str) -> str:
    shape = column.shape
    if shape is None or not shape.levels:
        return ""
    moves = [c - r for r, c in zip(shape.reference, shape.current, strict=True)]
    at = max(range(len(moves)), key=lambda i: abs(moves[i]))
    told = level(shape.levels[at]) if names else "one level"
    return f"has {told} at {share(shape.current[at])}, {share(shape.reference[at])} {versus}"
