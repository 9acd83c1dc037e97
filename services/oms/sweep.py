"""The kill switch's arm: cancels every order that works at the broker, and again until none does."""

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from datetime import timedelta

from contracts.enums import OrderStatus, OrderType, TimeInForce
from contracts.ids import OPERATOR
from projections.order_state import OrderState
from services.oms.brokers.port import Broker, BrokerOrder, BrokerThrottledError, BrokerUnreachableError
from services.oms.core import OmsCore
from services.oms.desk import OrderDesk
from services.oms.kill import KillSwitch
from services.oms.proof import ProofDesk
from services.oms.sender import Sender
from services.oms.state import key_of

_TAKEN = "pending_new"
"""The broker has the order and the venue has not: `accepted` is what waits for a market to open, and may wait."""
STUCK_AFTER = timedelta(seconds=10)
_AUCTIONS = frozenset({TimeInForce.OPG, TimeInForce.CLS})


@dataclass(frozen=True, slots=True)
class SweepWaits:
    """Milliseconds between looks while a switch is on: at first, and once nothing works.

    While something works on against every request the wait doubles from the first to the second; while the proof
    of a kill is owed, to the third.
    """

    busy_ms: int = 100
    calm_ms: int = 5_000
    owed_ms: int = 1_000


@dataclass(frozen=True, slots=True)
class SweepParts:
    """The parts of the OMS that a sweep works with."""

    desk: OrderDesk
    sender: Sender
    kill: KillSwitch
    proof: ProofDesk


class Sweep:
    """Looks at what the broker itself shows, so orders that the journal does not know are canceled too."""

    def __init__(self, broker: Broker, core: OmsCore, parts: SweepParts, waits: SweepWaits | None = None) -> None:
        """Stand between the switch and the broker."""
        self._broker = broker
        self._desk = parts.desk
        self._sender = parts.sender
        self._kill = parts.kill
        self._core = core
        self._proof = parts.proof
        self._waits = waits or SweepWaits()

    async def run(self) -> None:
        """Sleep while the switches are off; sweep while one says cancel, and see to it that kills are proved."""
        while True:
            await self._kill.moved.wait()
            self._kill.moved.clear()
            await self._proof.settle_blocks()
            wait_ms = self._waits.busy_ms
            while self._kill.cancels:
                busy = await self._sweep() or self._proof.is_owed
                last_ms = self._waits.owed_ms if self._proof.is_owed else self._waits.calm_ms
                if await self._moved_within_ms(wait_ms if busy else self._waits.calm_ms):
                    await self._proof.settle_blocks()
                wait_ms = min(wait_ms * 2, last_ms) if busy else self._waits.busy_ms

    async def _sweep(self) -> bool:
        """Ask for one cancel of each order that may not work; say whether another look is due soon."""
        try:
            reports = await self._broker.open_orders()
        except BrokerThrottledError:
            # Only questions wait: cancels go on, and of our own orders we know without asking.
            await asyncio.gather(*self._cancels_of_ours())
            return True
        except BrokerUnreachableError:
            return True
        wanted = [report for report in reports if not self._is_spared(report)]
        await asyncio.gather(*self._cancels(wanted))
        try:
            await self._proof.judge(reports)
        except BrokerUnreachableError:
            return True
        return bool(wanted or self._sender.in_hand)

    def _is_spared(self, report: BrokerOrder) -> bool:
        order = self._desk.order(key_of(report, self._core.state))
        if order is None:
            return not self._kill.ends_foreign(report.symbol)
        return not self._kill.ends(order) and not self._is_stuck(report, order)

    def _is_stuck(self, report: BrokerOrder, order: OrderState) -> bool:
        """Say whether an exit holds a flatten up: the broker took it long ago and put it not to work, or it rests.

        While it works nothing else closes the position, so an exit far from the market would trap it for ever.
        """
        waits = report.status == _TAKEN or not _takes_the_market(order)
        if not self._kill.flattens(order) or not waits or report.submitted_at is None:
            return False
        return self._desk.stamp().at - report.submitted_at > STUCK_AFTER

    def _cancels_of_ours(self) -> Iterable[Awaitable[object]]:
        for order in self._core.state.open_orders():
            asked = order.status is OrderStatus.PENDING_CANCEL or order.broker_order_id is None
            if not asked and self._kill.ends(order):
                yield self._sender.cancel(order.order_id, OPERATOR)

    def _cancels(self, reports: Iterable[BrokerOrder]) -> Iterable[Awaitable[object]]:
        for report in reports:
            order = self._desk.order(key_of(report, self._core.state))
            if report.status == "pending_cancel" or (order and order.status is OrderStatus.PENDING_CANCEL):
                continue
            if order is None or order.broker_order_id != report.broker_order_id or order.is_terminal:
                yield self._broker.cancel(report.broker_order_id)
            else:
                yield self._sender.cancel(order.order_id, OPERATOR)

    async def _moved_within_ms(self, wait_ms: int) -> bool:
        """Wait, but not longer than until a switch moves; say whether one did."""
        try:
            async with asyncio.timeout(wait_ms / 1000):
                await self._kill.moved.wait()
        except TimeoutError:
            return False
        self._kill.moved.clear()
        return True


def _takes_the_market(order: OrderState) -> bool:
    return order.terms.order_type is OrderType.MARKET and order.terms.time_in_force not in _AUCTIONS
