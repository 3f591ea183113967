"""docs/reliability.md, written from the kept figures."""

from pathlib import Path
from typing import Any

from benchmarks.figures import Results

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"

_TOP = """\
# What is promised of the service, and what was measured

Written by `make bench-faults` from `benchmarks/faults/results.json`; a test holds this page to it.
Shorter versions of what breaks run with every change (`tests/test_faults_*.py`), the long ones with
`make test-slow`; what the service takes at rest, and its pages at size, are only measured here.

## What is promised

- **Nothing is lost.** A check is stored with all its consequences in one transaction, and an alert
  lies in the outbox until its channel has taken it, or for three days. A process may be ended at
  any moment, a database restarted, a disk full: what was stored stays, and what was not is still
  due.
- **Nothing is acted on twice.** A window has one check, whoever looks. Alerts and retrain requests
  are delivered at least once, under an idempotency key that every repetition carries; a receiver
  that honours it acts once. Only a process that dies between an answer and the next commit repeats
  one. Slack has no such key: there a message may then show twice.
- **Several processes share a store.** Each claims a window before it looks: for 60 seconds, renewed
  every 15 seconds as long as the check runs. Others leave it, and look every 15 seconds whether it
  is free. **A dead process's window is taken over within 90 seconds** (75 and the time of a look);
  one that was told to stop lets go at once. A message is claimed for 120 seconds, eight times as
  long as the slowest answer is waited for, so a dead process's message goes out after two minutes.
- **Clocks need not agree to the second.** Claims are compared with each process's own clock: those
  of all processes should agree within 30 seconds, as any time service keeps them. Beyond that a
  window may be looked at twice, and is still stored once; a message whose claim seems over may be
  sent again, under its key, from 100 seconds on.
- **A clock that jumps** forward makes all that became due be looked at, each once; one that is put
  back stops nothing.
- **A source that fails** is tried again after 1, 2, 4 ... at most 60 minutes, and told of once, in
  the log and in the monitor's status. After three tries in at least two hours the window gets an
  `undecided` check, which people are alerted of, and the next window goes ahead. When a look
  succeeds, all waits begin anew.
- **SIGTERM**: no new window and no new message is begun; a running check has 30 seconds to finish;
  claims are released.
- **An update needs no pause.** A new version adds to the tables in a short transaction, and fills
  in what it added while others read and write. Processes of the version before keep working
  meanwhile; one that is started after the change says that it is too old.
"""


def render(results: Results) -> str:
    kept = results.get("faults", {})
    parts = [_TOP, "## What was measured\n", *_measured(kept)]
    return "\n".join(parts).rstrip() + "\n"


def _measured(kept: dict[str, Any]) -> list[str]:
    if not kept:
        return ["*Not measured yet.*"]
    written = (
        _killed(kept),
        _raced(kept),
        _broken(kept),
        _clocks(kept),
        _idle(kept.get("idle")),
        _pages(kept),
        _when(kept),
    )
    return [line for lines in written for line in lines]


def _killed(kept: dict[str, Any]) -> list[str]:
    found = {n: kept[n] for n in ("kill_sqlite", "kill_postgresql") if n in kept}
    if not found:
        return []
    rows = [
        f"| {_store_of(name)} | {k['commits']} | {k['kills']} | {k['wrong']} | {k['repeated']} |"
        for name, k in found.items()
    ]
    return [
        "### kill -9 at every commit",
        "",
        "A day's work: a window is claimed, checked and stored, a new model asked for, the episode",
        "acknowledged by a person, another window looked at again because somebody wants that, old",
        "reports forgotten. A process is killed just before and just after each commit of it; when",
        "its claims are over, another goes on. The day has to end as it does undisturbed: the same",
        "checks, messages and deeds, and both receivers acted in the same way.",
        "",
        "| store | commits | kills | days that ended otherwise | requests sent again, by key |",
        "|---|---:|---:|---:|---:|",
        *rows,
        "",
    ]


def _raced(kept: dict[str, Any]) -> list[str]:
    names = ("race_sqlite_2", "race_postgresql_3", "race_killed")
    found = {n: kept[n] for n in names if n in kept}
    if not found:
        return []
    rows = [
        f"| {_store_of(n)} | {r['processes']} | {r['kills']} | {r['windows']:,} | {r['stored']:,} "
        f"| {r['looked_at_again']} | {r['alerts']:,} | {r['alerts_again']} |"
        for n, r in found.items()
    ]
    return [
        "### Processes that race",
        "",
        "Real processes, each with a scheduler and a delivery, their clocks a little apart, on one",
        "store, with one alert a window. Those killed were replaced at once.",
        "",
        "| store | processes | killed | windows | stored | looked at again | alerts | sent again |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        *rows,
        "",
    ]


