"""What is released: the wheel alone runs the demo, the sdist builds it, shells complete."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NOT_PACKED = {"__pycache__", ".ipynb_checkpoints"}


def build(folder: Path, source: Path, kind: str) -> Path:
    """Build the wheel or sdist of a tree, without a look at any index."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)],
        cwd=source, check=True, capture_output=True,
    )  # fmt: skip
    [made] = folder.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"), ROOT, "wheel")


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and nothing of this tree: its `monitor` command.

    The locked dependencies are those of the environment of the tests; they are seen through a path,
    by which an editable install is not.
    """
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=False)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run(
        [sys.executable, *install, "--prefix", str(home), "--ignore-installed", str(wheel)],
        check=True, capture_output=True,
    )  # fmt: skip
    seen = [sysconfig.get_path("purelib"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    kept = [path for path in seen if path and not (Path(path) / "monitor").is_dir()]
    (site / "dependencies.pth").write_text("\n".join(kept) + "\n")
    script = home / "bin" / "monitor"
    text = script.read_text().split("\n", 1)[1]
    script.write_text(f"#!{home / 'bin' / 'python'}\n{text}")
    return script


def run(command: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(command), *arguments], cwd=cwd, env=clean, capture_output=True, text=True, check=False
    )


def packed(archive: Path) -> set[str]:
    if archive.suffix == ".whl":
        return set(zipfile.ZipFile(archive).namelist())
    with tarfile.open(archive) as content:
        names = [member.name for member in content.getmembers() if member.isfile()]
    return {name.partition("/")[2] for name in names}


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    names = packed(wheel)
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "monitor").rglob("*")
        if path.is_file() and not NOT_PACKED & set(path.parts)
    }
    assert files - names == set()
    for folder in ("expectations", "reference_data"):
        assert any(name.startswith(f"monitor/demo/{folder}/") for name in names), folder
    strangers = {n for n in names if not n.startswith(("monitor/", "drift_monitor-"))}
    assert strangers == set()
    assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.mark.slow
def test_the_wheel_alone_runs_the_demo(installed: Path, tmp_path: Path) -> None:
    told = run(installed, "--help", cwd=tmp_path)
    assert told.returncode == 0 and "serve" in told.stdout, told.stderr
    place = run_python(installed, "import monitor; print(monitor.__file__)", tmp_path)
    assert place.startswith(str(installed.parents[1]))
    demo = run(installed, "demo", str(tmp_path / "demo"), cwd=tmp_path)
    assert demo.returncode == 0, demo.stderr
    assert list((tmp_path / "demo" / "reports").glob("*.html"))
    serve = [str(installed), "serve", "--no-scheduler", "--port", "0"]
    with subprocess.Popen(
        serve, cwd=tmp_path / "demo", stdout=subprocess.PIPE, text=True
    ) as served:
        try:
            assert served.stdout is not None
            [address] = re.findall(r"http://[\w.:]+", served.stdout.readline())
            assert "loans" in httpx.get(address, timeout=60).raise_for_status().text
        finally:
            served.terminate()
    assert served.returncode == 0


def run_python(installed: Path, code: str, cwd: Path) -> str:
    done = run(installed.with_name("python"), "-W", "ignore", "-c", code, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_the_sdist_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    sdist = build(tmp_path / "sdist", ROOT, "sdist")
    names = packed(sdist)
    for name in ("Makefile", "CHANGELOG.md", "LICENSE", "requirements.lock", "docs/operating.md",
                 "deploy/Dockerfile", "tests/conftest.py"):  # fmt: skip
        assert name in names, name
    assert not [name for name in names if name.startswith((".venv", ".cache", "dist/"))]
    with tarfile.open(sdist) as content:
        content.extractall(tmp_path / "tree", filter="data")
    [tree] = (tmp_path / "tree").iterdir()
    again = build(tmp_path / "again", tree, "wheel")
    assert packed(again) == packed(wheel)


# --- Completion ---


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_a_script_that_it_reads(shell: str, tmp_path: Path) -> None:
    if (tool := shutil.which(shell)) is None:
        pytest.skip(f"no {shell}")
    pytest.importorskip("shellingham", reason="finds out which shell asks")
    monitor = tmp_path / "monitor"
    monitor.write_text(f"#!{sys.executable}\nfrom monitor.cli.main import main\nmain()\n")
    monitor.chmod(0o755)
    told = subprocess.run(
        [tool, "-c", f"{monitor} --show-completion; true"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"_MONITOR_COMPLETE=complete_{shell}" in told.stdout, told.stderr
    subprocess.run([tool, "-n"], input=told.stdout, text=True, check=True)


def test_commands_and_options_are_completed() -> None:
    code = "import sys; from monitor.cli.main import main; sys.argv[0] = 'monitor'; main()"

    def completed(*words: str) -> list[str]:
        asked = {
            **os.environ,
            "_MONITOR_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(("monitor", *words)),
            "COMP_CWORD": str(len(words)),
        }
        done = subprocess.run(
            [sys.executable, "-c", code], env=asked, capture_output=True, text=True, check=False
        )
        return done.stdout.split()

    assert {"check", "compare", "config"} & set(completed("c")) >= {"check", "compare"}
    assert "--log-format" in completed("serve", "--log")


# --- What is said of it ---


def test_the_versions_of_python_are_those_that_are_promised() -> None:
    said = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    page = (ROOT / "docs" / "releasing.md").read_text(encoding="utf-8")
    assert said
    assert PROJECT["requires-python"] == f">={said[0]}"
    for version in said:
        assert f"| {version} |" in page


def test_every_dependency_has_a_lower_bound() -> None:
    extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    unbound = [
        line
        for line in [*PROJECT["dependencies"], *extras]
        if ">" not in line and not line.startswith(("drift-monitor[", "tzdata", "types-"))
    ]
    assert [line for line in unbound if ">=" not in line and ">" not in line] == []
