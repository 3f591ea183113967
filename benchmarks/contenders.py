"""Who runs: the floor, Drift Monitor and its peers, and with which arguments on which workload."""

import re
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import script_of

Arguments = tuple[str, ...]

WORKLOADS = ("W1", "W2", "W3", "W4")
DRAWN = {"report-50": "20000x51", "report-1000": "20000x1001"}  # the id is left out
VERDICTS = (0, 1, 2, 3)  # exit codes of `monitor compare` that say what it found

MONITOR: Arguments = ("{python}", "-m", "monitor")
COMPARE: Arguments = (*MONITOR, "compare", "{reference}", "{current}")
WRITTEN: Arguments = ("--json", "{out}/out.json", "--html", "{out}/out.html")

# Against a frozen reference. FREEZE is run once and not measured; both may name {reference},
# {current}, {frozen} (a path to freeze to) and {out}. Nothing is measured while they are empty.
FREEZE: Arguments = (*MONITOR, "reference", "freeze", "{reference}", "{frozen}", "--exclude", "id")
COMPARE_FROZEN: Arguments = (
    *MONITOR,
    "compare",
    "{frozen}",
    "{current}",
    "--exclude",
    "id",
    *WRITTEN,
)


@dataclass(frozen=True, slots=True)
class Contender:
    """A command; in `arguments` stand the places of what differs from run to run."""

    name: str
    arguments: Arguments
    fine: tuple[int, ...] = (0,)
    before: Arguments = ()  # run once, not measured
    peer: str = ""  # whose environment it needs
    inside: bool = False  # prints its own time and size: less than a process is measured

    def command(self, arguments: Arguments, places: dict[str, str]) -> list[str]:
        return [argument.format(**places) for argument in arguments]


@dataclass(frozen=True, slots=True)
class Peer:
    """Another library: what its users would do, told in words for the page."""

    name: str
    folder: str
    package: str
    title: str
    does: str
    asked: Arguments = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Contenders that take turns on one workload; ratios are to the first one."""

    name: str
    workload: str | None
    contenders: tuple[Contender, ...]


PEERS = (
    Peer(
        "evidently", "evidently", "evidently", "Evidently, default preset",
        "`DataDriftPreset()`: one test a column, chosen by kind and rows; HTML page",
    ),
    Peer(
        "evidently-ks-psi", "evidently", "evidently", "Evidently, KS and PSI",
        "two `DataDriftPreset`s: KS and chi-square, and PSI for every column; HTML page",
        ("ks-psi",),
    ),
    Peer(
        "alibi-detect", "alibi_detect", "alibi-detect", "alibi-detect",
        "`TabularDrift`: KS and chi-square; text as codes, missing numbers filled, which it needs",
    ),
    Peer(
        "whylogs", "whylogs", "whylogs", "whylogs",
        "a profile of both sides and its drift scores: sketches, not exact",
    ),
    Peer(
        "popmon", "popmon", "popmon", "popmon",
        "`df_stability_metrics` against the reference: histograms, not exact",
    ),
    Peer(
        "popmon-report", "popmon", "popmon", "popmon, with its report",
        "`df_stability_report` against the reference: the same as an HTML page",
        ("report",),
    ),
    Peer(
        "tfdv", "tfdv", "tensorflow-data-validation", "TensorFlow Data Validation",
        "statistics of both sides, a schema with a drift threshold a column, anomalies",
    ),
    Peer(
        "nannyml", "nannyml", "nannyml", "NannyML",
        "`UnivariateDriftCalculator`, one chunk: KS, chi-square and Jensen–Shannon",
    ),
    Peer(
        "deepchecks", "deepchecks", "deepchecks", "deepchecks",
        "`FeatureDrift` as it comes, which looks at 100 000 rows a side at most; HTML page",
    ),
    Peer(
        "frouros", "frouros", "frouros", "frouros",
        "KS and PSI of every number, chi-square of every text",
    ),
)  # fmt: skip


OWN = ("floor", "monitor", "monitor-with-id", "monitor-frozen", "bare", "help")
NAMES = {*OWN, *DRAWN, *(peer.name for peer in PEERS)}


def _floor() -> Contender:
    script = str(Path(__file__).with_name("floor.py"))
    return Contender("floor", ("{python}", script, "{reference}", "{current}"))


def _ours() -> list[Contender]:
    found = [
        Contender("monitor", (*COMPARE, "--exclude", "id", *WRITTEN), VERDICTS),
        Contender("monitor-with-id", (*COMPARE, *WRITTEN), VERDICTS),
    ]
    if COMPARE_FROZEN:
        found.append(Contender("monitor-frozen", COMPARE_FROZEN, VERDICTS, FREEZE))
    return found


def _peer(peer: Peer) -> Contender:
    script = str(script_of(peer.folder))
    arguments = ("{peer_python}", script, "{reference}", "{current}", "{out}", *peer.asked)
    return Contender(peer.name, arguments, peer=peer.folder)


def comparing(workload: str, *, peers: bool) -> Group:
    """The floor, ours and perhaps the peers on one workload."""
    others = [_peer(peer) for peer in PEERS] if peers else []
    return Group(workload, workload, (_floor(), *_ours(), *others))


def starting() -> Group:
    """What the command line takes to start, beside an interpreter that does nothing."""
    bare = Contender("bare", ("{python}", "-c", "pass"))
    return Group("start", None, (bare, Contender("help", (*MONITOR, "--help"))))


def drawing(name: str) -> Group:
    """The report of a finished comparison, alone."""
    arguments = ("{python}", "-m", "benchmarks.drawing", "{reference}", "{current}")
    return Group(name, DRAWN[name], (Contender(name, arguments, inside=True),))


def known(name: str) -> bool:
    """Whether a group has this name; any ROWSxCOLUMNS has one."""
    return name in (*WORKLOADS, *DRAWN, "start") or re.fullmatch(r"\d+x\d+", name) is not None


def group_of(name: str, *, peers: bool = False) -> Group:
    """By its name on the command line: a workload, `start`, or a report."""
    if name == "start":
        return starting()
    return drawing(name) if name in DRAWN else comparing(name, peers=peers)
