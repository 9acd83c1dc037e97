"""A simulator in this event loop, its market still, with hands on its faults and an ear on its trade socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer

from services.simulator.exchange import Exchange
from services.simulator.settings import checked

KEYS = {"APCA-API-KEY-ID": "K", "APCA-API-SECRET-KEY": "S", "X-Control-Key": "C"}
QUICK = {"ack_ms": 1, "route_ms": 1, "fill_ms": 2, "cancel_ms": 1, "partial_percent": 0}
DEADLINE_S = 10.0
QUIET_S = 0.15
"""How long nothing must come before we call it silence; every latency here is a few milliseconds."""

Client = TestClient[web.Request, web.Application]


async def until[T](question: Callable[[], Awaitable[T | None]]) -> T:
    """Ask until there is an answer."""
    async with asyncio.timeout(DEADLINE_S):
        while (answer := await question()) is None:  # noqa: ASYNC110  # the other end is a server
            await asyncio.sleep(0.005)
    return answer


class Faulty:
    """One running simulator with AAPL at 99.90 to 100.00."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.socket: aiohttp.ClientWebSocketResponse

    async def control(self, command: str, **body: Any) -> Any:
        answer = await self.client.post(f"/control/{command}", json=body)
        assert answer.status == 200, await answer.text()
        return await answer.json()

    async def arm(self, name: str, **options: Any) -> dict[str, Any]:
        return await self.control("faults", fault=name, **options)

    async def clear(self) -> None:
        assert (await self.client.delete("/control/faults")).status == 200

    async def hits(self) -> list[int]:
        return [shown["hits"] for shown in (await (await self.client.get("/control/faults")).json())["faults"]]

    async def struck(self) -> bool | None:
        """Say whether anything was struck yet."""
        return True if any(await self.hits()) else None

    async def quote(self, bid: str, ask: str) -> None:
        await self.control("quote", symbol="AAPL", bid=bid, ask=ask)

    def post(self, client_order_id: str = "c-1", **terms: Any) -> Awaitable[aiohttp.ClientResponse]:
        body = {"symbol": "AAPL", "side": "buy", "type": "market", "time_in_force": "day", "qty": "10", **terms}
        return self.client.post("/v2/orders", json={**body, "client_order_id": client_order_id})

    async def place(self, client_order_id: str = "c-1", **terms: Any) -> dict[str, Any]:
        answer = await self.post(client_order_id, **terms)
        assert answer.status == 200, await answer.text()
        return await answer.json()

    async def rest(self, client_order_id: str = "c-1", **terms: Any) -> dict[str, Any]:
        """Place a limit order far from the market, and wait until it works."""
        placed = await self.place(client_order_id, type="limit", limit_price="50", **terms)
        await self.shows(client_order_id, "new")
        return placed

    async def order(self, client_order_id: str = "c-1") -> dict[str, Any] | None:
        answer = await self.client.get("/v2/orders:by_client_order_id", params={"client_order_id": client_order_id})
        return await answer.json() if answer.status == 200 else None

    async def shows(self, client_order_id: str, status: str) -> dict[str, Any]:
        """Wait until REST shows an order in a status."""

        async def found() -> dict[str, Any] | None:
            shown = await self.order(client_order_id)
            return shown if shown is not None and shown["status"] == status else None

        return await until(found)

    async def listen(self) -> None:
        self.socket = await self.client.ws_connect("/stream")
        await self.socket.send_json({"action": "listen", "data": {"streams": ["trade_updates"]}})
        assert (await self.frame())["stream"] == "listening"

    async def frame(self) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE_S):
            return json.loads(await self.socket.receive_bytes())

    async def told(self, count: int) -> list[dict[str, Any]]:
        return [(await self.frame())["data"] for _ in range(count)]

    async def events(self, count: int) -> list[str]:
        return [update["event"] for update in await self.told(count)]

    async def silence(self) -> None:
        """Fail when the socket says anything more."""
        try:
            message = await self.socket.receive(QUIET_S)
        except TimeoutError:
            return
        raise AssertionError(message)

    async def cut_off(self) -> None:
        """Wait until the socket is closed, whatever comes before."""
        async with asyncio.timeout(DEADLINE_S):
            while (await self.socket.receive()).type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                pass


@asynccontextmanager
async def faulty(folder: Path, **settings: Any) -> AsyncIterator[Faulty]:
    """Run a simulator whose market only moves by hand."""
    given = {"data_dir": folder, "key_id": "K", "secret_key": "S", "control_key": "C", **QUICK, **settings}
    opened = Exchange(checked(given))
    async with TestClient(TestServer(opened.application()), headers=KEYS) as client:
        found = Faulty(client)
        await found.quote("99.90", "100.00")
        await found.listen()
        yield found
        await found.socket.close()
    opened.close()


def told_in(folder: Path, story: Callable[[Faulty], Awaitable[None]], **settings: Any) -> None:
    """Run one story in a fresh simulator."""

    async def within() -> None:
        async with faulty(folder, **settings) as found:
            await story(found)

    asyncio.run(within())
