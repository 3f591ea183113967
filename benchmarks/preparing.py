"""What has to be there before a group can run: its files, and the environments of its peers."""

import subprocess
import sys
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path

from benchmarks.contenders import PEERS, Contender, Group
from benchmarks.environments import NotInstallable, interpreter_of, versions_in
from benchmarks.figures import Figure, machine
from benchmarks.processes import ROOT
from benchmarks.rounds import Places

OURS = ("drift-monitor", "numpy", "pyarrow")


def places_of(group: Group, folder: Path) -> dict[str, Places]:
    """Where the arguments' places are, by environment; "" is that of Drift Monitor."""
    places = {"python": sys.executable}
    if group.workload is not None:
        places |= _files(folder, group.workload)
    peers = {each.peer for each in group.contenders if each.peer}
    return {"": places} | {
        peer: {**places, "peer_python": str(interpreter_of(peer))} for peer in peers
    }


def _files(folder: Path, workload: str) -> Places:
    """A process of its own makes them: whoever measures loads no numpy."""
    pair = {side: folder / f"{workload}_{side[:3]}.parquet" for side in ("reference", "current")}
    if not all(path.exists() for path in pair.values()):
        print(f"{workload}: writing its files", flush=True)
        maker = [sys.executable, "-m", "benchmarks.workload", workload, str(folder)]
        subprocess.run(maker, cwd=ROOT, check=True)
    return {side: str(path) for side, path in pair.items()}


def installed(names: Collection[str]) -> dict[str, Figure]:
    """Makes the environments of these peers: what each one has, or why it cannot be had here."""
    found: dict[str, Figure] = {}
    for peer in (each for each in PEERS if each.name in names):
        how: Figure = {"date": date.today().isoformat(), "machine": machine()}
        try:
            python = interpreter_of(peer.folder)
            versions = versions_in(python, (peer.package, "numpy", "pyarrow"))
            found[peer.name] = {"version": versions[peer.package], "versions": versions, **how}
        except NotInstallable as refused:
            own = {"python": versions_in(sys.executable, ())["python"]}
            found[peer.name] = {"refused": str(refused), "versions": own, **how}
    return found


def without(group: Group, absent: Iterable[str]) -> Group:
    gone = set(absent)
    return replace(group, contenders=tuple(c for c in group.contenders if c.name not in gone))


def versions_of(contender: Contender, peers: dict[str, Figure]) -> dict[str, str]:
    """The versions a figure is kept with: those of the environment it ran in."""
    if contender.peer:
        versions: dict[str, str] = peers[contender.name]["versions"]
        return versions
    return versions_in(sys.executable, OURS)
