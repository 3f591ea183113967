"""docs/api.md: its examples do what they say, and none is missing."""

import json
import re
import shlex
import string
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from making import a_reference
from test_machines import breach
from web_service import NOW, WebService

from monitor.cli.main import app
from monitor.core.people import Scope

PAGE = (Path(__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
[BLOCK] = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
WRITES = [shlex.split(line)[1:] for line in BLOCK.splitlines() if line.startswith("write ")]

MADE = {"SILENCE": "silence", "TOKEN": "token", "REQUEST": "retrain_request"}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebService]:
    made = WebService(tmp_path)
    yield made
    made.store.close()


def test_every_write_by_curl_is_carried_out(service: WebService) -> None:
    breach(service)
    service.store.mark_failed("m0", NOW, "gone")
    for version in ("sha256:1", "sha256:2"):
        service.store.add_reference(a_reference(version))
    client = service.client(service.token(Scope.ADMIN))
    known = {"EPISODE": "e0", "MESSAGE": "m0", "VERSION": "sha256:1"}
    for path, key, body in WRITES:
        place = string.Template(path).substitute(known)
        answer = client.post(
            f"/api/v1/{place.replace('car_loan', 'loan')}",
            content=body.replace("car_loan", "loan"),
            headers={"Idempotency-Key": key, "Content-Type": "application/json"},
        )
        assert answer.is_success, (path, answer.text)
        done = answer.json()
        for name, kind in (
            ("SILENCE", "silence"),
            ("TOKEN", "token"),
            ("REQUEST", "retrain_request"),
        ):
            known |= {name: done[kind]["id"]} if done[kind] else {}


def test_every_route_that_writes_has_an_example(service: WebService) -> None:
    routes = {
        r.path for r in service.routes() if r.methods and r.methods & {"POST", "PUT", "DELETE"}
    }
    patterns = {re.sub(r"\{[^}]+\}", "[^/]+", path): path for path in routes if "/api/v1/" in path}
    shown = [f"/api/v1/{path}" for path, *_ in WRITES]
    missing = {p for r, p in patterns.items() if not any(re.fullmatch(f".*{r}", s) for s in shown)}
    assert patterns and not missing


def test_the_function_asks_curl_for_what_the_api_wants() -> None:
    function = BLOCK.partition("\n\n")[0]
    instead = 'curl() { printf "%s\\n" "$@"; }\nMONITOR_TOKEN=dm_x'
    script = f"{instead}\n{function}\nwrite a/b k '{{}}'"
    asked = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    told = asked.stdout
    assert told.splitlines()[2:] == [
        "-X", "POST", "https://drift.example/api/v1/a/b", "-H", "Authorization: Bearer dm_x",
        "-H", "Idempotency-Key: k", "-H", "Content-Type: application/json", "-d", "{}",
    ]  # fmt: skip
    assert all(json.loads(body) for _, _, body in WRITES)


def commands(group: Any, *names: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *names, name)
        else:
            yield " ".join((*names, name)), command


def test_the_page_lists_the_commands_that_take_a_server() -> None:
    found = commands(typer.main.get_command(app))
    remote = {name for name, command in found if any(p.name == "server" for p in command.params)}
    told = re.search(r"commands that take\n`--server` are (.*?);", PAGE, re.DOTALL)
    assert told is not None
    listed = re.findall(r"`([a-z ]+)`", told[1])
    tokens = listed.index("token make")
    listed = [*listed[: tokens + 1], *(f"token {name}" for name in listed[tokens + 1 :])]
    assert set(listed) == remote
