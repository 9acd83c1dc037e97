"""The regime process against a real NATS server and a scripted data service."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from contracts import codec, subjects
from contracts.enums import Regime
from contracts.ids import Symbol
from contracts.market import Bar, MarketMessage, Quote, RegimeChanged, SymbolStatus
from services.runtime import stream_api
from services.runtime.connection import Connection
from services.runtime.keys import write_private
from tests.nats_server import NatsServer
from tests.waiting import until

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]
AAPL, MSFT = Symbol("AAPL"), Symbol("MSFT")
WAIT_S = 30


def wire_time() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def wire_quote(symbol: str, bid: str, ask: str) -> dict[str, Any]:
    return {"T": "q", "S": symbol, "bp": float(bid), "bs": 3, "ap": float(ask), "as": 2, "t": wire_time()}


class DataService:
    """Alpaca's data REST and socket, as far as the regime process asks; the test says what comes."""

    def __init__(self) -> None:
        self.latest: dict[str, tuple[str, str]] = {}
        self.sockets: list[web.WebSocketResponse] = []
        self.links = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/v2/stocks/quotes/latest", self._answer)
        app.router.add_get("/v2/iex", self._stream)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.address = f"127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        for socket in self.sockets:
            await socket.close()
        assert self._runner is not None
        await self._runner.cleanup()

    async def send(self, *entries: dict[str, Any]) -> None:
        await self.sockets[-1].send_str(json.dumps(entries))

    async def _answer(self, request: web.Request) -> web.Response:
        assert request.headers["APCA-API-KEY-ID"] == "the-key"
        assert (request.query["symbols"], request.query["feed"]) == ("AAPL,MSFT", "iex")
        return web.json_response({"quotes": {s: wire_quote(s, bid, ask) for s, (bid, ask) in self.latest.items()}})

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str('[{"T":"success","msg":"connected"}]')
        assert (await socket.receive_json())["secret"] == "the-secret"
        await socket.send_str('[{"T":"success","msg":"authenticated"}]')
        wanted = await socket.receive_json()
        assert set(wanted["quotes"]) == set(wanted["statuses"]) == {"AAPL", "MSFT"}
        await socket.send_str(json.dumps([{"T": "subscription"}]))
        self.sockets.append(socket)
        self.links += 1
        async for _ in socket:
            pass
        return socket


