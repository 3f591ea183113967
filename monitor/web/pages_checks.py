"""Two checks of a monitor side by side, differences first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from monitor.archive import StoredCheck
from monitor.core.people import Scope
from monitor.core.records import Check, ColumnResult, Verdict
from monitor.errors import AskedWrongly, MonitorError
from monitor.web.drawing import draw
from monitor.web.kit import READ_METHODS, PageKit

_SHOWN = 60  # columns that differ
_MOVED = 0.5  # of the tolerance: below, an effect counts as the same
_MISSING = 0.01  # share of rows


@dataclass(frozen=True, slots=True)
class Pair:
    """One column in two checks; None where it was not looked at."""

    name: str
    before: ColumnResult | None
    now: ColumnResult | None

    @property
    def differs(self) -> bool:
        return self.turned or self.moved > 0

    @property
    def turned(self) -> bool:
        """Whether its verdict is another one."""
        return self.before is None or self.now is None or self.before.verdict != self.now.verdict

    @property
    def moved(self) -> float:
        """How far its effect or its missing share went, in tolerances; 0 when not worth telling."""
        if self.before is None or self.now is None:
            return 0.0
        effect = abs(self.now.strength - self.before.strength)
        missing = abs((self.now.missing_current or 0) - (self.before.missing_current or 0))
        return effect if effect >= _MOVED else missing if missing >= _MISSING else 0.0

    @property
    def rank(self) -> tuple[bool, bool, float, str]:
        """Another verdict comes first, then what moved furthest."""
        verdicts = {c.verdict for c in (self.before, self.now) if c is not None}
        return not self.turned, Verdict.DRIFTED not in verdicts, -self.moved, self.name


def check_routes(kit: PageKit) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    reads = [Depends(kit.gate.page(Scope.READ))]
    views = kit.views

    @routes.api_route("/compare", methods=READ_METHODS, dependencies=reads)
    def compare(
        request: Request, check: Annotated[list[str], Query()], directly: bool = False
    ) -> Response:
        if len(set(check)) != 2:
            raise AskedWrongly(
                "two checks are compared with each other", hint="go back and choose two of them"
            )
        before, now = sorted((views.check(c) for c in dict.fromkeys(check)), key=_when)
        if before.check.monitor != now.check.monitor:
            raise AskedWrongly(
                f"{before.check.id} is a check of {before.check.monitor}, "
                f"and {now.check.id} of {now.check.monitor}",
                hint="compare two checks of one monitor",
            )
        pairs = sorted(_pairs(before.check, now.check), key=lambda p: p.rank)
        differing = [p for p in pairs if p.differs]
        return draw(
            request,
            "compare.html.j2",
            before=before.check,
            now=now.check,
            zone=views.zone(now.check.monitor),
            differing=differing[:_SHOWN],
            more=len(differing[_SHOWN:]),
            turned=sum(p.turned for p in differing),
            moved=sum(not p.turned for p in differing),
            same=[p.name for p in pairs if not p.differs],
            whole=_whole(before.check, now.check),
            expectations=_expectations(before.check, now.check),
            can_compare=kit.difference is not None,
            **_directly(kit, before.check, now.check, wanted=directly),
        )

    return routes


def _when(stored: StoredCheck) -> Any:
    window = stored.check.window
    assert window is not None, "what is stored has a window"
    return window.start, window.end, stored.revision


def _pairs(before: Check, now: Check) -> list[Pair]:
    sides = [{c.name: c for c in check.columns if c.compared} for check in (before, now)]
    return [
        Pair(n, sides[0].get(n), sides[1].get(n)) for n in dict.fromkeys([*sides[0], *sides[1]])
    ]


def _whole(before: Check, now: Check) -> list[tuple[str, Any, Any]]:
    """(test, finding, finding) on the dataset, where they differ in verdict or say something."""
    sides = [{f.test: f for f in check.dataset.findings} for check in (before, now)]
    tests = dict.fromkeys([*sides[0], *sides[1]])
    return [(test, sides[0].get(test), sides[1].get(test)) for test in tests]


def _expectations(before: Check, now: Check) -> list[tuple[str, Any, Any]]:
    """Those that came out otherwise."""
    sides = [
        {(r.type, r.column, str(r.expected)): r for r in c.expectations.results}
        if c.expectations
        else {}
        for c in (before, now)
    ]
    keys = dict.fromkeys([*sides[0], *sides[1]])
    found = [(_called(key), sides[0].get(key), sides[1].get(key)) for key in keys]
    return [(name, a, b) for name, a, b in found if (a and a.success) != (b and b.success)]


def _called(key: Sequence[str | None]) -> str:
    kind = str(key[0]).removeprefix("expect_").replace("_", " ")
    return f"{key[1]}: {kind}" if key[1] else kind


def _directly(kit: PageKit, before: Check, now: Check, *, wanted: bool) -> Mapping[str, Any]:
    """The windows held against each other, by what was kept of them; why not, where they cannot."""
    nothing = {"direct": None, "not_direct": "", "hint": ""}
    if not wanted or kit.difference is None:
        return nothing
    try:
        direct = kit.difference(now.monitor or "", before.id, now.id)
    except MonitorError as error:
        return nothing | {"not_direct": str(error), "hint": error.hint}
    return nothing | {"direct": direct}
