"""docs/performance.md, drawn from the kept figures alone: what was not measured is absent."""

from collections.abc import Iterable

from benchmarks.contenders import DRAWN, PEERS, WORKLOADS
from benchmarks.figures import OURS, Figure, Results
from benchmarks.trust.text import grouped, table
from benchmarks.words import (
    HEADINGS,
    HOW,
    INTRODUCTION,
    NAMES,
    NOT_CLAIMED,
    PEERS_TEXT,
    READING,
    REPORTS,
    START,
    TITLE,
)

Rows = list[list[str]]
NOTHING = "*Not measured yet.*"


def render(results: Results) -> str:
    """The page; what was not measured yet says so."""
    parts = [TITLE, INTRODUCTION, *_summary(results), READING]
    for name in _workloads(results):
        parts += [HEADINGS.get(name, f"## {name}"), *_comparisons(results[name])]
    parts += [START, _starts(results.get("start", {})), REPORTS, _reports(results)]
    parts += [PEERS_TEXT, *_peers(results), NOT_CLAIMED, HOW, _runs(results)]
    return "\n\n".join(parts) + "\n"


def _workloads(results: Results) -> list[str]:
    """The known ones first; free sizes, which a rehearsal has, after them."""
    others = set(results) - {*WORKLOADS, *DRAWN, "start", "peers"}
    return [name for name in (*WORKLOADS, *sorted(others)) if name in results]


def _summary(results: Results) -> list[str]:
    """The outcome in a sentence a workload, as far as it was measured."""
    lines = []
    for name in _workloads(results):
        ours = results[name].get(OURS, {})
        if "over_base" in ours:
            lines.append(f"- **{name}**: {_outcome(ours, results[name])}.")
    return ["\n".join(lines)] if lines else []


def _outcome(ours: Figure, group: dict[str, Figure]) -> str:
    said = f"{_s(ours['wall_s'][0])}, {_times(ours['over_base'][0])} the floor"
    said += f", at most {_mb(ours['peak_mb'][2])} of memory"
    peers = {peer.name: peer.title for peer in PEERS}
    longer = {n: f["over_ours"][0] for n, f in group.items() if n in peers and "over_ours" in f}
    if longer:
        least, most = min(longer, key=lambda n: longer[n]), max(longer, key=lambda n: longer[n])
        said += f"; the quickest peer ({peers[least]}) takes {_times(longer[least])} as long"
        if most != least:
            said += f", the slowest ({peers[most]}) {_times(longer[most])}"
    return said


def _comparisons(group: dict[str, Figure]) -> list[str]:
    measured = {name: figure for name, figure in group.items() if "wall_s" in figure}
    columns = ["", "wall time", "from – to", "processor time", "times the floor",
               "times `monitor`", "peak memory", "page", "runs"]  # fmt: skip
    rows = [_comparison(name, measured[name]) for name in _in_order(measured)]
    failed = [f"- {_named(name)}: {f['failed']}" for name, f in group.items() if "failed" in f]
    parts = [_without_empty(columns, rows)] if rows else []
    return parts + (["Did not get to an end:\n\n" + "\n".join(failed)] if failed else [])


def _comparison(name: str, figure: Figure) -> list[str]:
    wall, page = figure["wall_s"], figure.get("page_kb")
    return [
        _named(name),
        _s(wall[0]),
        f"{_s(wall[1])} – {_s(wall[2])}" if figure["runs"] > 1 else "",
        _s(figure["cpu_s"][0]),
        _ratio(figure.get("over_base")),
        _ratio(figure.get("over_ours")),
        _mb(figure["peak_mb"][0]),
        _kb(page[0]) if page else "",
        str(figure["runs"]),
    ]


def _in_order(measured: dict[str, Figure]) -> list[str]:
    """The floor, ours, then the peers from the quickest on."""
    own = [name for name in NAMES if name in measured]
    others = [name for name in measured if name not in NAMES]
    return own + sorted(others, key=lambda name: measured[name]["wall_s"][0])


def _without_empty(columns: list[str], rows: Rows) -> str:
    kept = [i for i in range(len(columns)) if i == 0 or any(row[i] for row in rows)]
    return table([columns[i] for i in kept], [[row[i] for i in kept] for row in rows])


