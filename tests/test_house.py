"""The house rules no linter knows: first lines, the core's imports, the lock, a quick start."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "monitor"
FILES = sorted(PACKAGE.rglob("*.py"))
CORE_FILES = sorted((PACKAGE / "core").rglob("*.py"))

# The core sees no files, no network, no processes, no clock and no log.
WORLDLY = {
    "asyncio", "ctypes", "glob", "http", "io", "logging", "multiprocessing", "os", "pathlib",
    "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading",
    "time", "urllib",
}  # fmt: skip
CLOCKS = {"now", "utcnow", "today"}
INSIDE_FUNCTIONS = {"scipy", "sklearn", "threadpoolctl"}
ROOMS_UNDER_CORE = {"core", "catalogue", "errors"}

HEAVY = {
    "evidently", "great_expectations", "pandas", "pyarrow", "pydantic", "scipy", "sklearn",
    "sqlalchemy",
}  # fmt: skip

# Spelt in two halves, so that this file does not find itself.
INDEX_ADDRESSES = re.compile(
    "|".join(
        [
            "files.python" + r"hosted\.org",
            "pypi" + r"\.org/simple",
            "--(extra-)?index" + "-url[ =]",
            "--find" + "-links[ =]",
        ]
    )
)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --- First lines ---


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_first_line_says_what_the_file_is_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text), clean=False)
    assert docstring is not None, "no docstring"
    assert text.startswith(('"""', 'r"""')), "the docstring is not the first thing in the file"
    first, *rest = docstring.split("\n")
    assert first.strip(), "the first line is empty"
    assert not rest or not rest[0].strip(), "the first sentence runs over its line"


# --- What the core imports ---


def imports(tree: ast.AST, inside: bool = False) -> Iterator[tuple[str, bool]]:
    """Every absolute import below `tree`, and whether it happens inside a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            yield from (
                (f"{base}.{alias.name}" if base == "monitor" else base, inside)
                for alias in node.names
                if not node.level
            )
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from imports(node, inside or function)


def objection(module: str, inside: bool) -> str | None:
    """Why the core may not import `module` here, or None when it may."""
    top, _, rest = module.partition(".")
    if top == "monitor":
        allowed = rest.split(".")[0] in ROOMS_UNDER_CORE
        return None if allowed else f"{module} is printed above the core"
    if top in WORLDLY:
        return f"{module} touches the world"
    if top in INSIDE_FUNCTIONS:
        return None if inside else f"{module} is slow to import: import it inside the function"
    if top in sys.stdlib_module_names or top == "numpy":
        return None
    return f"{module} is neither the standard library nor numpy"


