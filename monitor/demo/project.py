"""The demo project: which files it consists of, and how they come into a folder."""

import shutil
from pathlib import Path

from monitor.demo.generator import write_production
from monitor.errors import AskedWrongly

CONFIG = "monitor.yaml"
_HERE = Path(__file__).parent
_FIRST_LINE = "# Demo project, written by `monitor demo`."
_SHIPPED = ("expectations", "reference_data")


def install_project(folder: Path, datasets: bool) -> None:
    """Make `folder` the demo project; with `datasets`, watch the public data sets as well.

    1. monitor.yaml is written anew; one that is not the demo's is never touched: AskedWrongly.
    2. Suites and training data are copied where they are absent.
    3. Production and its labels are generated, a file a day, where they are absent.
    """
    _write_config(folder, datasets)
    for name in _SHIPPED:
        _copy_absent(_shipped(name), folder / name)
    write_production(folder / "data" / "loans", folder / "data" / "loans_labels")


def _write_config(folder: Path, datasets: bool) -> None:
    path = folder / CONFIG
    if path.exists() and not _is_ours(path):
        raise AskedWrongly(
            f"{path} is not the demo's, so it is left alone and the demo is not set up here",
            hint="name another folder: `monitor demo FOLDER`",
        )
    parts = [CONFIG, "datasets.yaml"] if datasets else [CONFIG]
    text = "".join((_HERE / part).read_text(encoding="utf-8") for part in parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise AskedWrongly(
            f"the demo cannot be written to {folder}: {error.strerror}",
            hint="name another folder: `monitor demo FOLDER`",
        ) from None


def _is_ours(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as lines:
        return lines.readline().rstrip() == _FIRST_LINE


def _shipped(name: str) -> Path:
    """In a wheel beside this file, in a checkout at the top, where people review it."""
    packed = _HERE / name
    return packed if packed.is_dir() else _HERE.parents[1] / name


def _copy_absent(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")):
        copy = target / path.relative_to(source)
        if path.is_file() and not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
