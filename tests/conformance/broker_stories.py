"""What the broker suite's stories are told with: terms, submits, and waiting for what the broker shows."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal

from contracts.enums import OrderClass, OrderType, Side
from contracts.ids import OrderId, Symbol
from contracts.intents import StopLoss, TakeProfit
from contracts.orders import OrderTerms
from services.oms.brokers.port import Accepted, Broker, BrokerOrder, BrokerUpdate, LinkDown, LinkUp, StreamReport
from tests.conformance.broker_worlds import World

AAPL = Symbol("AAPL")
DEADLINE_S = 20
EARLY = datetime(2000, 1, 1, tzinfo=UTC)

type Story = Callable[[World], Awaitable[None]]


def run_in(make_world, story: Story) -> None:
    """Run one story in a fresh world."""

    async def within() -> None:
        async with asyncio.timeout(60), make_world() as world:
            await world.quote(AAPL, Decimal("99.90"), Decimal("100.10"))
            await story(world)

    asyncio.run(within())


def buy(qty: int | str = 10, limit: str | None = None, **more: object) -> OrderTerms:
    return terms(Side.BUY, qty, limit, **more)


def sell(qty: int | str = 10, limit: str | None = None, **more: object) -> OrderTerms:
    return terms(Side.SELL, qty, limit, **more)


def terms(side: Side, qty: int | str, limit: str | None, **more: object) -> OrderTerms:
    said: dict[str, object] = {
        "symbol": AAPL,
        "side": side,
        "order_type": OrderType.MARKET if limit is None else OrderType.LIMIT,
        "qty": Decimal(qty),
        "limit_price": None if limit is None else Decimal(limit),
    }
    return OrderTerms(**(said | more))  # pyright: ignore[reportArgumentType]


def with_exits(entry: OrderTerms, order_class: OrderClass, take: str | None, stop: str | None) -> dict[str, object]:
    """Name the exits that terms bring."""
    return {
        "order_class": order_class,
        "take_profit": None if take is None else TakeProfit(limit_price=Decimal(take)),
        "stop_loss": None if stop is None else StopLoss(stop_price=Decimal(stop)),
    }


async def submitted(broker: Broker, order_id: str, order_terms: OrderTerms) -> BrokerOrder:
    outcome = await broker.submit(OrderId(order_id), order_terms)
    assert isinstance(outcome, Accepted), outcome
    return outcome.order


async def standing(broker: Broker, order_id: str, *statuses: str) -> BrokerOrder:
    """Look the order up until it stands in one of these statuses."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            order = await broker.order_by_client_id(OrderId(order_id))
            if order is not None and order.status in statuses:
                return order
            await asyncio.sleep(0.01)


async def shown(broker: Broker, broker_order_id: str, *statuses: str) -> BrokerOrder:
    """Look an order up by the broker's id until it stands in one of these statuses."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            order = await broker.order_by_id(broker_order_id)
            if order is not None and order.status in statuses:
                return order
            await asyncio.sleep(0.01)


async def up(updates: AsyncIterator[StreamReport]) -> None:
    async for report in updates:
        if isinstance(report, LinkUp):
            return


async def down(updates: AsyncIterator[StreamReport]) -> None:
    async for report in updates:
        if isinstance(report, LinkDown):
            return


async def update_for(updates: AsyncIterator[StreamReport], order_id: str, *events: str) -> BrokerUpdate:
    """Read updates until this order, by any of its ids, has one of these events."""
    async with asyncio.timeout(DEADLINE_S):
        async for report in updates:
            if (
                isinstance(report, BrokerUpdate)
                and order_id in {report.order.client_order_id, report.order.broker_order_id}
                and report.event in events
            ):
                return report
    raise AssertionError
