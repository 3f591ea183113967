"""The kept figures: one JSON file, which the page shows; saved after every run of a contender."""

import json
import os
import statistics
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.rounds import Taken

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
OURS = "monitor"
Figure = dict[str, Any]
Results = dict[str, dict[str, Figure]]


def figure_of(taken: Taken, name: str, base: str, versions: dict[str, str]) -> Figure:
    """The median, least and most of everything; ratios are taken pair by pair within a round."""
    how: Figure = {"date": date.today().isoformat(), "machine": machine(), "versions": versions}
    if name in taken.failed:
        return {"failed": taken.failed[name], **how}
    runs = taken.counted(name)
    found: Figure = {"runs": len(runs)}
    for what in ("wall_s", "cpu_s", "peak_mb", "page_kb"):
        values = [getattr(run, what) for run in runs if getattr(run, what) is not None]
        if values:
            found[what] = _spread(values)
    for key, other in (("over_base", base), ("over_ours", OURS)):
        ratios = taken.ratios(name, other) if name not in (base, other) else []
        if ratios:
            found[key] = _spread(ratios)
    return {**found, **how}


def _spread(values: Sequence[float]) -> list[float]:
    """Median, least, most, in four digits."""
    spread = statistics.median(values), min(values), max(values)
    return [float(f"{value:.4g}") for value in spread]


def machine() -> dict[str, int]:
    memory_b = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cores": os.cpu_count() or 1, "memory_gb": round(memory_b / 1e9)}


def load(path: Path = RESULTS) -> Results:
    """The kept figures by group and contender; none when there is no file yet."""
    found: Results = {}
    with suppress(FileNotFoundError):
        found = json.loads(path.read_text(encoding="utf-8"))
    return found


def put(group: str, name: str, figure: Figure, path: Path = RESULTS) -> None:
    """Replace one figure among the kept ones."""
    results = load(path)
    results.setdefault(group, {})[name] = figure
    keep(results, path)


def keep(results: Results, path: Path = RESULTS) -> None:
    """One line a figure, so that a new one shows as what changed; never half a file."""
    parts = []
    for group in sorted(results):
        lines = [
            f"  {json.dumps(name)}: {json.dumps(figure, ensure_ascii=False)}"
            for name, figure in sorted(results[group].items())
        ]
        parts.append(f" {json.dumps(group)}: {{\n" + ",\n".join(lines) + "\n }")
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")
    unfinished.replace(path)
