"""The real OMS with the real adapter at a simulator process that misbehaves; the journal is in memory."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from contracts.broker import BreakFound, BreakHealed, PositionAdopted
from contracts.enums import OrderStatus, Side
from contracts.ids import OrderId
from contracts.orders import OrderTerms
from projections.orders import OrderState
from services.oms.brokers.alpaca import AlpacaBroker
from services.oms.brokers.alpaca_http import AlpacaHttp, AlpacaKeys, HttpTimeouts
from services.oms.brokers.alpaca_updates import AlpacaUpdates, LinkTimings
from services.oms.brokers.budget import RequestBudget
from services.runtime.clock import SystemClock
from services.runtime.memory import MemoryJournal
from tests.unit.oms.oms_world import OmsWorld
from tests.unit.oms.order_stories import ACCOUNT, cancel_decision, decision, terms
from tests.unit.simulator.process import RunningSimulator
from tests.waiting import until

CASH_USD = Decimal(100_000)
AGREE_S_MAX = 15.0
POLL_S = 0.02
IMPATIENT = HttpTimeouts(connect_ms=2_000, answer_ms=700)
HASTY = LinkTimings(
    connect_ms=1_000,
    handshake_ms=1_000,
    ping_every_ms=400,
    backoff_first_ms=20,
    backoff_last_ms=200,
    limited_last_ms=300,
)
STATUSES = {
    "accepted": {OrderStatus.ACKED},
    "pending_new": {OrderStatus.ACKED},
    "new": {OrderStatus.WORKING},
    "partially_filled": {OrderStatus.PARTIALLY_FILLED},
    "pending_cancel": {OrderStatus.PENDING_CANCEL},
    "filled": {OrderStatus.FILLED},
    "canceled": {OrderStatus.CANCELED},
    "expired": {OrderStatus.EXPIRED},
    "rejected": {OrderStatus.REJECTED},
    "replaced": {OrderStatus.CANCELED, OrderStatus.REPLACED},
}
"""What the journal may say of an order that the broker shows in a status."""
NEVER_AT_THE_BROKER = {OrderStatus.EXPIRED, OrderStatus.REJECTED, OrderStatus.CANCELED}
MARKET = terms(10, limit=None)
RESTING = terms(5, limit="90")


class FaultyOms(OmsWorld):
    """A journal and a broker that misbehaves; the test is risk."""

    def __init__(self, simulator: RunningSimulator) -> None:
        super().__init__()
        clock = SystemClock()
        keys = AlpacaKeys(simulator.key_id, simulator.secret_key)
        http = AlpacaHttp(simulator.url, keys, clock, IMPATIENT, RequestBudget(60_000))
        updates = AlpacaUpdates(simulator.ready["stream_url"], keys, clock, HASTY)
        self.clock = clock  # pyright: ignore[reportAttributeAccessIssue]  # here time passes by itself
        self.journal = MemoryJournal(ACCOUNT, clock)
        self.broker = AlpacaBroker(http, updates)  # pyright: ignore[reportAttributeAccessIssue]
        self.simulator = simulator
        self._number = 0

    # The broker's side.

    async def arm(self, **fault: Any) -> dict[str, Any]:
        return await asyncio.to_thread(self.simulator.control, "faults", **fault)

    async def clear(self) -> None:
        await self.ask("DELETE", "/control/faults")

    async def hits(self) -> int:
        found = await asyncio.to_thread(self.simulator.control, "faults")
        return sum(shown["hits"] for shown in found["faults"])

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Be somebody else at this broker: a person, or its own operators."""

        def send() -> Any:
            request = urllib.request.Request(  # noqa: S310  # our own loopback address
                self.simulator.url + path,
                method=method,
                data=None if body is None else json.dumps(body).encode(),
                headers={"APCA-API-KEY-ID": "KEY", "APCA-API-SECRET-KEY": "SECRET", "X-Control-Key": "CONTROL"},
            )
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                text = answer.read()
            return json.loads(text) if text else None

        return await asyncio.to_thread(send)

    async def quote(self, bid: str, ask: str) -> None:
        await asyncio.to_thread(self.simulator.pin, "AAPL", bid, ask)

    async def books(self) -> dict[str, Any]:
        """Return the broker's own truth, whatever its faults make it say."""
        return await asyncio.to_thread(self.simulator.control, "books")

    async def orders(self) -> dict[str, dict[str, Any]]:
        """Return every order of the broker by client id."""
        return {order["client_order_id"]: order for order in (await self.books())["orders"]}

    async def shows(self, order_id: OrderId, *statuses: str) -> None:
        """Wait until the broker shows an order in a status, or the journal has ended it as one that never went."""
        deadline = asyncio.get_running_loop().time() + AGREE_S_MAX
        while not self._is_so((await self.orders()).get(order_id), order_id, statuses):
            assert asyncio.get_running_loop().time() < deadline, (statuses, self._stories())
            await asyncio.sleep(POLL_S)

    def _is_so(self, shown: dict[str, Any] | None, order_id: OrderId, statuses: tuple[str, ...]) -> bool:
        order = self.core.state.order(order_id)
        never_went = order is not None and order.status in NEVER_AT_THE_BROKER
        return never_went if shown is None else shown["status"] in statuses

    # Risk's side.

    async def send(self, order_terms: OrderTerms) -> OrderId:
        """Approve an order."""
        self._number += 1
        return await self.approve(decision(f"i-{self._number}", order_terms, at=datetime.now(UTC)))

    async def cancel(self, order_id: OrderId) -> None:
        """Approve a cancel."""
        self._number += 1
        await self.approve(cancel_decision(f"i-{self._number}", order_id, at=datetime.now(UTC)))

    # Both sides.

    async def comparing(self, count: int) -> None:
        """Wait until this many more comparisons have ended."""
        for _ in range(count):
            seen = self.facts.get("reconciled_at")
            await until(lambda seen=seen: self.facts.get("reconciled_at") != seen)

    async def agree(self, within_s: float = AGREE_S_MAX) -> None:
        """Wait until the journal's orders, positions and cash are the broker's, and hold what must always hold."""
        deadline = asyncio.get_running_loop().time() + within_s
        while differences := await self.differences():
            assert asyncio.get_running_loop().time() < deadline, (differences, self._stories())
            await asyncio.sleep(POLL_S)
        await self.sent_once()
        assert self.of(PositionAdopted) == [], "orders should explain what is held"
        assert len(self.of(BreakFound)) == len(self.of(BreakHealed))

    async def differences(self) -> list[str]:
        """Say in what the journal and the broker differ."""
        books = await self.books()
        held = books["positions"]
        ours = self.core.state
        chains = self._chains(books["orders"])
        found = [text for order in ours.all_orders() if (text := _order(order, chains.pop(order.order_id, [])))]
        found += [f"{chain[0]['id']} is unknown" for chain in chains.values() if _counts(chain[-1])]
        for symbol in {*held, *ours.account.positions}:
            position = ours.account.positions.get(symbol)
            qty, average = (Decimal(0), Decimal(0)) if position is None else (position.qty, position.avg_price)
            shown = held.get(symbol, {"qty": "0", "avg_entry_price": "0"})
            if qty != Decimal(shown["qty"]):
                found.append(f"{symbol}: ours {qty}, broker's {shown['qty']}")
            if qty and not _same(average, Decimal(shown["avg_entry_price"])):
                found.append(f"{symbol}: our average {average}, broker's {shown['avg_entry_price']}")
        cash = CASH_USD + sum(position.cash_usd for position in ours.account.positions.values())
        if not _same(cash, Decimal(books["cash"])):
            found.append(f"our cash {cash}, broker's {books['cash']}")
        return found

    def _chains(self, shown: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
        """Give the broker's orders by the journal's, each with replacements that are no orders of their own."""
        ours = {order.order_id: order for order in self.core.state.all_orders()}
        adopted = {order.broker_order_id: key for key, order in ours.items() if key.startswith("ext-")}
        by_id = {order["id"]: order for order in shown}
        heads = {o["id"]: adopted.get(o["id"]) or o["client_order_id"] for o in shown}
        heads = {key: name for key, name in heads.items() if name in ours or not by_id[key]["replaces"]}
        chains: dict[str, list[dict[str, Any]]] = {}
        for key, name in heads.items():
            chain = [by_id[key]]
            while (after := chain[-1]["replaced_by"]) in by_id and after not in heads:
                chain.append(by_id[after])
            chains[name] = chain
        return chains

    async def sent_once(self) -> None:
        """No order stands twice in the broker's books, and none came a second time once it was taken."""
        state = await asyncio.to_thread(self.simulator.control, "state")
        assert set(state["orders_by_client_id"].values()) <= {1}
        arrivals = [client_id for client_id, _ in await asyncio.to_thread(self.simulator.control, "arrivals")]
        assert len(arrivals) == len(set(arrivals)), arrivals

    def _stories(self) -> list[list[str]]:
        return [[order.order_id, order.status, *self.story(order.order_id)] for order in self.core.state.all_orders()]


def _counts(shown: dict[str, Any]) -> bool:
    """Say whether a foreign order must be known: one that ended without a fill changes nothing."""
    ended = shown["status"] in {"canceled", "expired", "rejected", "replaced"}
    return not ended or Decimal(shown["filled_qty"]) > 0


def _order(order: OrderState, chain: list[dict[str, Any]]) -> str:
    """Say in what one order differs from what the broker shows of it and of its replacements."""
    if not chain:
        return "" if order.status in NEVER_AT_THE_BROKER else f"{order.order_id} is {order.status}, not at the broker"
    filled = sum(Decimal(shown["filled_qty"]) for shown in chain)
    value = sum(Decimal(shown["filled_qty"]) * Decimal(shown["filled_avg_price"] or 0) for shown in chain)
    status = chain[-1]["status"]
    if order.filled_qty != filled:
        return f"{order.order_id} filled {order.filled_qty}, broker's {filled}"
    if not _same(order.filled_notional_usd, Decimal(value)):
        return f"{order.order_id} paid {order.filled_notional_usd}, broker's {value}"
    if status == "filled" and order.filled_qty and order.filled_qty < order.terms.qty:
        return ""  # what was taken back after it had filled: the status is the broker's to choose
    return "" if order.status in STATUSES[status] else f"{order.order_id} is {order.status}, broker's {status}"


def _same(ours: Decimal, theirs: Decimal) -> bool:
    """Compare money and prices to a millionth of a dollar: averages are rounded to nine decimals on the wire."""
    return abs(ours - theirs) < Decimal("0.000001")


@asynccontextmanager
async def world_at(simulator: RunningSimulator) -> AsyncGenerator[FaultyOms]:
    """Make a world at this simulator, AAPL at 99.90 to 100.10, in which no OMS runs yet."""
    world = FaultyOms(simulator)
    try:
        await world.quote("99.90", "100.10")
        yield world
    finally:
        await world.broker.close()


@asynccontextmanager
async def oms_at(simulator: RunningSimulator) -> AsyncGenerator[FaultyOms]:
    """Run the OMS at this simulator."""
    async with world_at(simulator) as world, world.running():
        yield world


async def trade(world: FaultyOms) -> None:
    """Buy twice, let one order rest, cancel it, sell some: the day that every fault must leave intact."""
    bought = [await world.send(MARKET), await world.send(terms(7, limit="101"))]
    resting = await world.send(RESTING)
    for order_id in bought:
        await world.shows(order_id, "filled")
    await world.shows(resting, "new")
    await world.cancel(resting)
    await world.shows(resting, "canceled")
    await world.shows(await world.send(selling(4)), "filled")


def selling(qty: int, limit: str | None = None) -> OrderTerms:
    return terms(qty, Side.SELL, limit)
