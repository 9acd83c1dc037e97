"""Compares what the journal says with what the broker shows, and writes the difference as events.

A full comparison, at start and after each time the link was down, trusts nothing: it asks for every order that may
have changed unheard. The comparisons between them leave alone what moved since the one before, because its own
updates are on their way; a difference that stays is real. One that nothing explains makes the next comparison full.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from contracts.broker import Reconciled
from contracts.enums import OrderStatus
from contracts.ids import OrderId
from projections.order_state import OrderState
from services.oms import books
from services.oms.bookkeeper import IN_DOUBT, Bookkeeper
from services.oms.breaks import BreakDesk
from services.oms.brokers.port import Broker, BrokerOrder
from services.oms.comparison import Comparison
from services.oms.core import OmsCore
from services.oms.decider import CancelFailed, Reported
from services.oms.desk import OrderDesk
from services.oms.sender import Sender
from services.oms.state import ENDED_AT_BROKER, OVERLAP, adopts_since
from services.runtime.ports import Clock

RECORD_EVERY_MS = 30_000
"""A comparison that found nothing is recorded this often, and twice within the age that risk allows."""
SUSPECTS_PER_COMPARISON = 8
"""Orders under suspicion that are asked for one by one; the others wait for the next comparison."""
_ENDED_SHORT = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED})


@dataclass(frozen=True, slots=True)
class Hands:
    """Who does the work of a comparison."""

    desk: OrderDesk
    sender: Sender
    keeper: Bookkeeper
    breaks: BreakDesk


class Reconciler:
    """One account's comparisons, one at a time."""

    def __init__(self, broker: Broker, hands: Hands, core: OmsCore, clock: Clock) -> None:
        """Stand between the desk and the broker."""
        self._broker = broker
        self._desk = hands.desk
        self._sender = hands.sender
        self._keeper = hands.keeper
        self._breaks = hands.breaks
        self._core = core
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._fills_wanted = False
        self._seen_seq: dict[OrderId, int] = {}

    async def reconcile(self, *, full: bool, confirm_after_ms: int = 0) -> Comparison:
        """Compare orders, then the account's books; raise `BrokerUnreachableError` when the broker is silent."""
        async with self._one_at_a_time:
            found = Comparison(full=full)
            await self._compare_orders(found)
            await self._keeper.observe(found, self._breaks.watched, confirm_after_ms)
            await self._breaks.settle(found)
            self._fills_wanted = found.wants_fills
            if found.is_news or self._is_due():
                await self._desk.append(self._reconciled(found))
            return found

    async def _compare_orders(self, found: Comparison) -> None:
        before = {order.order_id: order for order in self._core.state.open_orders()}
        reports = {report.broker_order_id: report for report in await self._listed(found)}
        shown: set[OrderId] = set()
        for report in reports.values():
            order_id = self._desk.name_of(report)
            shown.add(order_id)
            await self._compare(order_id, report, found)
        unseen = {o.order_id: o for o in before.values() if o.order_id not in shown and self._may_judge(o, found)}
        suspects = {o.order_id: o for o in self._suspects() if o.order_id not in shown}
        await _all(self._look_up(order, found) for order in (unseen | suspects).values())
        if found.full or self._fills_wanted:
            await self._recover_late_fills(found)
            found.asked_fills = True
        self._seen_seq = {order.order_id: order.last_seq for order in self._core.state.open_orders()}

    async def _listed(self, found: Comparison) -> Iterable[BrokerOrder]:
        """List what is open, and in a full comparison what was submitted since the last one; newest word last."""
        since = self._since()
        recent = await self._broker.orders_after(since) if found.full and since is not None else ()
        return (*recent, *await self._broker.open_orders())

    async def _compare(self, order_id: OrderId, report: BrokerOrder, found: Comparison) -> None:
        order = self._desk.order(order_id)
        if order is None:
            adopted = await self._desk.tell_of(report, Reported(report))
            found.adopted += adopted is not None
            return
        found.compared += 1
        if not self._may_judge(order, found):
            return
        await self._desk.tell(order_id, Reported(report))
        await self._judge_after(order, report, found)
        if order.status in _ENDED_SHORT and report.status not in {*ENDED_AT_BROKER, "pending_cancel"}:
            # We hold it for ended, so nothing counts its exposure: it must not work on; asked again each time.
            await self._broker.cancel(report.broker_order_id)

    async def _look_up(self, order: OrderState, found: Comparison) -> None:
        report = await self._sender.look_up(order.order_id)
        found.compared += 1
        if report is not None:
            await self._judge_after(order, report, found)
        elif order.broker_order_id is not None and not order.is_terminal:
            found.differs(books.missing_order(order))

    async def _judge_after(self, before: OrderState, report: BrokerOrder, found: Comparison) -> None:
        """Note what a report brought that no update had told, and what it leaves different."""
        after = self._desk.order(before.order_id)
        if after is None:
            return
        found.recovered += after.filled_qty > before.filled_qty
        found.unheard += after.last_seq > before.last_seq
        difference = books.order_difference(after, report)
        if difference is None:
            found.agrees(books.order_name(after.order_id))
        else:
            found.differs(difference)
        asked = after.status is OrderStatus.PENDING_CANCEL and self._is_quiet(after)
        if asked and report.status in {"new", "partially_filled", "accepted"}:
            await self._desk.tell(after.order_id, CancelFailed("the broker works on it and knows of no cancel"))

    async def _recover_late_fills(self, found: Comparison) -> None:
        """Look up what the broker's executions show that we have not counted, on ended orders too."""
        since = self._since()
        if since is None:
            return
        behind: dict[str, OrderState] = {}
        for fill in await self._broker.fills_after(since):
            named = self._core.state.names.get(fill.broker_order_id)
            order = None if named is None else self._desk.order(named)
            if order is not None and fill.cum_qty > _counted(order, fill.broker_order_id):
                behind[fill.broker_order_id] = order
        await _all(self._recover(broker_id, order, found) for broker_id, order in sorted(behind.items()))

    async def _recover(self, broker_order_id: str, order: OrderState, found: Comparison) -> None:
        """Ask for the very order of the broker's that filled, which may have been replaced since."""
        report = await self._broker.order_by_id(broker_order_id)
        if report is not None:
            await self._desk.tell(order.order_id, Reported(report))
            await self._judge_after(order, report, found)

    def _suspects(self) -> list[OrderState]:
        """List the orders whose books are in doubt; they are asked for until they agree."""
        prefix = books.order_name(OrderId(""))
        names = sorted(name for name in self._breaks.watched if name.startswith(prefix))
        orders = (self._desk.order(OrderId(name.removeprefix(prefix))) for name in names[:SUSPECTS_PER_COMPARISON])
        return [order for order in orders if order is not None and order.order_id not in self._sender.in_hand]

    def _may_judge(self, order: OrderState, found: Comparison) -> bool:
        """Say whether a report may be held against an order: it is in nobody's hand, and nothing is on its way."""
        if order.order_id in self._sender.in_hand or order.status in IN_DOUBT:
            return False
        return found.full or order.is_terminal or self._is_quiet(order)

    def _is_quiet(self, order: OrderState) -> bool:
        return self._seen_seq.get(order.order_id) == order.last_seq

    def _since(self) -> datetime | None:
        """Say from when on something may be unheard; None before the first comparison."""
        compared_at = self._core.state.compared_at
        if compared_at is None:
            return None
        return max(compared_at - OVERLAP, adopts_since(self._core.state, self._clock.now()))

    def _is_due(self) -> bool:
        """Say whether the last comparison on record grows old: risk holds its age against a limit, either way."""
        account = self._core.state.account
        last, allowed_ms = (
            account.guard.health.reconciled_at,
            account.limits and account.limits.reconciliation_age_max_ms,
        )
        every_ms = RECORD_EVERY_MS if allowed_ms is None else min(RECORD_EVERY_MS, allowed_ms // 2)
        return last is None or abs(self._clock.now() - last) >= timedelta(milliseconds=every_ms)

    def _reconciled(self, found: Comparison) -> Reconciled:
        stamp = self._desk.stamp()
        return Reconciled(
            epoch=stamp.epoch,
            at=stamp.at,
            orders_compared=found.compared,
            orders_adopted=found.adopted,
            fills_recovered=found.recovered,
            position_breaks=found.breaks,
        )


def _counted(order: OrderState, broker_order_id: str) -> Decimal:
    """Give the shares that we count for one of the broker's orders."""
    part = order.part(broker_order_id)
    return part.carried_qty + part.filled_qty


async def _all(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do all of it side by side; when something failed, say so once everything has ended."""
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
