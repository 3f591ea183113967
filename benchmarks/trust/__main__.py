"""Measure whether verdicts can be trusted, keep the figures, write docs/trust.md.

`python -m benchmarks.trust [--fast] [--only null,budget] [--workers 2] [--seed 0] [--render]`.
Exits with 1 when a figure fails.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

# Two processes that each use every core for linear algebra would only stand in each other's way.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

from benchmarks.trust import (  # noqa: E402 - the number of threads is read by the first import
    budgets,
    defaults,
    power,
    running,
    series,
    single,
    tables,
)
from benchmarks.trust.page import render  # noqa: E402
from benchmarks.trust.running import PAGE, RESULTS, Job, Pool, Scope  # noqa: E402
from benchmarks.trust.verdicts import failures  # noqa: E402


def _single(claim: str, scope: Scope, pool: Pool) -> list[Job]:
    return single.jobs(claim, scope, pool)


def _plain(jobs: Callable[[Scope], list[Job]], scope: Scope, _: Pool) -> list[Job]:
    return jobs(scope)


TABLES: Mapping[str, Callable[[Scope, Pool], list[Job]]] = {
    "null": partial(_single, "null"),
    "tolerance": partial(_single, "tolerance"),
    "defaults": partial(_plain, defaults.jobs),
    "power": partial(_plain, power.jobs),
    "flip": partial(_plain, tables.jobs),
    "series-null": partial(_plain, partial(series.jobs, "null")),
    "series-tolerance": partial(_plain, partial(series.jobs, "tolerance")),
    "budget": partial(_plain, budgets.jobs),
}


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trust", description=__doc__)
    parser.add_argument("--fast", action="store_true", help="a rehearsal, kept nowhere by default")
    parser.add_argument("--only", default=",".join(TABLES), help="tables, separated by commas")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cap", type=float, default=Scope().cap_s, help="seconds a figure")
    parser.add_argument("--references", help="rows of the single-column tables: 5000, 100000")
    parser.add_argument("--render", action="store_true", help="only draw the page anew")
    parser.add_argument("--into", type=Path, help="a folder for figures and page of a rehearsal")
    return parser.parse_args()


def _say(table: str, text: str) -> None:
    print(f"{table}: {text}", flush=True)


def main() -> int:
    asked = _asked()
    unknown = set(asked.only.split(",")) - set(TABLES)
    if unknown:
        raise SystemExit(f"no table is called {', '.join(unknown)}; there are {', '.join(TABLES)}")
    if asked.fast and asked.into is None:
        raise SystemExit("--fast needs --into FOLDER: a rehearsal must not replace what was proven")
    kept, page = RESULTS, PAGE
    if asked.into is not None:
        asked.into.mkdir(parents=True, exist_ok=True)
        kept, page = asked.into / "results.json", asked.into / "trust.md"
    if not asked.render:
        _measure(asked, kept)
    results = running.load(kept)
    page.write_text(render(results), encoding="utf-8")
    failed = failures(results)
    print("\n".join([*failed, f"{len(failed)} figures fail"]))
    return 1 if failed else 0


def _measure(asked: argparse.Namespace, kept: Path) -> None:
    """Run the tables one by one; each is kept as soon as it is done."""
    references = tuple(int(rows) for rows in (asked.references or "").split(",") if rows)
    scope, pool = Scope(asked.seed, asked.fast, references, asked.cap), Pool(asked.workers)
    try:
        for name in asked.only.split(","):
            say = partial(_say, name)
            jobs = TABLES[name](scope, pool)
            say(f"{len(jobs)} jobs")
            results = running.load(kept)
            results[name] = running.run(jobs, pool, scope, say)
            running.keep(results, kept)
    finally:
        pool.close()


if __name__ == "__main__":
    sys.exit(main())