def _store_of(name: str) -> str:
    return "PostgreSQL" if "postgresql" in name else "SQLite"


def _broken(kept: dict[str, Any]) -> list[str]:
    said = []
    if r := kept.get("restarts"):
        said.append(
            f"- **Database.** PostgreSQL was stopped without ceremony and started again "
            f"{r['restarts']} times while a scheduler and a delivery worked: {r['stored']} of "
            f"{r['windows']} windows stored, {r['alerts']} alerts sent."
        )
    if r := kept.get("full_disk"):
        said.append(
            f"- **Disk.** A process saved {r['saved']} checks until its disk was full, and said "
            f"so: {r['lost']} of them were lost, {r['half']} were stored in part. With room "
            f"again, the next one was stored."
        )
    if r := kept.get("down"):
        said.append(
            f"- **Those who are told.** Nobody listened for {r['hours']} hours: {r['messages']} "
            f"messages were tried {r['tries']} times; when somebody listened again, each was acted "
            f"on once, {r['late_min']} minutes later at most."
        )
    if r := kept.get("lies"):
        said.append(
            f"- **Endpoints that lie.** {r['lies']} ways to answer wrongly (hanging up, half a "
            f"response, a body cut short, 429, 503, a redirect, no HTTP, silence), one after the "
            f"other: {r['requests']} requests under {r['keys']} key, then taken."
        )
    return ["### What breaks", "", *said, ""] if said else []


def _clocks(kept: dict[str, Any]) -> list[str]:
    titles = {
        "day": "24 hours",
        "spring": "30 hours around the change to summer time",
        "autumn": "30 hours around the change back",
        "jumps": "a clock put 5 h forward, 3 h back, 2 d forward, 1 d back",
    }
    rows = [
        f"| {title} | {kept[n]['monitors']:,} | {kept[n]['windows']:,} | {kept[n]['missed']} "
        f"| {kept[n]['looked_at_again']} |"
        for n, title in titles.items()
        if n in kept
    ]
    if not rows:
        return []
    return [
        "### Clocks",
        "",
        "Simulated hours of monitors of five time zones (one of them with half hours), hourly,",
        "six-hourly and daily windows, by interval and by cron.",
        "",
        "| | monitors | windows | missed | looked at again |",
        "|---|---:|---:|---:|---:|",
        *rows,
        "",
    ]


def _idle(figure: dict[str, Any] | None) -> list[str]:
    if figure is None:
        return []
    return [
        "### At rest",
        "",
        f"`monitor serve` with {figure['monitors']:,} monitors and nothing due takes "
        f"{100 * figure['core_share']:.2g} % of a core and {figure['memory_mb']} MB.",
        "",
    ]


def _pages(kept: dict[str, Any]) -> list[str]:
    found = {n: kept[n] for n in ("pages_sqlite", "pages_postgresql") if n in kept}
    if not found:
        return []
    some = next(iter(found.values()))
    rows = [
        f"| `{route}` | {' | '.join(_route(f['routes'][route]) for f in found.values())} |"
        for route in some["routes"]
    ]
    stores = " | ".join(f"{_store_of(n)}: median | p95" for n in found)
    return [
        "### Every page and list",
        "",
        f"{some['monitors']:,} monitors, {some['checks']:,} stored checks; milliseconds on the",
        "server, one request after the other. {0} is a monitor in an episode, each time another.",
        "",
        f"| | {stores} |",
        f"|---|{'---:|' * 2 * len(found)}",
        *rows,
        "",
    ]


def _route(figure: dict[str, float]) -> str:
    return f"{figure['median_ms']:.0f} | {figure['p95_ms']:.0f}"


def _when(kept: dict[str, Any]) -> list[str]:
    dates = sorted({figure["date"] for figure in kept.values()})
    machines = {(f["machine"]["cores"], f["machine"]["memory_gb"]) for f in kept.values()}
    told = ", ".join(f"{cores} cores and {memory} GB" for cores, memory in sorted(machines))
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return [f"Measured {when} on a machine with {told}, shared with other work."]
