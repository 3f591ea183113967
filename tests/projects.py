"""Small real projects for tests: configuration, training data and days of production."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from monitor.core.records import Window

FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC)
SECRET = "a secret for tests"


def day(number: int) -> Window:
    """The window of the n-th day, counted from 0."""
    start = FIRST_DAY + timedelta(days=number)
    return Window(start, start + timedelta(days=1))


def rows(seed: int, count: int, start: datetime, *, shift: float = 0.0) -> pa.Table:
    """Rows of one day; `shift` moves the amount, in standard deviations."""
    rng = np.random.default_rng(seed)
    times = [start + timedelta(seconds=86400 * i / count) for i in range(count)]
    return pa.table(
        {
            "at": pa.array(times, pa.timestamp("us", "UTC")),
            "amount": rng.normal(100 + 10 * shift, 10, count),
            "age": rng.integers(18, 80, count),
            "region": rng.choice(["north", "south", "west"], count, p=[0.5, 0.3, 0.2]),
        }
    )


def write_project(
    folder: Path,
    *,
    trainer: str = "",
    webhook: str = "",
    store: str = "sqlite:///monitor.db",
    suite: bool = True,
) -> Path:
    """A project of six days: quiet, quiet, then four drifted ones. Returns its monitor.yaml.

    Without its `suite` a process of its own need not import Great Expectations, which takes
    longer than everything else it does.
    """
    (folder / "data").mkdir(parents=True)
    pq.write_table(rows(1, 5000, FIRST_DAY - timedelta(days=30)), folder / "reference.parquet")
    for number in range(6):
        table = rows(10 + number, 800, day(number).start, shift=2.0 if number >= 2 else 0.0)
        pq.write_table(table, folder / "data" / f"day{number}.parquet")
    if suite:
        (folder / "expectations").mkdir()
        (folder / "expectations" / "orders.json").write_text(
            '{"name": "orders", "expectations": [{"type": "expect_column_values_to_not_be_null",'
            ' "kwargs": {"column": "amount"}, "severity": "critical"}]}'
        )
    config = folder / "monitor.yaml"
    config.write_text(_configuration(trainer, webhook, store, suite))
    return config


def _configuration(trainer: str, webhook: str, store: str, suite: bool) -> str:
    expectations = "    expectations: expectations/orders.json\n" if suite else ""
    alerts = f"alerts:\n  webhook: {{url: {webhook!r}, secret: {SECRET!r}}}\n" if webhook else ""
    retrain = (
        f"    retrain: {{url: {trainer!r}, secret: {SECRET!r}, confirm: 2,"
        " when: {any: [{column: amount}]}}\n"
        if trainer
        else ""
    )
    return f"""store: {store}
allow_private_addresses: [127.0.0.1]
{alerts}monitors:
  orders:
    reference: reference.parquet
    production: {{path: data/*.parquet, time: at}}
{expectations}    freshness: {{max_age: 12h}}
    explorer: never
{retrain}"""
