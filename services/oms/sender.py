"""What goes to the broker: submits and cancels, each once on purpose, and the look-ups that follow any doubt.

The approval in the journal is the write-ahead record: submit, then record. Whether an order may go is asked right
before its bytes do. An order in doubt stays UNKNOWN until the broker says what became of it.
"""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any

from contracts.enums import EndCause, OrderStatus
from contracts.ids import AgentId, OrderId
from projections.order_state import OrderState
from services.oms.brokers.port import (
    Ambiguous,
    Broker,
    BrokerOrder,
    BrokerUnreachableError,
    CancelAccepted,
    CancelOutcome,
    CancelRefused,
    NotSent,
    RateLimited,
    Rejected,
    SubmitOutcome,
)
from services.oms.decider import Blocked, CancelAsked, CancelFailed, NeverArrived, Reported, SubmitAnswered
from services.oms.desk import OrderDesk
from services.oms.kill import KillSwitch
from services.oms.kin import Kin
from services.oms.replacer import Replacer
from services.oms.state import is_unsent
from services.oms.waits import SenderWaits
from services.runtime.ports import Clock

SUBMITS_IN_FLIGHT_MAX = 32
EXITS_IN_FLIGHT_MAX = 16
"""Orders that only reduce have their own: new risk that waits must never stand before an exit."""
CANCELS_IN_FLIGHT_MAX = 8
LOOK_UPS_IN_FLIGHT_MAX = 8