@pytest.mark.parametrize("path", CORE_FILES, ids=name_of)
def test_the_core_imports_only_what_it_may(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [why for module, inside in imports(tree) if (why := objection(module, inside))] == []


@pytest.mark.parametrize("path", CORE_FILES, ids=name_of)
def test_the_core_reads_no_clock_and_opens_no_file(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    clocks = [f.attr for f in calls if isinstance(f, ast.Attribute) and f.attr in CLOCKS]
    opens = [f.id for f in calls if isinstance(f, ast.Name) and f.id in {"open", "print", "input"}]
    assert clocks + opens == []


@pytest.mark.parametrize(
    ("source", "refused"),
    [
        ("import os", True),
        ("from os import environ", True),
        ("import logging.config", True),
        ("import pandas as pd", True),
        ("import scipy.stats", True),
        ("def f():\n    from scipy import stats", False),
        ("def f():\n    import sqlalchemy", True),
        ("import numpy as np", False),
        ("from datetime import datetime", False),
        ("from monitor.core.records import Finding", False),
        ("from monitor import settings", True),
        ("from monitor import errors", False),
    ],
)
def test_the_import_rule_bites(source: str, refused: bool) -> None:
    found = [objection(module, inside) for module, inside in imports(ast.parse(source))]
    assert (found != [None]) is refused


# --- The page that describes the code ---


def test_the_page_on_architecture_names_every_room_and_file_of_the_core() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    inside = page.partition("Inside `core/`")[2].partition("## Sockets")[0]
    core = PACKAGE / "core"
    files = {path.name for path in core.glob("*.py")} - {"__init__.py"}
    rooms = {f"{path.parent.name}/" for path in core.glob("*/__init__.py")}
    assert set(re.findall(r"`([a-z_]+(?:\.py|/))`", inside)) == files | rooms


# --- The lock, and what git holds ---


LOCKS = ("requirements.lock", "requirements-spark.lock", "requirements-image.lock")
IN_THE_IMAGE = ("azure", "gcs", "otel", "postgres", "s3")


def locked_blocks(lock: str = LOCKS[0]) -> list[str]:
    """The lock cut into one block a requirement: its line and its hashes."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return re.split(r"\n(?=\S)", "\n".join(lines).strip())


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_requirement_is_pinned_and_hashed(lock: str) -> None:
    for block in locked_blocks(lock):
        requirement = block.split("\n")[0]
        assert re.match(r"[a-z0-9][a-z0-9-]*(\[[a-z,-]+\])?==\S+ ", requirement), requirement
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), f"no hash: {requirement}"


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_holds_no_address_and_no_path(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert str(ROOT) not in text


def locked(lock: str) -> list[Requirement]:
    return [Requirement(re.split(r" *\\\n| +--hash", b)[0].strip()) for b in locked_blocks(lock)]


@pytest.mark.parametrize(
    ("lock", "extras"), [(LOCKS[0], ("postgres", "dev")), (LOCKS[1], ()), (LOCKS[2], IN_THE_IMAGE)]
)
def test_the_lock_satisfies_every_dependency(lock: str, extras: tuple[str, ...]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    known = project["optional-dependencies"]
    lines = [line for extra in extras for line in known[extra]]
    for line in [*project["dependencies"], *lines] if extras else known["spark"]:
        wanted = Requirement(line)
        if wanted.name == project["name"]:  # an extra that takes in another one
            continue
        name = canonicalize_name(wanted.name)
        pins = [str(r.specifier).removeprefix("==") for r in locked(lock) if r.name == name]
        assert pins, f"{wanted} is not in the lock"
        assert all(wanted.specifier.contains(pin) for pin in pins), f"{wanted} is locked as {pins}"


def test_the_lock_of_spark_changes_nothing_of_the_other() -> None:
    pins: dict[str, set[str]] = {}
    for requirement in locked(LOCKS[0]):
        pins.setdefault(requirement.name, set()).add(str(requirement.specifier))
    added = {r.name: str(r.specifier) for r in locked(LOCKS[1])}
    moved = {n: v for n, v in added.items() if n in pins and v not in pins[n]}
    assert moved == {}


def test_no_file_names_a_package_index() -> None:
    # A clone made by another user (a CI volume) is as good as any other to read.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("not a git clone")
    names = [name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]
    assert "pyproject.toml" in names
    texts = {name: (ROOT / name).read_text(encoding="utf-8", errors="ignore") for name in names}
    assert [name for name, text in texts.items() if INDEX_ADDRESSES.search(text)] == []


# --- A quick start ---


def test_the_command_line_starts_without_heavy_libraries() -> None:
    code = "import sys, monitor.cli.main; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(run.stdout.split())
    assert "monitor" in loaded
    assert loaded & HEAVY == set()


# --- How the tests are shared ---


def test_a_folder_that_another_run_has_left_behind_is_no_success(tmp_path: Path) -> None:
    """Whoever comes late and still finds a file is well."""
    tests, claimed = tmp_path / "tests", tmp_path / "claimed"
    tests.mkdir()
    claimed.mkdir()
    shutil.copy(ROOT / "tests" / "conftest.py", tests)
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    for name in ("test_a.py", "test_b.py"):
        (tests / name).write_text("def test_it() -> None:\n    pass\n", encoding="utf-8")
    (claimed / "test_b.py").touch()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--shared={claimed}"]
    late, in_vain = (
        subprocess.run([*command, tests], cwd=tmp_path, capture_output=True, text=True, check=False)
        for _ in range(2)
    )
    assert late.returncode == 0, late.stdout
    assert "1 passed" in late.stdout
    assert in_vain.returncode == pytest.ExitCode.USAGE_ERROR, in_vain.stdout
    assert f"no test ran: {claimed} was not empty" in in_vain.stderr
