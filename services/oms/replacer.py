"""New terms for orders that work: asked of the broker once, and followed until it is known what came of them.

The approval in the journal is the write-ahead record, and a request is recorded before it goes. It carries an id made
of the order's and the decision's, so whether it ever arrived can be looked up, and a repeat can only name the same.
"""

import asyncio
from functools import partial
from typing import assert_never

from contracts.enums import EndCause, OrderStatus
from contracts.ids import OrderId
from projections.order_state import OrderState
from services.oms import succession
from services.oms.brokers.port import (
    Ambiguous,
    Broker,
    BrokerUnreachableError,
    NotSent,
    RateLimited,
    ReplaceAccepted,
    ReplaceRefused,
)
from services.oms.decider import ReplaceAsked, ReplaceFailed, Succeeded
from services.oms.desk import OrderDesk
from services.oms.kill import KillSwitch
from services.oms.kin import Kin
from services.oms.state import ENDED_AT_BROKER
from services.oms.waits import SenderWaits
from services.runtime.ports import Clock

REPLACES_IN_FLIGHT_MAX = 8
_NOT_AT_BROKER = frozenset({OrderStatus.PENDING_SUBMIT, OrderStatus.UNKNOWN})


class Replacer:
    """Carries out approved replacements, one at a time for each order."""

    def __init__(
        self, broker: Broker, desk: OrderDesk, kill: KillSwitch, clock: Clock, kin: Kin, waits: SenderWaits
    ) -> None:
        """Stand between the desk and the broker."""
        self._broker = broker
        self._desk = desk
        self._kill = kill
        self._clock = clock
        self._kin = kin
        self._waits = waits
        self._slots = asyncio.Semaphore(REPLACES_IN_FLIGHT_MAX)
        self.at_work: set[OrderId] = set()

    def doubt(self, order_id: OrderId) -> None:
        """Note that a predecessor may have asked for what `replace` is about to look up."""
        self._kill.may_have_set_out(_request(order_id), self._desk.order(order_id))

    async def replace(self, order_id: OrderId, *, perhaps_asked: bool = False) -> None:
        """Ask for what was approved and follow it; what a predecessor may have asked for is looked up first."""
        if order_id in self.at_work:
            return
        self.at_work.add(order_id)
        try:
            async with self._desk.news_of(order_id) as news:
                await self._carry_out(order_id, news, asked=perhaps_asked)
        finally:
            self.at_work.discard(order_id)
            self._kill.flights.settle(_request(order_id))

    async def _carry_out(self, order_id: OrderId, news: asyncio.Event, *, asked: bool) -> None:
        wait_ms, misses = (0 if asked else self._waits.retry_first_ms), 0
        while (order := self._open(order_id)) is not None:
            if not asked:
                asked, wait_ms = await self._ask(order, wait_ms, news), self._waits.lookup_first_ms
                misses = 0
                if not asked:
                    continue
            await _pause(news, wait_ms)
            news.clear()
            wait_ms = min(max(wait_ms * 2, self._waits.lookup_first_ms), self._waits.lookup_last_ms)
            try:
                arrived = await self._look(order_id)
            except BrokerUnreachableError as error:
                wait_ms = max(wait_ms, error.retry_after_ms or 0)
                continue
            misses = 0 if arrived else misses + 1
            asked = not await self._may_ask_again(order_id, misses)

    def _open(self, order_id: OrderId) -> OrderState | None:
        order = self._desk.order(order_id)
        return None if order is None or order.replacement is None else order

    async def _ask(self, order: OrderState, wait_ms: int, news: asyncio.Event) -> bool:
        """Send the request when it may go; say whether it may have arrived."""
        if (cause := self._blocked(order)) is not None:
            await self._desk.tell(order.order_id, ReplaceFailed(cause))
            return False
        if order.broker_order_id is None or order.status in _NOT_AT_BROKER:
            await asyncio.sleep(wait_ms / 1000)
            return False
        after, is_first = order, order.status is not OrderStatus.PENDING_REPLACE
        if is_first:
            after = await self._desk.tell(order.order_id, ReplaceAsked()) or order
        news.clear()
        return await self._send(after, is_first=is_first)

    async def _send(self, order: OrderState, *, is_first: bool) -> bool:
        wanted, new_id = order.replacement, succession.replacement_id(order)
        if wanted is None or new_id is None or order.broker_order_id is None:
            return False
        changes = succession.changes(order, wanted)
        async with self._slots:
            # Recording took its time, and so did the wait for a turn: this is asked right before the bytes go.
            if (cause := self._blocked(self._desk.order(order.order_id) or order)) is not None:
                if is_first:
                    await self._desk.tell(order.order_id, ReplaceFailed(cause))
                return not is_first
            self._desk.require_lease()
            may_go = partial(self._may_go, order)
            outcome = await self._broker.replace(
                order.broker_order_id, new_id, changes, reduces=order.reduces, still_may=may_go
            )
        self._kill.flights.end(_request(order.order_id), answered=not isinstance(outcome, Ambiguous))
        match outcome:
            case ReplaceAccepted() | Ambiguous():
                return True
            case ReplaceRefused(detail=detail):
                return not await self._has_refused(order.order_id, detail)
            case RateLimited(retry_after_ms=pause_ms):
                await asyncio.sleep(min(pause_ms, self._waits.retry_last_ms) / 1000)
                return False
            case NotSent():
                await asyncio.sleep(self._waits.retry_last_ms / 1000)
                return False
            case _:
                assert_never(outcome)

    async def _has_refused(self, order_id: OrderId, detail: str) -> bool:
        """Believe a refusal once the broker does not show the request either: an earlier one may have arrived."""
        try:
            if await self._look(order_id):
                return False
        except BrokerUnreachableError:
            return False
        await self._desk.tell(order_id, ReplaceFailed(detail))
        return True

    async def _look(self, order_id: OrderId) -> bool:
        """Ask what became of an order and of its replacement, record it, and say whether the request ever arrived."""
        await self._kin.follow(order_id)
        order = self._open(order_id)
        new_id = None if order is None else succession.replacement_id(order)
        if new_id is None:
            return True
        report = await self._broker.order_by_client_id(new_id)
        if report is None:
            return False
        if report.status == "filled":
            await self._desk.take(order_id, Succeeded(report))
        elif report.status in ENDED_AT_BROKER:
            # The old order was not told as replaced, so this one ended before it took its place.
            await self._kin.follow(order_id)
            await self._desk.tell(order_id, ReplaceFailed(f"the broker's new order is {report.status}"))
        return True

    async def _may_ask_again(self, order_id: OrderId, misses: int) -> bool:
        """Decide, after so many look-ups that found nothing, whether to ask again or to give up."""
        order = self._open(order_id)
        if order is None or not misses:
            return False
        if order.is_terminal:
            await self._desk.tell(order_id, ReplaceFailed(f"the order is {order.status}"))
        elif misses >= self._waits.misses_to_resend and self._blocked(order) is None:
            return True
        elif misses >= self._waits.misses_to_give_up:
            await self._desk.tell(order_id, ReplaceFailed(EndCause.NEVER_ARRIVED))
        return False

    def _may_go(self, order: OrderState) -> bool:
        """Ask again when the connection is there, for waiting took its time; what may go does in this step."""
        if self._blocked(order) is not None:
            return False
        self._kill.sets_out(_request(order.order_id), order)
        return True

    def _blocked(self, order: OrderState) -> str | None:
        """Say why new terms may not be asked for at this moment."""
        if order.is_terminal:
            return f"the order is {order.status}"
        if self._kill.blocks(order):
            return EndCause.KILL_SWITCH
        valid_until = None if order.replacement is None else order.replacement.valid_until
        if valid_until is None or self._clock.now() >= valid_until:
            return EndCause.DECISION_STALE
        return None


def _request(order_id: OrderId) -> str:
    """Name a request for new terms: there is never more than one of an order."""
    return f"new terms of {order_id}"


async def _pause(news: asyncio.Event, wait_ms: int) -> None:
    """Wait, but not longer than until something happens to the order."""
    try:
        async with asyncio.timeout(wait_ms / 1000):
            await news.wait()
    except TimeoutError:
        return
