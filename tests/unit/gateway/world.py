"""A whole gateway in memory: the real application on twins of journal and intents, and a risk that answers."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx

from contracts import subjects
from contracts.base import Event
from contracts.ids import AccountId
from services.gateway.account_view import AccountView
from services.gateway.api_keys import KeyRing, digest_of
from services.gateway.app import make_app
from services.gateway.clerk import Clerk
from services.gateway.doorkeeper import Doorkeeper
from services.gateway.gateway import Gateway
from services.gateway.process_watch import OTHERS
from services.runtime.health import ProcessState
from services.runtime.kill_file import KillFile
from services.runtime.memory import ManualClock, MemoryInbox, MemoryJournal
from tests.unit.gateway.fake_risk import FakeRisk

PAPER = AccountId("paper")
START = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
PORT = 3000
BASE = f"http://127.0.0.1:{PORT}"
KEYS = {
    "demo": ("demo", ["read", "trade"]),
    "eve": ("eve", ["read", "trade"]),
    "watcher": ("watcher", ["read"]),
    "operator": ("_operator", ["read", "trade", "control"]),
}


def key_text(name: str) -> str:
    return f"{name}.secret-of-{name}"


def key_record(name: str, agent: str, scopes: list[str], account: str = PAPER) -> dict[str, object]:
    return {
        "key_id": name,
        "sha256": digest_of(key_text(name)),
        "subject": f"subject-{name}",
        "account": account,
        "agent": agent,
        "scopes": scopes,
    }


def write_keys(path: Path, names: Mapping[str, tuple[str, list[str]]] = KEYS) -> None:
    path.write_text(json.dumps([key_record(name, agent, scopes) for name, (agent, scopes) in names.items()]))


class MemoryDesk:
    """The desk on the in-memory inbox; `forget` does what seven days do to the stream."""

    def __init__(self, inbox: MemoryInbox) -> None:
        self._inbox = inbox
        self._bodies: dict[str, bytes] = {}
        self.traces: list[str] = []

    async def publish(self, subject: str, body: bytes, *, traceparent: str) -> int:
        seq = await self._inbox.publish(subject, body, traceparent=traceparent)
        self._bodies[subject] = body
        self.traces.append(traceparent)
        return seq

    async def stated(self, subject: str) -> bytes | None:
        return self._bodies.get(subject)

    def forget(self, inbox: MemoryInbox) -> None:
        self._inbox = inbox
        self._bodies.clear()


class StaticWatch:
    """Knows what the test says of the other processes."""

    def __init__(self) -> None:
        self.known: dict[str, str] = dict.fromkeys(OTHERS, "ready")

    async def states(self) -> Mapping[str, str]:
        return self.known


class World:
    """One gateway and what surrounds it."""

    def __init__(self, folder: Path, decision_wait_s: float) -> None:
        self.clock = ManualClock(START)
        self.journal = MemoryJournal(PAPER, self.clock)
        self.inbox = MemoryInbox(PAPER, self.clock)
        self.desk = MemoryDesk(self.inbox)
        self.view = AccountView(self.journal)
        self.risk = FakeRisk(self.journal)
        self.watch = StaticWatch()
        self.linked = True
        self.beats: list[str] = []
        self.own_state = ProcessState.READY
        self.keys_path = folder / "api_keys.json"
        write_keys(self.keys_path)
        self.gateway = Gateway(
            account=PAPER,
            mode="paper",
            broker="simulator",
            version="test",
            journal=self.journal,
            view=self.view,
            clerk=Clerk(PAPER, self.view, self.desk, decision_wait_s=decision_wait_s),
            keys=KeyRing(self.keys_path),
            processes=self.watch,
            clock=self.clock,
            kill_file=KillFile(folder),
            is_linked=lambda: self.linked,
            beat=self.beats.append,
            own_state=lambda: self.own_state,
        )
        transport = httpx.ASGITransport(Doorkeeper(make_app(self.gateway), PORT))
        self.http = httpx.AsyncClient(transport=transport, base_url=BASE)

    async def call(
        self, method: str, path: str, body: object = None, *, key: str | None = "demo", **headers: str
    ) -> httpx.Response:
        """Call as the holder of a key; a body that is bytes goes as it is."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            sent["authorization"] = f"Bearer {key_text(key)}"
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return await self.http.request(method, path, content=content, headers=sent)

    async def submit(self, key: str = "demo", **changes: object) -> httpx.Response:
        return await self.call("POST", "/v1/intents", submit_body(**changes), key=key)

    async def tell(self, event: Event, subject: str | None = None) -> int:
        """Append an event and wait until the gateway has folded it."""
        seq = await self.journal.append(subject or subjects.control(PAPER), event)
        self.risk.hear(event)  # pyright: ignore[reportArgumentType] - tests tell journal events only
        await self.view.reach(seq)
        return seq


def submit_body(**changes: object) -> dict[str, object]:
    """The body in the README of the system that this one replaces."""
    body: dict[str, object] = {
        "client_intent_id": "i-1",
        "symbol": "AAPL",
        "side": "buy",
        "qty": 10,
        "type": "limit",
        "limit_price": 189.12,
        "time_in_force": "day",
        "meta": {"strategy": "micro_momo_v1", "reason": "breakout", "confidence": 0.62},
    }
    return {name: value for name, value in (body | changes).items() if value is not ...}


@asynccontextmanager
async def running_world(
    folder: Path, *, decision_wait_s: float = 5.0, answering: bool = True
) -> AsyncGenerator[World, None]:
    """Run a gateway, and a risk beside it unless told otherwise."""
    world = World(folder, decision_wait_s)
    tasks = [asyncio.ensure_future(world.view.follow())]
    if answering:
        tasks.append(asyncio.ensure_future(world.risk.answer_all(world.inbox.read())))
    try:
        yield world
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        await world.http.aclose()
