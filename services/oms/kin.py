"""How the broker's orders belong to each other: what took the place of an order, and whose exit an order is.

Both are only ever learnt by asking. A message can come before those that it rests on, and some are lost.
"""

import asyncio
from collections.abc import Collection

from contracts.enums import LegRole, OrderClass
from contracts.ids import OrderId, leg_id_for
from contracts.orders import OrderTerms
from projections.order_state import OrderState
from services.oms.brokers.port import Broker, BrokerOrder
from services.oms.decider import Reported, Succeeded
from services.oms.desk import OrderDesk

CHAIN_LENGTH_MAX = 100
"""Replacements followed at one go; more of them are followed at the next look."""
_PARENT_WAITS_MS = (5, 10, 20, 40, 80, 160, 320, 640)
"""How long an exit waits for the answer to the submit that brought it, before the broker is asked about it."""


class Kin:
    """Asks the broker, and tells the desk what it finds."""

    def __init__(self, broker: Broker, desk: OrderDesk, in_hand: Collection[OrderId]) -> None:
        """Answer a desk's questions; `in_hand` are the orders whose submit is under way."""
        self._broker = broker
        self._desk = desk
        self._in_hand = in_hand
        self._following: dict[OrderId, asyncio.Future[None]] = {}
        desk.kin = self

    async def follow(self, order_id: OrderId) -> None:
        """Go from the broker's order that we know to the one in its place now, counting fills on the way.

        Whoever asks while somebody else does waits for that one's answer.
        """
        asked = self._following.get(order_id)
        if asked is not None:
            await asyncio.wait({asked})
            return
        task = self._following[order_id] = asyncio.ensure_future(self._follow(order_id))
        try:
            await task
        finally:
            del self._following[order_id]

    async def _follow(self, order_id: OrderId) -> None:
        order = self._desk.order(order_id)
        if order is None or order.broker_order_id is None:
            return
        report = await self._broker.order_by_id(order.broker_order_id)
        if report is None:
            return
        await self._desk.take(order_id, Reported(report))
        for _ in range(CHAIN_LENGTH_MAX):
            if report.status != "replaced" or report.replaced_by is None:
                return
            old, report = report, await self._broker.order_by_id(report.replaced_by)
            if report is None:
                return
            await self._desk.take(order_id, Succeeded(report, old))

    async def bring_home(self, report: BrokerOrder) -> None:
        """Look up those of our orders that an unknown one may be an exit of; the desk knows it then, if it is."""
        for parent in [order for order in self._desk.of_symbol(report.symbol) if self._lacks_exits(order)]:
            await self._until_answered(parent.order_id)
            if not self._desk.is_known(report):
                await self.bring_exits(parent.order_id)
            if self._desk.is_known(report):
                return

    async def bring_exits(self, order_id: OrderId) -> None:
        """Look up an order with its exits."""
        order = self._desk.order(order_id)
        if order is None:
            return
        known_as = order.broker_order_id
        ask = self._broker.order_by_client_id(order_id) if known_as is None else self._broker.order_by_id(known_as)
        report = await ask
        if report is not None:
            await self._desk.tell(order_id, Reported(report))

    def _lacks_exits(self, order: OrderState) -> bool:
        if order.terms.order_class is OrderClass.SIMPLE:
            return False
        known = [role for role in LegRole if self._desk.order(leg_id_for(order.order_id, role)) is not None]
        if order.terms.order_class is OrderClass.OTO:
            return not known
        return bool(_exits_of(order.terms) - set(known))

    async def _until_answered(self, order_id: OrderId) -> None:
        for wait_ms in _PARENT_WAITS_MS:
            if order_id not in self._in_hand:
                return
            await asyncio.sleep(wait_ms / 1000)


def _exits_of(terms: OrderTerms) -> set[LegRole]:
    """Name the exits that hang on an order of these terms; an OCO's take-profit is the order itself."""
    match terms.order_class:
        case OrderClass.BRACKET:
            return {LegRole.TAKE_PROFIT, LegRole.STOP_LOSS}
        case OrderClass.OCO:
            return {LegRole.STOP_LOSS}
        case _:
            return set()
