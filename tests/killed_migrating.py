"""Processes that open a store together, of which the first may die at a commit.

    python killed_migrating.py

Reads a line of JSON for each go: `url` and `root` of the store, how many open it (`together`), and
where the first is killed (`at`: the number of the commit, 0 for nowhere; `side`: before, after).
Answers with a line: how each of them ended, and how many commits the first made if it lived.
"""

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from sqlalchemy.engine.default import DefaultDialect

from monitor import wiring
from monitor.stores import _sql_filling as filling
from monitor.stores import sql

SIDES = ("before", "after")  # the commit itself


def main() -> None:
    filling._AT_ONCE = 2  # so that there are several
    for line in sys.stdin:
        print(json.dumps(_go(json.loads(line))), flush=True)


def _go(told: dict[str, Any]) -> dict[str, Any]:
    """Forks of a process without threads; they wait for the start until all are there."""
    start_read, start = os.pipe()
    said_read, said = os.pipe()
    children = []
    for number in range(told["together"]):
        child = os.fork()
        if child == 0:
            os.close(start)
            os.read(start_read, 1)  # until the parent closes the other end
            _be_the_child(told if number == 0 else {**told, "at": 0}, said if number == 0 else -1)
        children.append(child)
    for pipe in (start, start_read, said):
        os.close(pipe)
    with os.fdopen(said_read) as telling:
        commits = telling.read()
    ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    return {"ended": ended, "commits": int(commits or 0)}


def _be_the_child(told: dict[str, Any], said: int) -> None:
    code = 1
    try:
        counted = _watch(told["at"], told["side"])
        sql.make(told["url"], Path(told["root"]), wiring.now).close()
        if said >= 0:
            os.write(said, str(len(counted)).encode())
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _watch(at: int, side: str) -> list[None]:
    """Grows with every commit of this process, and ends it at one of them."""
    counted: list[None] = []
    commit = DefaultDialect.do_commit

    def watched(dialect: DefaultDialect, connection: Any) -> None:
        counted.append(None)
        here = len(counted) == at
        if here and side == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        commit(dialect, connection)  # type: ignore[no-untyped-call]
        if here:
            os.kill(os.getpid(), signal.SIGKILL)

    DefaultDialect.do_commit = watched  # type: ignore[method-assign]
    return counted


if __name__ == "__main__":
    main()
