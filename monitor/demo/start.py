"""A new project: a commented monitor.yaml, its folders and an example suite."""

import re
from pathlib import Path

from monitor.errors import AskedWrongly

_STARTER = Path(__file__).parent / "starter"
_FOLDERS = ("expectations", "reference_data", "reports")


def start_project(
    folder: Path, *, name: str, reference: str, production: str, time: str
) -> list[Path]:
    """Write the files of a new project and return them; nothing that exists is touched."""
    if not re.fullmatch(r"\w[\w-]*", name):
        raise AskedWrongly(
            f"{name!r} cannot be the name of a monitor", hint="use letters, digits, _ and -"
        )
    config = folder / "monitor.yaml"
    suite = folder / "expectations" / f"{name}.json"
    if config.exists():
        raise AskedWrongly(
            f"{config} exists and is left alone", hint="name another folder: `monitor init DIR`"
        )
    text = (_STARTER / "monitor.yaml").read_text(encoding="utf-8")
    quoted = {"reference": _quoted(reference), "production": _quoted(production)}
    filled = text.format(name=name, time=_quoted(time), **quoted)
    try:
        for part in _FOLDERS:
            (folder / part).mkdir(parents=True, exist_ok=True)
        config.write_text(filled, encoding="utf-8")
        if not suite.exists():
            suite.write_text((_STARTER / "suite.json").read_text(encoding="utf-8"), "utf-8")
    except OSError as error:
        raise AskedWrongly(f"{folder} cannot be written to: {error.strerror}") from None
    return [config, suite]


def _quoted(text: str) -> str:
    """As a YAML string, whatever is in it."""
    return "'" + text.replace("'", "''") + "'"
