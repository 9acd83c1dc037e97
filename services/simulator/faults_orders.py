"""Faults in an order's life: steps that never come, come too late, or end otherwise than they should."""

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from services.simulator.core.broker import Broker
from services.simulator.core.lifecycle import Run, Step, later
from services.simulator.core.matching import worst_price
from services.simulator.core.orders import Ticket
from services.simulator.core.quotes import Quote
from services.simulator.faults import Occasion
from services.simulator.faults_board import FaultBoard

HOLD_MS = 50
"""How often an order that is held asks whether it still is."""

type Detour = Callable[[Run, Ticket, datetime], None]


class OrderFaults:
    """Diverts the steps of a broker's orders that a fault may spoil."""

    def __init__(self, board: FaultBoard, broker: Broker) -> None:
        """Stand in the way of this broker's orders."""
        self._board = board
        self._broker = broker
        detours: dict[Step, Detour] = {
            Step.ACK: self._ack,
            Step.ROUTE: self._route,
            Step.CANCEL: self._cancel,
            Step.REPLACE: self._replace,
        }
        for step, detour in detours.items():
            broker.lifecycle.divert(step, detour)

    def _ack(self, usual: Run, ticket: Ticket, now: datetime) -> None:
        if self._is_held("never_acknowledged", Step.ACK, ticket, now):
            return
        if self._board.strikes("reject_later", occasion_of(ticket)):
            ticket = self._broker.recorder.move(ticket, now, status="rejected", failed_at=now)
            self._broker.recorder.tell("rejected", ticket, now, reason="REJECTED_BY_VENUE")
            return
        usual(ticket, now)

    def _route(self, usual: Run, ticket: Ticket, now: datetime) -> None:
        if not self._is_held("never_new", Step.ROUTE, ticket, now):
            usual(ticket, now)

    def _cancel(self, usual: Run, ticket: Ticket, now: datetime) -> None:
        if self._is_held("stuck_cancel", Step.CANCEL, ticket, now):
            return
        armed = self._board.strikes("lose_cancel", occasion_of(ticket))
        if armed is None:
            usual(ticket, now)
            return
        if armed.fault.outcome == "fill" and (quote := self._own_quote(ticket, now)) is not None:
            self._broker.lifecycle.fill_at(ticket, quote, now)
        else:
            self._broker.lifecycle.refuse_cancel(ticket, now)

    def _replace(self, usual: Run, fresh: Ticket, now: datetime) -> None:
        if self._board.strikes("reject_replace", occasion_of(fresh)):
            self._broker.lifecycle.refuse_replacement(fresh, now)
        else:
            usual(fresh, now)

    def _own_quote(self, ticket: Ticket, now: datetime) -> Quote | None:
        """Return a quote at which this order trades: at its own limit, else at the market."""
        quote = self._broker.prices.quote(ticket.order.symbol)
        price = worst_price(ticket)
        if quote is None or price is None:
            return quote
        return replace(quote, bid=price, ask=price, last=price, time=now)

    def _is_held(self, name: str, step: Step, ticket: Ticket, now: datetime) -> bool:
        """Say whether a fault keeps this step from happening; while it stands the step asks again."""
        if self._board.holds(name, occasion_of(ticket)) is None:
            return False
        self._broker.lifecycle.plan(later(now, HOLD_MS), step, ticket)
        return True


def occasion_of(ticket: Ticket) -> Occasion:
    """Return what faults match on."""
    order = ticket.order
    return Occasion(symbol=order.symbol, client_order_id=order.client_order_id, order_id=order.id)
