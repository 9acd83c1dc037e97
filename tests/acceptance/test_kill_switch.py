"""The kill switches of a running system: under load, with faults, with processes killed half-way, without NATS."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from contracts.codec import encode
from contracts.controls import KillEngaged, MandateGranted
from contracts.enums import KillMode, OrderType
from contracts.ids import AgentId, Symbol
from contracts.mandates import AssetClass, Mandate, MandateSide, Venue
from contracts.scopes import ACCOUNT, Scope
from tests.acceptance.running_system import FAST, ROOT, System, eventually

pytestmark = [pytest.mark.timeout(240)]

SYMBOLS = ("AAPL", "MSFT", "SPY")
AGENTS = tuple(f"agent-{number}" for number in range(8))
WIDE = {
    "MAX_POSITION_SIZE": "100000000",
    "MAX_GROSS_EXPOSURE": "1000000000",
    "MAX_NET_EXPOSURE": "1000000000",
    "MAX_DAILY_LOSS": "1000000",
    "MAX_DRAWDOWN": "1000000",
}
CONTROL = "acct.paper.control"
AT_ONCE = 200
"""Many more orders than the OMS has on their way at a time."""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    running = System(tmp_path_factory.mktemp("kill") / "home", **FAST, **WIDE)
    running.up()
    yield running
    running.down()


@dataclass
class Desk:
    """Everybody's right to state intents (the gateway's), and the operator's to state controls."""

    system: System
    agents: Client
    operator: Client
    proofs: list[dict[str, Any]] = field(default_factory=list)
    bids: dict[str, Decimal] = field(default_factory=dict)
    stated: int = 0

    async def submit(
        self, agent: str, symbol: str, side: str = "buy", qty: int = 1, limit: str | None = None
    ) -> None:
        self.stated += 1
        name = f"{agent}-{time.monotonic_ns()}"
        intent = {"type": "intent.submit.v1", "intent_id": name, "symbol": symbol, "side": "buy", "qty": str(qty)}
        intent |= {"order_type": "market"} if limit is None else {"order_type": "limit", "limit_price": limit}
        await self.agents.publish(f"intent.paper.{agent}.{name}", json.dumps(intent).encode())

    def resting(self, symbol: str, number: int = 0) -> str:
        """A price that will not fill, and is not the same twice in a row."""
        return str((self.bids[symbol] * Decimal("0.97")).quantize(Decimal("0.01")) - Decimal(number % 50) / 100)

    async def engage(self, mode: KillMode, scope: str = ACCOUNT) -> int:
        """Engage as an operator and give the monotonic time at which the word was on its way."""
        event = KillEngaged(
            epoch=0, at=datetime.now(UTC), mode=mode, by="operator", reason="drill", scope=Scope(scope)
        )
        at_ns = time.monotonic_ns()
        await self.operator.jetstream().publish(CONTROL, encode(event))
        return at_ns

    async def hear_approvals(self) -> set[str]:
        """Give a set that every order is put into as it is approved from now on."""
        approved: set[str] = set()

        async def hear(message: Any) -> None:
            decision = json.loads(message.data)
            if decision["outcome"] == "approved":
                approved.add(decision["order_id"])

        await self.operator.subscribe("acct.paper.decision.>", cb=hear)
        await self.operator.flush()
        return approved

    async def proof(self, scope: str = ACCOUNT) -> dict[str, Any]:
        """Wait for the newest proof of a scope that says that it is done."""
        done = [p for p in self.proofs if p["scope"] == scope and p["flat_after_ms"] is not None]
        while not done:
            await asyncio.sleep(0.05)
            done = [p for p in self.proofs if p["scope"] == scope and p["flat_after_ms"] is not None]
        return done[-1]


@asynccontextmanager
async def at_desk(system: System) -> AsyncGenerator[Desk]:
    operator = await system.agent("operator")
    seed = (system.home / "credentials" / "processes" / "gateway.seed").read_text().strip()
    url = system.credentials("operator")["nats_url"]
    agents = await nats.connect(url, nkeys_seed_str=seed, inbox_prefix="_INBOX_gateway", max_reconnect_attempts=-1)
    desk = Desk(system, agents, operator)
    quotes = truth(system)["quotes"]
    desk.bids = {symbol: Decimal(str(quotes[symbol]["bid"])) for symbol in SYMBOLS}

    async def hear(message: Any) -> None:
        event = json.loads(message.data)
        if event["type"] == "broker.kill_verified.v1":
            desk.proofs.append(event)

    await operator.subscribe("acct.paper.broker", cb=hear)
    for agent in (*AGENTS, "alice", "bob"):
        await operator.jetstream().publish(CONTROL, encode(mandate_of(agent)))
    try:
        yield desk
    finally:
        for link in (operator, agents):
            await link.close()


def mandate_of(agent: str) -> MandateGranted:
    mandate = Mandate(
        expires_at=datetime.now(UTC) + timedelta(hours=1),
        symbols=tuple(Symbol(symbol) for symbol in SYMBOLS),
        asset_classes=(AssetClass.EQUITY,),
        sides=tuple(MandateSide),
        order_types=tuple(OrderType),
        venues=(Venue.PAPER,),
    )
    return MandateGranted(
        epoch=0, at=datetime.now(UTC), agent=AgentId(agent), version=1, mandate=mandate, by="test", reason="test"
    )


