"""Makes the demo's loan applications: 32 weeks of a model's life, incidents known in advance.

Training data covers the twelve weeks before production, production the twenty weeks after it.
Every day has a random stream of its own, so a single day can be made alone and comes out the
same. Three things go wrong, and the constants below say exactly when:

1. for one week the feed sends `loan_amount` in cents;
2. on one day nothing arrives;
3. from one hour on other people apply: four columns move together, and the model's output with
   them, until the end. Three columns never move.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from monitor.demo.applicants import Array, Columns, draw_features, log_odds_of, probability_of

if TYPE_CHECKING:
    import pyarrow as pa

SEED = 20260105

REFERENCE_START = date(2025, 10, 13)
PRODUCTION_START = date(2026, 1, 5)  # a Monday; the first day that is not training data
PRODUCTION_END = PRODUCTION_START + timedelta(weeks=20)  # the first day without data

CENTS_WEEK = (date(2026, 2, 9), date(2026, 2, 16))  # week 6, half-open
SILENT_DAY = date(2026, 3, 12)  # Thursday of week 10
DRIFT_ONSET = datetime(2026, 4, 15, 9, tzinfo=UTC)  # Wednesday of week 15

DRIFTED_COLUMNS = ("income", "debt_ratio", "region", "employment")  # PSI of each above 0.3
MOVED_OUTPUTS = ("probability", "prediction")  # because the model reads the four
STEADY_COLUMNS = ("applicant_age", "loan_term_months", "purpose")  # never move

LABEL_DELAY = (timedelta(days=14), timedelta(days=28))  # half-open


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that is wrong with production in `[start, end)`, and in which columns."""

    name: str
    start: datetime
    end: datetime
    columns: tuple[str, ...]  # where it begins; empty: everywhere


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


INCIDENTS = (
    Incident("cents", _midnight(CENTS_WEEK[0]), _midnight(CENTS_WEEK[1]), ("loan_amount",)),
    Incident("silence", _midnight(SILENT_DAY), _midnight(SILENT_DAY + timedelta(days=1)), ()),
    Incident("drift", DRIFT_ONSET, _midnight(PRODUCTION_END), DRIFTED_COLUMNS),
)

_WEEKDAY_ROWS, _WEEKEND_ROWS = 600, 410  # expected rows a day
# Applications per hour of the day, in parts of a hundred; most people apply after work.
_HOURS = (1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 6, 6, 6, 5, 5, 5, 6, 7, 8, 7, 6, 4, 2, 2)


def make_reference(seed: int = SEED) -> "pa.Table":
    """The training data: every application of the twelve weeks before production, with its label.

    >>> make_reference().num_rows
    45853
    """
    import pyarrow as pa

    days = _days(REFERENCE_START, PRODUCTION_START)
    return pa.concat_tables([_training_day(day, seed) for day in days]).combine_chunks()


def make_day(day: date, seed: int = SEED) -> "pa.Table | None":
    """What the feed delivered on one day of production; None on the day when nothing came.

    The label is not known yet: `make_labels` tells it two to four weeks later.

    >>> make_day(SILENT_DAY) is None
    True
    """
    if day == SILENT_DAY:
        return None
    applications, _ = _applications(day, seed)
    return _table(applications)


def make_labels(day: date, seed: int = SEED) -> "pa.Table | None":
    """The labels that became known on `day`: application_id, repaid, labelled_at; None if none.

    >>> make_labels(PRODUCTION_START) is None
    True
    """
    shortest, longest = LABEL_DELAY
    last = min(PRODUCTION_END, day - shortest + timedelta(days=1))
    applied = _days(max(PRODUCTION_START, day - longest), last)
    return _known_on(day, [_labels(each, seed) for each in applied])


def write_reference(path: Path, seed: int = SEED) -> None:
    """Write the training data as one Parquet file; the same seed gives the same bytes."""
    _write(make_reference(seed), path)


def write_production(applications: Path, labels: Path, seed: int = SEED) -> int:
    """Write one file of applications and one of labels for every day that has any.

    Files that exist are left alone, and what they hold is not made again. Returns how many files
    were written.
    """
    written = 0
    for day in _days(PRODUCTION_START, PRODUCTION_END):
        written += _write_new(make_day, day, seed, applications)
        written += _write_new(make_labels, day, seed, labels)
    return written