class Sender:
    """Sends what was approved; every method may run beside any other, also for the same order."""

    def __init__(
        self, broker: Broker, desk: OrderDesk, kill: KillSwitch, clock: Clock, waits: SenderWaits | None = None
    ) -> None:
        """Stand between the desk and the broker."""
        self._broker = broker
        self._desk = desk
        self._kill = kill
        self._clock = clock
        self._waits = waits or SenderWaits()
        self._submit_slots = asyncio.Semaphore(SUBMITS_IN_FLIGHT_MAX)
        self._exit_slots = asyncio.Semaphore(EXITS_IN_FLIGHT_MAX)
        self._cancel_slots = asyncio.Semaphore(CANCELS_IN_FLIGHT_MAX)
        self._look_up_slots = asyncio.Semaphore(LOOK_UPS_IN_FLIGHT_MAX)
        self._refused: dict[OrderId, Rejected] = {}
        """What the broker said to a sending that was not the first: it counts once no earlier one can arrive."""
        self.in_hand: set[OrderId] = set()
        """Orders whose submit or look-up is under way: nobody else may draw conclusions about them."""
        kin = Kin(broker, desk, self.in_hand)
        self.replacer = Replacer(broker, desk, kill, clock, kin, self._waits)

    async def submit(self, order_id: OrderId) -> None:
        """Send an approved order and follow it until its fate is known."""
        if order_id in self.in_hand:
            return
        self.in_hand.add(order_id)
        try:
            async with self._slots(order_id):
                order = await self._send(order_id)
            if order is not None and order.status is OrderStatus.UNKNOWN:
                await self._resolve(order_id)
        finally:
            self._let_go(order_id)

    def resume(self, order_id: OrderId) -> Coroutine[Any, Any, None]:
        """Take up, after a restart, an order of which the journal knows the approval or a doubt: ask first.

        The doubt is noted in this step: a kill that comes before the first question must know of it.
        """
        self._kill.may_have_set_out(order_id, self._desk.order(order_id))
        return self._resume(order_id)

    async def _resume(self, order_id: OrderId) -> None:
        if order_id in self.in_hand:
            return
        self.in_hand.add(order_id)
        try:
            await self._resolve(order_id)
        finally:
            self._let_go(order_id)

    def _let_go(self, order_id: OrderId) -> None:
        self.in_hand.discard(order_id)
        self._refused.pop(order_id, None)
        self._kill.flights.settle(order_id)

    async def cancel(self, order_id: OrderId, requested_by: AgentId, cause: EndCause | None = None) -> None:
        """Ask for a cancel until the broker has said something to it, and record that.

        Asking again does no harm, but an answer that was lost is first looked up; there is no last attempt. A cause
        of our own is recorded first: the order's end may be quicker than the broker's answer, and names it.
        """
        wish = CancelAsked(requested_by, cause)
        if cause is not None:
            await self._desk.tell(order_id, wish)
        wait_ms = self._waits.retry_first_ms
        while (broker_order_id := await self._cancelable(order_id)) is not None:
            async with self._cancel_slots:
                outcome = await self._broker.cancel(broker_order_id)
            if isinstance(outcome, CancelAccepted):
                await self._desk.tell(order_id, wish)
                return
            if isinstance(outcome, CancelRefused):
                if await self._after_refusal(order_id, wish, broker_order_id, outcome.detail):
                    return
            elif isinstance(outcome, Ambiguous) and await self._is_canceling(order_id, wish):
                return
            await asyncio.sleep(self._pause_ms(outcome, wait_ms) / 1000)
            wait_ms = min(wait_ms * 2, self._waits.lookup_last_ms)

    def replace(self, order_id: OrderId, *, perhaps_asked: bool = False) -> Coroutine[Any, Any, None]:
        """Ask for new terms that were approved, and follow what becomes of them; a doubt is noted in this step."""
        if perhaps_asked:
            self.replacer.doubt(order_id)
        return self.replacer.replace(order_id, perhaps_asked=perhaps_asked)

    async def _cancelable(self, order_id: OrderId) -> str | None:
        """Wait until the broker's id of an order is known; None when the order has ended, or is nobody's."""
        wait_ms = self._waits.retry_first_ms
        while (order := self._desk.order(order_id)) is not None and not order.is_terminal:
            if order.broker_order_id is not None:
                return order.broker_order_id
            await asyncio.sleep(wait_ms / 1000)
            wait_ms = min(wait_ms * 2, self._waits.retry_last_ms)
        return None

    async def look_up(self, order_id: OrderId) -> BrokerOrder | None:
        """Ask for an order and record what is new; None when the broker does not have it."""
        order = self._desk.order(order_id)
        known_as = None if order is None else order.broker_order_id
        async with self._look_up_slots:
            if known_as is None:
                report = await self._broker.order_by_client_id(order_id)
            else:
                report = await self._broker.order_by_id(known_as)
        if report is not None:
            await self._desk.tell(order_id, Reported(report))
        return report

    async def _send(self, order_id: OrderId, *, perhaps_again: bool = False) -> OrderState | None:
        """Submit until the bytes went out or the order may not go any more; give the order after that.

        One that may have gone `perhaps_again`, under a predecessor, is not ended here: its first request may still
        be on its way.
        """
        wait_ms = self._waits.retry_first_ms
        while True:
            order = self._desk.order(order_id)
            if order is None or order.status not in {OrderStatus.PENDING_SUBMIT, OrderStatus.UNKNOWN}:
                return order
            if (cause := self._blocked(order)) is not None:
                return order if perhaps_again else await self._desk.tell(order_id, Blocked(cause))
            self._desk.require_lease()
            outcome = await self._broker.submit(
                order_id, order.terms, reduces=order.reduces, still_may=partial(self._may_go, order)
            )
            self._kill.flights.end(order_id, answered=not isinstance(outcome, Ambiguous))
            if not isinstance(outcome, (RateLimited, NotSent)):
                if isinstance(outcome, Rejected) and (perhaps_again or order.status is OrderStatus.UNKNOWN):
                    self._refused[order_id] = outcome
                    return order  # the first sending may be what this one was refused for, or still come: ask on
                return await self._desk.tell(order_id, SubmitAnswered(outcome))
            wait_ms = min(wait_ms * 2, self._waits.retry_last_ms)
            await asyncio.sleep(self._pause_ms(outcome, wait_ms) / 1000)

    async def _resolve(self, order_id: OrderId) -> None:
        """Ask the broker until it shows the order or has said often enough that it has none."""
        misses = 0
        wait_ms = 0 if self._is_unsent(order_id) else self._waits.lookup_first_ms
        while True:
            await asyncio.sleep(wait_ms / 1000)
            order = self._desk.order(order_id)
            if order is None or order.status not in {OrderStatus.PENDING_SUBMIT, OrderStatus.UNKNOWN}:
                return
            wait_ms = min(max(wait_ms * 2, self._waits.lookup_first_ms), self._waits.lookup_last_ms)
            try:
                if await self.look_up(order_id) is not None:
                    return
            except BrokerUnreachableError as error:
                wait_ms = max(wait_ms, error.retry_after_ms or 0)
                continue
            misses += 1
            if await self._after_miss(order, misses):
                return

    async def _after_miss(self, order: OrderState, misses: int) -> bool:
        """Send again what may still go, give up what has gone for long enough; say whether that settled it."""
        unsent, cause, refused = is_unsent(order), self._blocked(order), self._refused.get(order.order_id)
        if cause is None and refused is None and (unsent or misses >= self._waits.misses_to_resend):
            async with self._slots(order.order_id):
                after = await self._send(order.order_id, perhaps_again=True)
            return after is None or after.status not in {OrderStatus.PENDING_SUBMIT, OrderStatus.UNKNOWN}
        if misses >= self._waits.misses_to_give_up:
            never = Blocked(cause) if unsent and cause else NeverArrived()
            await self._desk.tell(order.order_id, SubmitAnswered(refused) if refused else never)
            return True
        return False

    async def _is_canceling(self, order_id: OrderId, wish: CancelAsked) -> bool:
        """See whether a request whose answer was lost has arrived."""
        try:
            report = await self.look_up(order_id)
        except BrokerUnreachableError:
            return False
        if report is None or report.status != "pending_cancel":
            return False  # an order that has ended needs no cancel any more, which the caller sees by itself
        await self._desk.tell(order_id, wish)
        return True

    async def _after_refusal(self, order_id: OrderId, wish: CancelAsked, asked: str, detail: str) -> bool:
        """See what the order is like now: ended, being canceled already, or working on against our wish.

        False when another of the broker's orders has taken its place meanwhile, which must be asked for itself.
        """
        try:
            report = await self.look_up(order_id)
        except BrokerUnreachableError as error:
            detail, report = f"{detail}; {error.detail}", None
        order = self._desk.order(order_id)
        if order is None or order.is_terminal:
            return True
        if order.broker_order_id != asked:
            return False
        pending = report is not None and report.status == "pending_cancel"
        await self._desk.tell(order_id, wish if pending else CancelFailed(detail))
        return True

    def _slots(self, order_id: OrderId) -> asyncio.Semaphore:
        order = self._desk.order(order_id)
        return self._exit_slots if order is not None and order.reduces else self._submit_slots

    def _pause_ms(self, outcome: SubmitOutcome | CancelOutcome, wait_ms: int) -> int:
        """Wait as long as a rate limit asks, but ask again now and then whether the order may still go.

        Asking costs no request: while its time runs, the adapter's budget turns new risk away by itself.
        """
        return min(outcome.retry_after_ms, self._waits.retry_last_ms) if isinstance(outcome, RateLimited) else wait_ms

    def _is_unsent(self, order_id: OrderId) -> bool:
        order = self._desk.order(order_id)
        return order is not None and is_unsent(order)

    def _may_go(self, order: OrderState) -> bool:
        """Ask again when the connection is there, for waiting took its time; what may go does in this step."""
        if self._blocked(order) is not None:
            return False
        self._kill.sets_out(order.order_id, order)
        return True

    def _blocked(self, order: OrderState) -> EndCause | None:
        """Say why an order may not go to the broker at this moment."""
        if self._kill.blocks(order):
            return EndCause.KILL_SWITCH
        if order.valid_until is None or self._clock.now() >= order.valid_until:
            return EndCause.DECISION_STALE
        return None