def control(system: System, path: str, method: str = "GET", body: Any = None) -> Any:
    """Ask the simulator for its own truth, or make it misbehave."""
    keys = system.credentials("simulator")
    request = urllib.request.Request(  # noqa: S310 - loopback
        keys["control_url"] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"X-Control-Key": keys.get("control_key", ""), "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        return json.loads(answer.read() or b"null")


def truth(system: System) -> Any:
    return control(system, "/state")


def holds(system: System) -> dict[str, Decimal]:
    return {symbol: Decimal(str(qty)) for symbol, qty in truth(system)["positions"].items() if Decimal(str(qty))}


async def release(system: System, scope: str = ACCOUNT) -> None:
    await asyncio.to_thread(system.command, "release", "--scope", scope, "--reason", "drill is over")


async def load(desk: Desk, stopping: asyncio.Event) -> None:
    """Let every agent state resting orders as fast as a fair share of this machine allows."""
    number = 0
    while not stopping.is_set():
        for agent in AGENTS:
            symbol = SYMBOLS[number % len(SYMBOLS)]
            await desk.submit(agent, symbol, limit=desk.resting(symbol, number))
            number += 1
        await asyncio.sleep(0.04)


def arrivals_after_silence(system: System, engaged_ns: int, proof: dict[str, Any]) -> list[str]:
    """Name the orders that the simulator received after the moment from which on the proof says that none comes."""
    silent_ns = engaged_ns + int(Decimal(proof["silent_after_ms"]) * 1_000_000)
    return [name for name, at_ns in control(system, "/arrivals") if at_ns > silent_ns]


def test_once_a_kill_under_load_is_silent_nothing_reaches_the_broker(system: System) -> None:
    async def scenario() -> None:
        async with at_desk(system) as desk:
            stopping = asyncio.Event()
            loading = asyncio.create_task(load(desk, stopping))
            await eventually(lambda: len(control(system, "/arrivals")), lambda n: n > 100, "orders flow")
            engaged_ns = await desk.engage(KillMode.CANCEL_ALL)
            proof = await asyncio.wait_for(desk.proof(), 60)
            before = desk.stated
            await eventually(lambda: desk.stated, lambda n: n > before + 200, "the agents go on")
            stopping.set()
            await loading
            assert arrivals_after_silence(system, engaged_ns, proof) == []
            assert truth(system)["open_orders"] == []
            assert (proof["mode"], proof["orders_left"]) == ("cancel_all", 0)
            assert 0 <= Decimal(proof["blocked_after_ms"]) <= Decimal(proof["silent_after_ms"])
            await release(system)

    asyncio.run(scenario())


def test_what_was_approved_and_waits_for_a_slow_broker_is_never_sent_after_a_kill(system: System) -> None:
    async def scenario() -> None:
        async with at_desk(system) as desk:
            approved = await desk.hear_approvals()
            simulator = (await asyncio.to_thread(system.pids))["simulator"]
            os.kill(simulator, signal.SIGSTOP)  # it answers nothing, so most of what is approved must wait
            try:
                for number in range(AT_ONCE):
                    agent, symbol = AGENTS[number % len(AGENTS)], SYMBOLS[number % len(SYMBOLS)]
                    await desk.submit(agent, symbol, limit=desk.resting(symbol, number))
                await eventually(lambda: len(approved), lambda n: n == AT_ONCE, "all are approved")
                engaged_ns = await desk.engage(KillMode.CANCEL_ALL)
            finally:
                os.kill(simulator, signal.SIGCONT)
            proof = await asyncio.wait_for(desk.proof(), 60)
            arrived = {name for name, _ in control(system, "/arrivals")}
            assert arrivals_after_silence(system, engaged_ns, proof) == []
            assert approved - arrived
            shown = truth(system)["open_orders"], system.http("GET", "/v1/state", who="operator")[1]["open_orders"]
            assert shown == ([], [])
            await release(system)

    asyncio.run(scenario())


@pytest.mark.parametrize("victims", [(), ("oms", "risk")])
def test_flatten_ends_with_nothing_at_the_broker_though_fills_are_lost_and_processes_killed(
    system: System, victims: tuple[str, ...]
) -> None:
    async def scenario() -> None:
        async with at_desk(system) as desk:
            for number, agent in enumerate(AGENTS):
                symbol = SYMBOLS[number % len(SYMBOLS)]
                await desk.submit(agent, symbol, qty=number + 1)
                await desk.submit(agent, symbol, limit=desk.resting(symbol, number))
            await eventually(lambda: holds(system), lambda held: len(held) == len(SYMBOLS), "positions are there")
            for kind in ("drop_update", "delay_update"):
                fault = {"fault": kind, "event": "fill", "probability": "0.5", "seed": 7}
                control(system, "/faults", "POST", fault)
            pids = await asyncio.to_thread(system.pids) if victims else {}
            await desk.engage(KillMode.FLATTEN)
            for victim in victims:
                system.kill_9(pids[victim])
            proof = await asyncio.wait_for(desk.proof(), 90)
            found = truth(system)
            assert (found["open_orders"], holds(system)) == ([], {})
            assert (proof["mode"], proof["orders_left"], proof["positions_left"]) == ("flatten", 0, 0)
            control(system, "/faults", "DELETE")
            await release(system)

    asyncio.run(scenario())


def test_an_agents_flatten_leaves_other_agents_alone_and_release_needs_an_operator_and_a_reason(
    system: System,
) -> None:
    async def scenario() -> None:
        async with at_desk(system) as desk:
            before = holds(system).get("AAPL", Decimal(0))
            await desk.submit("alice", "AAPL", qty=7)
            await desk.submit("bob", "AAPL", qty=4)
            await desk.submit("alice", "MSFT", limit=desk.resting("MSFT", 1))
            await desk.submit("bob", "MSFT", limit=desk.resting("MSFT", 2))
            await eventually(lambda: holds(system).get("AAPL"), lambda qty: qty == before + 11, "both hold")
            await eventually(lambda: truth(system)["open_orders"], lambda found: len(found) == 2, "both rest")
            done = await asyncio.to_thread(
                system.command, "kill", "flatten", "--scope", "agent.alice", "--reason", "drill", check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert "done after" in done.stdout
            assert holds(system).get("AAPL") == before + 4
            assert len(truth(system)["open_orders"]) == 1
            status = (await asyncio.to_thread(system.command, "status")).stdout
            assert "kill switch flatten for agent.alice by operator" in status
            shown = system.http("GET", "/v1/state")[1]["kills"]
            assert [(k["scope"], k["mode"], k["proof"]["orders_left"]) for k in shown] == [
                ("agent.alice", "flatten", 0)
            ]
            off = {"enabled": False, "scope": "agent.alice"}
            path = "/v1/controls/kill_switch"
            assert system.http("POST", path, off | {"reason": "x"})[0] == 403
            assert system.http("POST", path, off, who="operator")[0] == 400
            assert system.http("POST", path, off | {"reason": "looked"}, who="operator")[0] == 200
            done = await asyncio.to_thread(system.command, "kill", "flatten", "--reason", "to the end", check=False)
            assert done.returncode == 0, done.stdout
            assert (truth(system)["open_orders"], holds(system)) == ([], {})
            await release(system)
            proved = await asyncio.to_thread(system.command, "verify", "--decisions", check=False)
            assert proved.returncode == 0, proved.stdout

    asyncio.run(scenario())


def test_the_kill_file_cancels_at_the_broker_without_nats_and_is_put_on_record_when_it_is_back(
    system: System,
) -> None:
    async def rest() -> None:
        async with at_desk(system) as desk:
            await desk.submit("alice", "MSFT", limit=desk.resting("MSFT", 3))
            await eventually(lambda: truth(system)["open_orders"], lambda found: len(found) == 1, "an order rests")

    asyncio.run(rest())
    pids, url = system.pids(), system.credentials("operator")["nats_url"]
    supervisor = json.loads((system.home / "run" / "supervisor.json").read_text())["pid"]
    os.kill(supervisor, signal.SIGSTOP)  # nobody starts NATS again, nor the OMS
    lone = None
    try:
        system.kill_9(pids["nats"])
        system.kill_9(pids["oms"])
        environ = dict(os.environ) | {"LOCKGATE_NATS_URL": url, "LOG_LEVEL": "warning"}
        command = [sys.executable, "-P", "-m", "services.oms", "--home", str(system.home)]
        lone = subprocess.Popen(command, env=environ | {"PYTHONPATH": str(ROOT)})
        made = system.command("kill", "cancel_all", "--reason", "no NATS")
        assert "kill file" in made.stdout
        asyncio.run(_until(lambda: truth(system)["open_orders"] == []))
    finally:
        if lone is not None:
            lone.kill()
            lone.wait()
        os.kill(supervisor, signal.SIGCONT)
    asyncio.run(_until(lambda: _is_healthy(system)))
    asyncio.run(
        _until(lambda: [k["by"] for k in system.http("GET", "/v1/state")[1].get("kills", [])] == ["kill file"])
    )
    refused = system.command("release", "--reason", "too early", check=False)
    assert "remove it first" in refused.stderr
    (system.home / "KILL").unlink()
    denied = system.command("submit", "AAPL", "buy", "1", check=False)
    assert "KILL_SWITCH" in denied.stdout
    system.command("release", "--reason", "NATS is back, and the books are right")
    approved = system.command("submit", "AAPL", "buy", "1", check=False)
    assert "approved" in approved.stdout, approved.stdout


def _is_healthy(system: System) -> bool:
    return json.loads(system.command("status", "--json").stdout)["healthy"]


async def _until(holds_now: Any) -> None:
    def ask() -> bool:
        try:
            return holds_now()
        except (OSError, KeyError, TypeError, NatsError, subprocess.CalledProcessError):
            return False

    await eventually(lambda: asyncio.to_thread(ask), bool, "it holds")
