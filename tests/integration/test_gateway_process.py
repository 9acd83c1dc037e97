"""The gateway as its own process, on a real NATS server with the rights that it has in production."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts import subjects
from contracts.codec import decode_event
from contracts.controls import KillEngaged
from contracts.ids import AgentId, IntentId
from services.gateway.process_watch import OTHERS
from services.runtime import stream_api
from services.runtime.clock import SystemClock
from services.runtime.connection import Connection
from services.runtime.health import Health, ProcessState
from services.runtime.jetstream import JetStreamInbox, JetStreamJournal
from tests.nats_server import PAPER, NatsServer, free_port
from tests.unit.gateway.fake_risk import FakeRisk
from tests.unit.gateway.world import key_text, submit_body, write_keys

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0
POLL_S = 0.05
TCP_TABLE = Path("/proc/net/tcp")
LISTENING = "0A"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class GatewayProcess:
    """`python -m services.gateway`, started and stopped as a supervisor would."""

    def __init__(self, server: NatsServer, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE_S)
        self._server = server
        self._process: subprocess.Popen[bytes] | None = None
        seeds = home / "credentials" / "processes"
        seeds.mkdir(parents=True)
        (seeds / "gateway.seed").write_text(server.seeds["gateway"])
        write_keys(home / "credentials" / "api_keys.json")

    async def start(self) -> None:
        self._spawn()
        await self.until(self._answers, "the gateway listens")

    def _spawn(self) -> None:
        environment = {"PATH": os.environ["PATH"], "LOCKGATE_NATS_URL": self._server.url, "PORT": str(self.port)}
        with (self.home / "log").open("ab") as log:
            command = [sys.executable, "-m", "services.gateway", "--home", str(self.home)]
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        try:
            return self._process.wait(PATIENCE_S)
        finally:
            self._process.kill()

    @property
    def log(self) -> str:
        return (self.home / "log").read_text()

    async def call(self, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        sent = {"authorization": f"Bearer {key_text('demo')}"} | headers
        content = None if body is None else json.dumps(body).encode()
        return await self.http.request(method, path, content=content, headers=sent)

    async def submit(self, **changes: object) -> httpx.Response:
        return await self.call("POST", "/v1/intents", submit_body(**changes))

    async def until(self, holds: Callable[[], Awaitable[bool]], told: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not await holds():
            assert time.monotonic() < deadline, f"not within {PATIENCE_S} s: {told}\n{self.log}"
            await asyncio.sleep(POLL_S)

    async def _answers(self) -> bool:
        with suppress(httpx.TransportError):
            await self.http.get("/health")
            return True
        assert self._process is not None
        assert self._process.poll() is None, self.log
        return False


@asynccontextmanager
async def gateway(server: NatsServer, home: Path) -> AsyncGenerator[GatewayProcess, None]:
    process = GatewayProcess(server, home)
    try:
        await process.start()
        yield process
    finally:
        process.stop(signal.SIGKILL)
        await process.http.aclose()


@asynccontextmanager
async def risk_beside(server: NatsServer) -> AsyncGenerator[Connection, None]:
    """Answer every intent as the user `risk`, until the block ends."""
    connection = await server.connect("risk", reconnect=True)
    inbox = JetStreamInbox(connection, PAPER)
    answering = asyncio.ensure_future(FakeRisk(JetStreamJournal(connection, PAPER)).answer_all(inbox.read()))
    try:
        yield connection
    finally:
        answering.cancel()
        with suppress(asyncio.CancelledError):
            await answering
        await connection.close()


async def test_an_intent_goes_through_the_real_streams_once(own_nats_server: NatsServer, tmp_path: Path):
    async with gateway(own_nats_server, tmp_path) as process, risk_beside(own_nats_server) as connection:
        first = await process.call("POST", "/v1/intents", submit_body(), traceparent=TRACE)
        again = await process.submit(qty="10.0")
        other = await process.submit(qty=11)

        assert first.json()["status"] == "accepted"
        assert again.json()["decision_seq"] == first.json()["decision_seq"]
        assert again.json()["message"].startswith("duplicate")
        assert other.status_code == 409
        subject = subjects.intent(PAPER, AgentId("demo"), IntentId("i-1"))
        stored = await stream_api.last_message(connection, subjects.INTENTS_STREAM, subject)
        assert stored is not None
        assert dict(stored.headers)["traceparent"] == TRACE
        assert "ermission" not in process.log


async def test_an_id_that_was_used_over_nats_is_used_over_http_too(own_nats_server: NatsServer, tmp_path: Path):
    agent = await own_nats_server.connect("demo")
    body = {"type": "intent.submit.v1", "intent_id": "i-1", "symbol": "AAPL", "side": "buy", "qty": "10"}
    body |= {"order_type": "limit", "limit_price": 189.12, "time_in_force": "day"}
    body["meta"] = {"strategy": "micro_momo_v1", "reason": "breakout", "confidence": "0.62"}
    subject = subjects.intent(PAPER, AgentId("demo"), IntentId("i-1"))
    await agent.request(subject, json.dumps(body).encode(), timeout=5)
    await agent.close()

    async with gateway(own_nats_server, tmp_path) as process:
        undecided = await process.submit()
        other = await process.submit(qty=11)
        assert (undecided.status_code, other.status_code) == (202, 409)
        assert undecided.headers["location"] == "/v1/intents/i-1"

        async with risk_beside(own_nats_server):
            await process.until(lambda: _is_decided(process), "the intent is decided")
            assert (await process.submit()).json()["message"].startswith("duplicate")


async def _is_decided(process: GatewayProcess) -> bool:
    return (await process.call("GET", "/v1/intents/i-1")).status_code == 200


async def test_the_kill_switch_reaches_a_plain_subscription_and_the_record(
    own_nats_server: NatsServer, tmp_path: Path
):
    heard: asyncio.Queue[Any] = asyncio.Queue()
    oms = await own_nats_server.connect("oms")
    await oms.subscribe(subjects.control(PAPER), cb=heard.put)
    await oms.flush()

    async with gateway(own_nats_server, tmp_path) as process:
        body = {"enabled": True, "mode": "cancel_only", "reason": "odd fills"}
        answer = (await process.call("POST", "/v1/controls/kill_switch", body)).json()
        state = (await process.call("GET", "/v1/state")).json()

    message = await asyncio.wait_for(heard.get(), PATIENCE_S)
    await oms.close()
    event = decode_event(message.data)
    assert isinstance(event, KillEngaged)
    assert (event.mode, event.by) == ("cancel_all", "subject-demo")
    assert (answer["mode"], answer["seq"]) == ("cancel_all", 1)
    assert (state["kill_switch"], state["state_seq"]) == (True, 1)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["from the journal", "from a snapshot"])
async def test_a_gateway_that_ended_comes_back_with_everything(
    own_nats_server: NatsServer, tmp_path: Path, number: signal.Signals
):
    async with gateway(own_nats_server, tmp_path) as process, risk_beside(own_nats_server):
        before = (await process.submit()).json()
        process.stop(number)
        await process.start()

        state = (await process.call("GET", "/v1/state")).json()
        repeated = (await process.submit()).json()

    assert [order["order_id"] for order in state["open_orders"]] == [before["order_id"]]
    assert repeated["decision_seq"] == before["decision_seq"]


async def test_a_restart_of_nats_is_survived(own_nats_server: NatsServer, tmp_path: Path):
    async with gateway(own_nats_server, tmp_path) as process:
        async with risk_beside(own_nats_server):
            assert (await process.submit()).json()["status"] == "accepted"
        own_nats_server.kill()
        await process.until(lambda: _is_unavailable(process), "the outage is noticed")
        health = await process.http.get("/health")
        assert (health.status_code, health.json()["processes"]["risk"]["state"]) == (503, "unreachable")

        own_nats_server.start()
        await own_nats_server.ensure()
        async with risk_beside(own_nats_server):
            await process.until(lambda: _is_available(process), "the link is back")
            after = await process.submit(client_intent_id="i-2")
            await process.until(lambda: _has_orders(process, 2), "the journal is followed again")
            repeated = await process.submit()

    assert after.status_code in {200, 202}
    assert repeated.json()["message"].startswith("duplicate")


async def _is_unavailable(process: GatewayProcess) -> bool:
    response = await process.call("GET", "/v1/state")
    return response.status_code == 503 and response.json()["code"] == "unavailable"


async def _is_available(process: GatewayProcess) -> bool:
    return (await process.call("GET", "/v1/state")).status_code == 200


async def _has_orders(process: GatewayProcess, count: int) -> bool:
    response = await process.call("GET", "/v1/orders")
    return response.status_code == 200 and len(response.json()["orders"]) == count


async def test_health_asks_every_process(own_nats_server: NatsServer, tmp_path: Path):
    async with gateway(own_nats_server, tmp_path) as process, AsyncExitStack() as stack:
        alone = (await process.http.get("/health")).json()
        assert alone["not_ready"] == list(OTHERS)
        assert alone["processes"]["gateway"] == {"state": "ready"}

        others = {name: await _healthy(own_nats_server, name, stack) for name in OTHERS}
        await process.until(lambda: _is_ok(process), "all are ready")
        others["oms"].state = ProcessState.STARTING
        await process.until(lambda: _lacks(process, ["oms"]), "oms is not ready")
        assert "ermission" not in process.log


async def _healthy(server: NatsServer, name: str, stack: AsyncExitStack) -> Health:
    connection = await server.connect(name)
    stack.push_async_callback(connection.close)
    started = SystemClock().now()
    health = Health(connection, name=name, version="test", account=PAPER, started=started, facts=dict)
    await health.start()
    await connection.flush()
    health.state = ProcessState.READY
    return health


async def _is_ok(process: GatewayProcess) -> bool:
    response = await process.http.get("/health")
    return response.status_code == 200 and response.json()["status"] == "ok"


async def _lacks(process: GatewayProcess, names: list[str]) -> bool:
    return (await process.http.get("/health")).json()["not_ready"] == names


async def test_a_stop_ends_cleanly_even_while_a_caller_waits(own_nats_server: NatsServer, tmp_path: Path):
    async with gateway(own_nats_server, tmp_path) as process:
        waiting = asyncio.ensure_future(process.submit())  # nobody decides, so it waits
        await process.until(lambda: _is_stated(process), "the intent is stated")

        code = await asyncio.to_thread(process.stop)

        assert (await waiting).status_code == 202
        assert code == 0


async def _is_stated(process: GatewayProcess) -> bool:
    return (await process.call("GET", "/v1/intents/i-1")).status_code == 202


@pytest.mark.skipif(not TCP_TABLE.exists(), reason="only Linux tells who listens where")
async def test_the_server_listens_on_loopback_only(own_nats_server: NatsServer, tmp_path: Path):
    async with gateway(own_nats_server, tmp_path) as process:
        assert listeners_on(process.port) == {"0100007F"}


def listeners_on(port: int) -> set[str]:
    """Give the addresses (IPv4, hex) on which somebody listens on a port."""
    rows = [line.split() for line in TCP_TABLE.read_text().splitlines()[1:]]
    places = [row[1].split(":") for row in rows if row[3] == LISTENING]
    return {address for address, number in places if int(number, 16) == port}