def _starts(group: dict[str, Figure]) -> str:
    columns = ["", "wall time", "from – to", "times the interpreter", "runs"]
    rows = []
    for name in (name for name in NAMES if "wall_s" in group.get(name, {})):
        row = _comparison(name, group[name])
        rows.append([row[0], row[1], row[2], row[4], row[8]])
    return _without_empty(columns, rows) if rows else NOTHING


def _reports(results: Results) -> str:
    rows = []
    for name in DRAWN:
        figure = results.get(name, {}).get(name, {})
        if "wall_s" in figure:
            wall, size, runs = figure["wall_s"], figure["page_kb"], figure["runs"]
            rows.append([name.partition("-")[2], _s(wall[0]), _kb(size[0]), str(runs)])
    return table(["columns", "time", "page", "runs"], rows) if rows else NOTHING


def _peers(results: Results) -> list[str]:
    kept = results.get("peers", {})
    rows, refused = [], []
    for peer in PEERS:
        figure = kept.get(peer.name, {})
        if "version" in figure:
            rows.append([peer.title, figure["version"], peer.does])
        elif "refused" in figure:
            python = figure["versions"]["python"]
            refused.append(f"- {peer.title} (Python {python}): {figure['refused']}")
    head = "| | version | what is run |\n|---|---|---|"
    parts = ["\n".join([head, *(f"| {' | '.join(row)} |" for row in rows)])] if rows else [NOTHING]
    if refused:
        parts.append("Could not be installed where this was measured:\n\n" + "\n".join(refused))
    return parts


def _runs(results: Results) -> str:
    """Where and with what each group was measured; one line for those that were measured alike."""
    found: dict[str, list[str]] = {}
    for group in (*_workloads(results), "start", *DRAWN):
        for name, figure in results.get(group, {}).items():
            versions = ", ".join(f"{_distribution(k)} {v}" for k, v in figure["versions"].items())
            machine = figure["machine"]
            size = f"{machine['cores']} cores, {machine['memory_gb']} GB"
            found.setdefault(f"{figure['date']}, {size}: {versions}", []).append(f"{group} {name}")
    lines = [f"- {how} ({_together(who)})" for how, who in sorted(found.items())]
    return "\n".join(lines) if lines else NOTHING


def _together(who: Iterable[str]) -> str:
    """Figures by group: `W1: floor, monitor; W2: floor`."""
    groups: dict[str, list[str]] = {}
    for each in who:
        group, _, name = each.partition(" ")
        groups.setdefault(group, []).append(name)
    return "; ".join(
        group if names == [group] else f"{group}: {', '.join(names)}"
        for group, names in groups.items()
    )


def _distribution(name: str) -> str:
    return {"python": "Python", "drift-monitor": "Drift Monitor"}.get(name, name)


def _named(name: str) -> str:
    titles = {peer.name: peer.title for peer in PEERS}
    return NAMES.get(name) or titles.get(name, name)


def _s(value: float) -> str:
    """Two digits below ten seconds, whole seconds from a hundred on.

    >>> _s(0.0123), _s(2.04), _s(15.26), _s(312.4)
    ('0.012 s', '2.0 s', '15.3 s', '312 s')
    """
    if value < 1:
        return f"{value:.2g} s"
    return f"{value:.1f} s" if value < 100 else f"{grouped(value)} s"


def _times(value: float) -> str:
    """Two digits behind the point where they may matter.

    >>> _times(1.634), _times(12.34), _times(153.2)
    ('1.63 ×', '12.3 ×', '153 ×')
    """
    digits = 2 if value < 10 else 1
    return f"{value:.{digits}f} ×" if value < 100 else f"{grouped(value)} ×"


def _ratio(spread: list[float] | None) -> str:
    return _times(spread[0]) if spread else ""


def _mb(value: float) -> str:
    return f"{value:.0f} MB" if value < 1000 else f"{value / 1000:.1f} GB"


def _kb(value: float) -> str:
    return f"{value:.0f} kB" if value < 1000 else f"{value / 1000:.1f} MB"
