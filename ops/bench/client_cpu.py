"""What one order costs the client's own CPU: our adapter against bare alpaca-py, in one process, round by round.

The server is a process of its own that answers every POST with the same order over a kept connection, so only the
clients differ. Run as a script it is that server.
"""

import asyncio
import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

from contracts.enums import OrderType, Side
from contracts.ids import OrderId, Symbol
from contracts.orders import OrderTerms
from ops.bench.figures import Figure
from services.oms.brokers.alpaca import AlpacaBroker
from services.oms.brokers.alpaca_http import AlpacaHttp, AlpacaKeys
from services.oms.brokers.alpaca_updates import AlpacaUpdates
from services.oms.brokers.budget import RequestBudget
from services.oms.brokers.port import Accepted
from services.runtime.clock import SystemClock

ROUNDS = 5
CALLS = 400
UNLIMITED = 1_000_000_000
ORDER = b"""{"id":"61e69015-8549-4bfd-b9c3-01e75843f47d","client_order_id":"c","created_at":"2026-10-08T14:30:00.1Z",
"updated_at":"2026-10-08T14:30:00.1Z","submitted_at":"2026-10-08T14:30:00.1Z","filled_at":null,"expired_at":null,
"canceled_at":null,"failed_at":null,"replaced_at":null,"replaced_by":null,"replaces":null,
"asset_id":"b0b6dd9d-8b9b-48a9-ba46-b9d54906e415","symbol":"AAPL","asset_class":"us_equity","notional":null,"qty":"1",
"filled_qty":"0","filled_avg_price":null,"order_class":"","order_type":"limit","type":"limit","side":"buy",
"position_intent":"buy_to_open","time_in_force":"day","limit_price":"1","stop_price":null,"status":"pending_new",
"extended_hours":false,"legs":null,"trail_percent":null,"trail_price":null,"hwm":null,"subtag":null,"source":null,
"expires_at":"2026-10-08T20:00:00Z"}"""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(ORDER), ORDER)
TERMS = OrderTerms(
    symbol=Symbol("AAPL"), side=Side.BUY, order_type=OrderType.LIMIT, qty=Decimal(1), limit_price=Decimal(1)
)


async def serve() -> None:
    """Answer every request with the order until the process is ended; print the port first."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1])
                    for line in head.splitlines()
                    if line.lower().startswith(b"content-length")
                )
                await reader.readexactly(length)
                writer.write(ANSWER)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def measure() -> list[Figure]:
    """Measure both clients, round by round in turn; only ours where alpaca-py is not installed."""
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ops.bench.client_cpu", stdout=asyncio.subprocess.PIPE
    )
    try:
        if server.stdout is None:
            raise RuntimeError("the server has no output")
        url = f"http://127.0.0.1:{int(await server.stdout.readline())}"
        return await _rounds(url)
    finally:
        server.kill()
        await server.wait()


async def _rounds(url: str) -> list[Figure]:
    clock, keys = SystemClock(), AlpacaKeys("k", "s")
    http = AlpacaHttp(url, keys, clock, budget=RequestBudget(per_minute=UNLIMITED))
    broker = AlpacaBroker(http, AlpacaUpdates(url, keys, clock))
    bare = _alpaca_py(url)
    ours_us: list[float] = []
    bare_us: list[float] = []
    for _ in range(ROUNDS + 1):
        ours_us.append(await _cost_us(lambda number: _ours(broker, number)))
        if bare is not None:
            bare_us.append(_cost_of_calls_us(bare))
    await broker.close()
    ours, theirs = statistics.median(ours_us[1:]), statistics.median(bare_us[1:]) if bare_us else 0.0
    ratios = {"alpaca-py": ours / theirs} if theirs else {}
    name = "client CPU per order: our adapter"
    figures = [Figure(name, "µs", ours, max(ours_us[1:]), ROUNDS * CALLS, "≤ 0.25 × alpaca-py", ratios)]
    if theirs:
        name = "client CPU per order: alpaca-py submit_order"
        figures.append(Figure(name, "µs", theirs, max(bare_us[1:]), ROUNDS * CALLS))
    return figures


async def _ours(broker: AlpacaBroker, number: int) -> None:
    outcome = await broker.submit(OrderId(f"lg-{number}"), TERMS)
    if not isinstance(outcome, Accepted):
        raise TypeError(f"not accepted: {outcome}")


async def _cost_us(send: Callable[[int], Coroutine[Any, Any, None]]) -> float:
    began = time.process_time_ns()
    for number in range(CALLS):
        await send(number)
    return (time.process_time_ns() - began) / 1000 / CALLS


def _cost_of_calls_us(send: Callable[[int], object]) -> float:
    began = time.process_time_ns()
    for number in range(CALLS):
        send(number)
    return (time.process_time_ns() - began) / 1000 / CALLS


def _alpaca_py(url: str) -> Callable[[int], object] | None:
    """Give alpaca-py's own way to send an order."""
    try:
        from alpaca.trading.client import TradingClient  # noqa: PLC0415 - half a second, and only for this figure
        from alpaca.trading.enums import OrderSide, TimeInForce  # noqa: PLC0415
        from alpaca.trading.requests import LimitOrderRequest  # noqa: PLC0415
    except ImportError:
        return None
    client = TradingClient("k", "s", url_override=url)

    def send(number: int) -> object:
        order = LimitOrderRequest(
            symbol="AAPL",
            qty=1,
            side=OrderSide.BUY,
            time_in_force=TimeInForce.DAY,
            limit_price=1.0,
            client_order_id=f"bare-{number}",
        )
        return client.submit_order(order)

    return send


if __name__ == "__main__":
    asyncio.run(serve())
