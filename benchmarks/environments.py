"""The peers' environments: each library with its pins in an environment of its own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from benchmarks.processes import ROOT, short

CACHE = ROOT / ".cache" / "bench"
PEERS = Path(__file__).parent / "peers"
VERSIONS = """
import json, platform
from importlib.metadata import PackageNotFoundError, version
found = {"python": platform.python_version()}
for name in %r:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""


class NotInstallable(Exception):
    """The message is the installer's reason, in one line."""


def script_of(peer: str) -> Path:
    return PEERS / peer / "run.py"


def interpreter_of(peer: str) -> Path:
    """The interpreter of a peer's environment, which is made when it is not there as pinned."""
    folder, pins = CACHE / peer, PEERS / peer / "requirements.txt"
    python, marker = folder / "bin" / "python", folder / ".pins"
    wanted = pins.read_text(encoding="utf-8")
    if not marker.exists() or marker.read_text(encoding="utf-8") != wanted:
        print(f"{peer}: making its environment", flush=True)
        _command([sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)])
        _command([*_installer(), "--python", str(python), "--requirement", str(pins)])
        marker.write_text(wanted, encoding="utf-8")
    return python


def versions_in(python: Path | str, names: tuple[str, ...]) -> dict[str, str]:
    """What an interpreter has of these distributions, and its own version."""
    done = subprocess.run(
        [str(python), "-c", VERSIONS % (names,)], capture_output=True, text=True, check=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _installer() -> list[str]:
    """uv, in an environment of its own: pip tries for hours what some of the peers depend on."""
    uv = CACHE / "uv" / "bin" / "uv"
    if not uv.exists():
        _command([sys.executable, "-m", "venv", str(CACHE / "uv")])
        _command([str(uv.with_name("python")), "-m", "pip", "install", "--quiet", "uv"])
    kept = ["--cache-dir", str(ROOT / ".cache" / "uv"), "--quiet", "--no-progress"]
    return [str(uv), "pip", "install", *kept]


def _command(arguments: list[str]) -> None:
    kept = {"PIP_CACHE_DIR": str(ROOT / ".cache" / "pip"), **os.environ}
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=kept)
    if done.returncode:
        raise NotInstallable(_why(done.stderr))


def _why(complaints: str) -> str:
    """The installer's reason in one line; uv puts its cause last, over several lines."""
    said = re.split(r"cause: |─▶", complaints)[-1]
    return short(" ".join(said.split()) or "no reason was given")
