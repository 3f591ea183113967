"""A service to ask without a network: a store, a clock that can be set, tokens of every kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute

from monitor import wiring
from monitor.archive import Store
from monitor.client import InProcess
from monitor.configuration.telling import RetrainSettings
from monitor.core.people import Scope, Token
from monitor.core.routing import everybody
from monitor.deeds.planning import Actor
from monitor.desk import Desk
from monitor.due import MonitorStatus
from monitor.reports.folder import ReportFolder
from monitor.settings import MonitorSettings
from monitor.stores import sql
from monitor.tables.local_files import LocalPlace
from monitor.web.access import Gate
from monitor.web.app import make_app
from monitor.web.limits import Allowance, Limits

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
ROOT = Actor("root", "cli")
SECRET = "a secret of the trainer"


def watched() -> dict[str, MonitorSettings]:
    """`loan` has a training system, `churn` has none."""
    asks = RetrainSettings(url="https://trainer.example/hook", secret=SECRET)
    plain = {"production": {"path": "x.parquet", "time": "t"}}
    made = {name: MonitorSettings.model_validate({**plain, "name": name}) for name in NAMES}
    return {**made, "loan": made["loan"].model_copy(update={"retrain": asks})}


NAMES = ("churn", "loan")


_MUCH = Allowance(100_000, 1.0)
GENEROUS = Limits(address=_MUCH, token=_MUCH, stranger=_MUCH, sign_in=_MUCH)


@dataclass
class WebService:
    """Everything the application is made of, in memory."""

    folder: Path
    now: datetime = NOW
    lone: bool = False
    base_url: str = ""
    limits: Limits = field(default_factory=lambda: GENEROUS)
    alive: Mapping[str, bool] = field(default_factory=dict)
    store: Store = field(default_factory=lambda: sql.make("memory:", Path(), wiring.now))
    states: Callable[[], list[MonitorStatus]] | None = None  # of the scheduler; else none is behind

    def __post_init__(self) -> None:
        self.desk = Desk(self.store, self.clock, watched(), everybody("slack", "console"))
        self.gate = Gate(
            *(self.store, self.desk, self.clock),
            lone=self.lone,
            base_url=self.base_url,
            limits=self.limits,
        )
        self.app: FastAPI = make_app(
            self.store,
            ReportFolder(LocalPlace(self.folder)),
            self.status,
            self.clock,
            desk=self.desk,
            gate=self.gate,
            alive=lambda: self.alive,
        )

    def clock(self) -> datetime:
        return self.now

    def status(self) -> list[MonitorStatus]:
        if self.states is not None:
            return self.states()
        last = self.store.last_windows()
        return [MonitorStatus(name, UTC, last.get(name), 0) for name in NAMES]

    def token(self, *scopes: Scope, days: int | None = None) -> str:
        """What the owner of a new token shows."""
        lasts = None if days is None else timedelta(days=days)
        act, shown = self.desk.make_token(ROOT, "mia", scopes, "a test", lasts=lasts)
        self.desk.do(act)
        return shown

    def revoke(self, shown: str) -> None:
        self.desk.do(self.desk.revoke_token(ROOT, id_of(shown), "a test"))

    def stored(self, shown: str) -> Token:
        found = self.store.find_token(id_of(shown))
        assert found is not None
        return found

    def client(self, shown: str = "", *, session: str = "", **headers: str) -> httpx.Client:
        """A program that shows a token, or a browser that has a session."""
        told = {"host": "127.0.0.1", **headers}
        if shown:
            told["Authorization"] = f"Bearer {shown}"
        if session:
            told["Cookie"] = f"monitor_session={session}"
        transport = InProcess(self.app)
        return httpx.Client(base_url="http://127.0.0.1", transport=transport, headers=told)

    def routes(self) -> list[APIRoute]:
        parts = self.app.state.parts
        return [r for part in parts for r in part.routes if isinstance(r, APIRoute)]


def methods_of(route: APIRoute) -> set[str]:
    assert route.methods is not None
    return route.methods


def id_of(shown: str) -> str:
    return shown.split("_")[1]


def rules_of(route: APIRoute) -> list[Any]:
    """Every rule of the gate that a route depends on."""
    found, waiting = [], list(route.dependant.dependencies)
    while waiting:
        one = waiting.pop()
        waiting.extend(one.dependencies)
        if hasattr(one.call, "scope"):
            found.append(one.call)
    return found