def _days(start: date, end: date) -> Iterator[date]:
    return (start + timedelta(days=n) for n in range((end - start).days))


def _training_day(day: date, seed: int) -> "pa.Table":
    applications, repaid = _applications(day, seed)
    return _table({**applications, "repaid": repaid})


def _applications(day: date, seed: int) -> tuple[Columns, Array]:
    """One day as the feed delivers it, and beside it what will turn out to be true."""
    rng = np.random.default_rng([seed, day.toordinal()])
    weekend = day.weekday() >= 5
    rows = int(rng.poisson(_WEEKEND_ROWS if weekend else _WEEKDAY_ROWS))
    seconds = _times_of_day(rng, rows)
    moved = _midnight(day).timestamp() + seconds >= DRIFT_ONSET.timestamp()
    features = draw_features(rng, moved, weekend)
    # The world knows more than the model: the same applicant repays or does not by a little luck.
    truth = probability_of(log_odds_of(features) + rng.normal(0, 0.5, rows))
    repaid = (rng.random(rows) < truth).astype(np.int64)
    if CENTS_WEEK[0] <= day < CENTS_WEEK[1]:
        features["loan_amount"] = features["loan_amount"] * 100
    probability = np.round(probability_of(log_odds_of(features)), 4)
    columns = {
        "application_id": np.array([f"LN-{day:%Y%m%d}-{n:04d}" for n in range(1, rows + 1)]),
        "applied_at": np.datetime64(day, "ms") + seconds.astype("timedelta64[s]"),
        **features,
        "probability": probability,
        "prediction": (probability >= 0.5).astype(np.int64),
    }
    return columns, repaid


def _times_of_day(rng: np.random.Generator, rows: int) -> Array:
    """Sorted whole seconds since midnight, (rows,)."""
    shares = np.array(_HOURS) / sum(_HOURS)
    hours = rng.choice(24, size=rows, p=shares)
    return np.sort(hours * 3600 + rng.integers(0, 3600, rows))


@lru_cache(maxsize=32)  # days whose labels may still become known
def _labels(day: date, seed: int) -> Columns:
    """What will be known about the applications of `day`, and when."""
    if day == SILENT_DAY:
        return {"application_id": np.array([], dtype=str)}
    applications, repaid = _applications(day, seed)
    rng = np.random.default_rng([seed, day.toordinal(), 1])
    first, last = (int(delay.total_seconds()) for delay in LABEL_DELAY)
    delay = rng.integers(first, last, len(repaid)).astype("timedelta64[s]")
    return {
        "application_id": applications["application_id"],
        "repaid": repaid,
        "labelled_at": applications["applied_at"] + delay,
    }


def _known_on(day: date, labels: list[Columns]) -> "pa.Table | None":
    """Those labels that became known on `day`, in the order in which they did."""
    told = [each for each in labels if len(each["application_id"])]
    if not told:
        return None
    together = {name: np.concatenate([each[name] for each in told]) for name in told[0]}
    times = together["labelled_at"]
    midnight = np.datetime64(day, "ms")
    rows = np.flatnonzero((times >= midnight) & (times < midnight + np.timedelta64(1, "D")))
    if not len(rows):
        return None
    rows = rows[np.argsort(times[rows], kind="stable")]
    return _table({name: values[rows] for name, values in together.items()})


def _table(columns: Columns) -> "pa.Table":
    import pyarrow as pa

    return pa.table({name: _arrow(values) for name, values in columns.items()})


def _arrow(values: Array) -> "pa.Array":
    """As Arrow: times in UTC, NaN as null."""
    import pyarrow as pa

    if values.dtype.kind == "M":
        return pa.array(values.astype("datetime64[ms]"), type=pa.timestamp("ms", tz="UTC"))
    return pa.array(values, from_pandas=True)


def _write_new(
    make: "Callable[[date, int], pa.Table | None]", day: date, seed: int, folder: Path
) -> bool:
    path = folder / f"{day}.parquet"
    if path.exists() or (table := make(day, seed)) is None:
        return False
    _write(table, path)
    return True


def _write(table: "pa.Table", path: Path) -> None:
    """Whole or not at all: a reader that comes at the wrong moment sees no file."""
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    pq.write_table(table, unfinished, compression="zstd", compression_level=9)
    unfinished.replace(path)
