"""Is the feed as promised: fresh, large enough, with the columns the model was trained on?"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from monitor.core.columns import Stream
from monitor.core.layouts import TOLD, files_told, lacking, quoted
from monitor.core.records import Finding, Notice, Verdict

UNTYPED = "other"
_NUMBERS = frozenset({"integer", "float"})


def freshness(newest: datetime | None, end: datetime, max_age: timedelta) -> Finding:
    """Age of the newest row when the window closed, in hours, against what is promised."""
    promised = max_age.total_seconds() / 3600
    if newest is None:
        return Finding(
            test="freshness",
            verdict=Verdict.VIOLATED,
            reason=f"no row has arrived yet; at most {_hours(promised)} without one is promised",
            threshold=promised,
        )
    age = (end - newest).total_seconds() / 3600
    stale = age > promised
    return Finding(
        test="freshness",
        verdict=Verdict.VIOLATED if stale else Verdict.PASSED,
        reason=f"the newest row was {_hours(age)} old when the window closed; "
        f"{'only ' if stale else ''}{_hours(promised)} is promised",
        statistic=age,
        effect=age,
        threshold=promised,
    )


def volume(rows: int, min_rows: int) -> Finding:
    """Rows in the window against the fewest there should be."""
    short = rows < min_rows
    found = f"{rows} rows in the window" if rows else "no rows in the window"
    return Finding(
        test="volume",
        verdict=Verdict.VIOLATED if short else Verdict.PASSED,
        reason=f"{found}, {'fewer than' if short else 'at least'} the promised {min_rows}",
        statistic=float(rows),
        effect=float(rows),
        threshold=float(min_rows),
        rows_current=rows,
    )


def schema(
    reference: Mapping[str, str],
    current: Mapping[str, Stream],
    late: Collection[str],
    layouts: Mapping[str, tuple[str, ...]],
    optional: Collection[str],
) -> tuple[tuple[Finding, ...], tuple[Notice, ...]]:
    """Lost columns as findings, also of some files alone; new, retyped and late ones as notices.

    `reference` maps columns to dtype families; `late` names labels, which may arrive afterwards.
    `layouts` are the columns of each file that has rows in the window. `optional` are those that
    some files lacked in training already: some files may lack them now, and all of them may not.
    """
    lost = [name for name in reference if name not in current]
    findings = [_lost(n, _instead(n, reference, current), layouts) for n in lost if n not in late]
    partly = lacking(layouts, [n for n in reference if n not in late and n not in optional])
    findings += [Finding("schema", Verdict.VIOLATED, lack.text) for lack in partly]
    known = [name for name in optional if name in reference]
    notices = [Notice("files_uneven", lack.text) for lack in lacking(layouts, known)]
    if layouts and any(name not in late for name in lost):
        text = f"the rows of the window are those of {files_told([*layouts])}"
        notices.append(Notice("files_of_window", text))
    notices += [
        Notice("label_absent", f"the label {name} has not arrived yet", name)
        for name in lost
        if name in late
    ]
    notices += [
        Notice("column_new", f"{name} is not in the reference and is not compared", name)
        for name in current
        if name not in reference
    ]
    notices += [
        Notice("dtype_changed", f"{name} was {before} in the reference and is {now} now", name)
        for name, before, now in _retyped(reference, current)
    ]
    return tuple(findings), tuple(notices)


def uneven(layouts: Mapping[str, tuple[str, ...]], whose: str = "") -> list[Notice]:
    """A line on columns that only some files have; `whose` files they are begins it."""
    return [Notice("files_uneven", f"{whose}{lack.text}") for lack in lacking(layouts)]


def tells_time(name: str) -> Notice:
    """A line on a column that was named as the time of a row and is left out for that."""
    return Notice("time_column", f"{name} tells the time of a row and is not compared", name)


def _lost(name: str, instead: list[str], layouts: Mapping[str, tuple[str, ...]]) -> Finding:
    """A column that is gone, beside what came in its place where that can be told."""
    told = f"the column `{name}` is in the reference and not in the window"
    if instead:
        files = [file for file, names in layouts.items() if not {*instead}.isdisjoint(names)]
        who = f"{files[0]} has" if len(files) == 1 else f"{len(files)} files have"
        who = who if files else "the window has"
        told = f"the column `{name}` is missing ({who} {quoted(instead)} instead)"
    return Finding(test="schema", verdict=Verdict.VIOLATED, reason=told)


def _instead(name: str, reference: Mapping[str, str], current: Mapping[str, Stream]) -> list[str]:
    """The new columns that may be a lost one by another name: a few, of the same type.

    Many would explain nothing. Whole numbers and others are alike, and what has no type may be any.
    """
    before = reference[name]
    new = [
        stream.name
        for stream in current.values()
        if stream.name not in reference
        and (
            stream.dtype == before
            or UNTYPED in (stream.dtype, before)
            or _NUMBERS.issuperset((stream.dtype, before))
        )
    ]
    return new if len(new) <= TOLD else []


def _retyped(
    reference: Mapping[str, str], current: Mapping[str, Stream]
) -> list[tuple[str, str, str]]:
    """Columns whose dtype family changed; one without values has no type to compare with."""
    return [
        (name, before, current[name].dtype)
        for name, before in reference.items()
        if name in current
        and before not in (current[name].dtype, UNTYPED)
        and current[name].missing < current[name].rows
    ]


def _hours(hours: float) -> str:
    """A length of time as people say it.

    >>> _hours(0.5), _hours(30.0), _hours(100.0)
    ('30 min', '30 h', '4.2 days')
    """
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.3g} h" if hours < 48 else f"{hours / 24:.1f} days"