class Listener:
    """Everything the regime process puts on NATS, as its readers see it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.market: list[MarketMessage] = []
        self.regimes: list[RegimeChanged] = []
        self.facts: dict[str, Any] = {}

    async def start(self) -> None:
        for subject in ("quote.>", "bar.>", "status.>"):
            await self.connection.subscribe(subject, cb=self._market)
        await self.connection.subscribe("regime.>", cb=self._regime)
        await self.connection.flush()

    def regime(self, symbol: str) -> Regime | None:
        changes = self.changes(symbol)
        return changes[-1].regime if changes else None

    def changes(self, symbol: str) -> list[RegimeChanged]:
        return [change for change in self.regimes if change.symbol == symbol]

    async def state(self) -> str:
        reply = await self.connection.request("$SRV.STATS.regime", b"", timeout=5)
        answer = json.loads(reply.data)
        self.facts = answer["data"]
        return str(answer["metadata"]["state"])

    async def _market(self, message: Any) -> None:
        self.market.append(codec.decode_market(message.data))

    async def _regime(self, message: Any) -> None:
        self.regimes.append(codec.decode_regime(message.data))


class RegimeHome:
    """A home folder with regime processes."""

    def __init__(self, server: NatsServer, home: Path, data: DataService) -> None:
        self.home = home
        self.started: list[subprocess.Popen[bytes]] = []
        self._environ = os.environ | {
            "LOCKGATE_NATS_URL": server.url,
            "LOCKGATE_DATA_URL": f"http://{data.address}",
            "LOCKGATE_DATA_STREAM_URL": f"ws://{data.address}/v2/iex",
            "SYMBOL_ALLOWLIST": "AAPL,MSFT",
            "LOG_FORMAT": "json",
        }
        write_private(home / "credentials" / "processes" / "regime.seed", server.seeds["regime"])
        keys = {"key_id": "the-key", "secret_key": "the-secret"}
        write_private(home / "credentials" / "simulator.json", json.dumps(keys))

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "services.regime", "--home", str(self.home)]
        with (self.home / "regime.log").open("ab") as log:
            process = subprocess.Popen(command, env=self._environ, stdout=log, stderr=log, cwd=ROOT)
        self.started.append(process)
        return process

    async def stop(self, process: subprocess.Popen[bytes]) -> int:
        process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(process.wait, WAIT_S)


@pytest.fixture
async def data() -> AsyncIterator[DataService]:
    service = DataService()
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def home(own_nats_server: NatsServer, tmp_path: Path, data: DataService) -> AsyncIterator[RegimeHome]:
    made = RegimeHome(own_nats_server, tmp_path, data)
    yield made
    for process in made.started:
        process.kill()
        process.wait()


@pytest.fixture
async def listener(own_nats_server: NatsServer) -> AsyncIterator[Listener]:
    connection = await own_nats_server.connect()
    made = Listener(connection)
    await made.start()
    yield made
    await connection.close()


async def test_latest_quotes_seed_the_market_before_the_socket_speaks(home, data, listener):
    data.latest = {"AAPL": ("189.10", "189.14")}
    home.start()
    await until(lambda: listener.market and data.links)
    quote = listener.market[0]
    assert (quote.symbol, quote.bid_price, quote.ask_price) == (AAPL, Decimal("189.1"), Decimal("189.14"))
    assert (quote.seq, quote.source) == (0, "simulator")
    await until(lambda: listener.regime("AAPL") and listener.regime("_market"))
    assert listener.changes("AAPL")[0].regime is listener.changes("_market")[0].regime is Regime.CHOP
    stored = await stream_api.last_message(listener.connection, subjects.MARKET_STREAM, subjects.quote(AAPL))
    assert codec.decode_market(stored.body) == quote


async def test_thresholds_of_the_settings_file_are_those_in_force(home, data, listener):
    (home.home / "lockgate.toml").write_text("[regime]\nspread_max_bps = 2\n")
    data.latest = {"AAPL": ("189.10", "189.14")}
    home.start()
    await until(lambda: listener.regime("AAPL"))
    change = listener.changes("AAPL")[0]
    assert (change.regime, change.reasons[-1]) == (Regime.UNTRADEABLE, "spread_bps 2.12 > 2")


async def test_what_the_socket_says_is_passed_on_and_named(home, data, listener):
    home.start()
    await until(lambda: data.links)
    bar = {"T": "b", "S": "AAPL", "o": 1, "h": 2, "l": 1, "c": 2, "v": 100, "t": wire_time()}
    halt = {"T": "s", "S": "MSFT", "sc": "H", "sm": "Halt", "rc": "T1", "rm": "News", "t": wire_time()}
    while listener.regime("MSFT") is not Regime.CHOP:  # on a busy machine silence may have had its say first
        await data.send(wire_quote("AAPL", "189.10", "189.14"), bar, wire_quote("MSFT", "400", "400.02"))
        await asyncio.sleep(0.05)
    await data.send(halt)
    await until(lambda: listener.regime("MSFT") is Regime.UNTRADEABLE)
    assert listener.changes("MSFT")[-1].reasons[0] == "halted H/T1"
    assert [type(message) for message in listener.market[:3]] == [Quote, Bar, Quote]
    assert type(listener.market[-1]) is SymbolStatus
    sequences = [message.seq for message in listener.market if isinstance(message, Quote)]
    assert sequences == list(range(1, len(sequences) + 1))
    assert await listener.state() == "ready"
    await until_async(listener, lambda facts: facts.get("published") == len(listener.market))
    assert listener.facts["regimes"]["MSFT"] == "UNTRADEABLE"
    assert listener.facts["feed_up"]


async def until_async(listener: Listener, condition: Any) -> None:
    """Ask for health until it shows what is wanted; the process refreshes it a few times a second."""
    deadline = asyncio.get_running_loop().time() + WAIT_S
    while not condition(listener.facts):
        assert asyncio.get_running_loop().time() < deadline, listener.facts
        await listener.state()


async def test_restart_writes_no_change_that_is_none_and_goes_on_from_the_record(home, data, listener):
    data.latest = dict.fromkeys(("AAPL", "MSFT"), ("189.10", "189.14"))
    process = home.start()
    await until(lambda: data.links == 1)
    assert await home.stop(process) == 0
    home.start()
    await until(lambda: data.links == 2)
    await data.send(wire_quote("AAPL", "180", "189"))
    await until(lambda: listener.regime("AAPL") is Regime.UNTRADEABLE)
    for symbol in ("AAPL", "MSFT", "_market"):
        changes = listener.changes(symbol)
        assert changes[0].regime is Regime.CHOP
        assert [change.previous for change in changes] == [None, *(change.regime for change in changes[:-1])]
        assert all(change.regime is not change.previous for change in changes)


async def test_symbols_grow_untradeable_when_the_socket_is_silent_and_the_link_is_made_anew(home, data, listener):
    data.latest = dict.fromkeys(("AAPL", "MSFT"), ("189.10", "189.14"))
    home.start()
    await until(lambda: data.links == 1)
    await until(lambda: listener.regime("_market") is Regime.UNTRADEABLE)
    assert listener.changes("AAPL")[-1].reasons[0].startswith("quote_age_ms")
    await data.sockets[0].close()
    await until(lambda: data.links == 2)
    await until_async(listener, lambda facts: facts.get("reconnects", 0) >= 1)


async def test_two_writers_of_one_regime_do_not_overwrite_each_other(home, data, listener):
    data.latest = {"AAPL": ("189.10", "189.14")}
    process = home.start()
    await until(lambda: listener.regime("_market") and data.links)
    foreign = RegimeChanged(
        symbol=AAPL,
        regime=Regime.TREND,
        previous=Regime.CHOP,
        confidence=Decimal(1),
        reasons=(),
        at=datetime.now(UTC) + timedelta(seconds=1),
    )
    await listener.connection.jetstream().publish(subjects.regime(AAPL), codec.encode(foreign))
    await data.send(wire_quote("AAPL", "100", "189.14"))
    assert await asyncio.to_thread(process.wait, WAIT_S) == 75
    stored = await stream_api.last_message(listener.connection, subjects.REGIME_STREAM, subjects.regime(AAPL))
    assert codec.decode_regime(stored.body) == foreign
