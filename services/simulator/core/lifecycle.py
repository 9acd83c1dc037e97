"""An order's life after it was taken: acknowledged, routed, matched, canceled, replaced, expired."""

import heapq
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from functools import partial

from msgspec.structs import replace

from services.simulator.core.forms import IMMEDIATE
from services.simulator.core.matching import executions, is_triggered
from services.simulator.core.numbers import ZERO
from services.simulator.core.orders import MATCHABLE, Ticket
from services.simulator.core.quotes import Quote
from services.simulator.core.recorder import Recorder
from services.simulator.core.rules import Prices, Rules
from services.simulator.core.sessions import MarketHours, next_open


class Step(IntEnum):
    """What is due to happen to an order; at the same instant the lower number goes first."""

    ACK = 1
    ROUTE = 2
    REPLACE = 3
    MATCH = 4
    CANCEL = 5
    EXPIRE = 6


TOO_LATE_TO_CANCEL = "TOO_LATE_TO_CANCEL"

type Run = Callable[[Ticket, datetime], None]
"""One step of one order at one time."""


def later(now: datetime, ms: int) -> datetime:
    """Return the time so many milliseconds after."""
    return now + timedelta(milliseconds=ms)


class Lifecycle:
    """Runs the steps that are due; time comes in as an argument, so replays are exact."""

    def __init__(self, recorder: Recorder, rules: Rules, prices: Prices) -> None:
        """Work on the recorder's book, by these rules, against these prices."""
        self.rules = rules
        self.hours = MarketHours(rules.always_open)
        self._recorder = recorder
        self._prices = prices
        self._due: list[tuple[datetime, int, int, str]] = []
        self._order = 0
        self._steps: dict[Step, Run] = {
            Step.ACK: self._ack,
            Step.ROUTE: self._route,
            Step.MATCH: self._match,
            Step.CANCEL: self._cancel,
            Step.REPLACE: self._replace,
            Step.EXPIRE: self._expire,
        }

    def resume(self, tickets: Iterable[Ticket], now: datetime) -> None:
        """Take up the open orders of an earlier run where they stood."""
        for ticket in tickets:
            status = ticket.order.status
            if status == "pending_new" and ticket.total_qty is not None:
                self.plan(now, Step.REPLACE, ticket)
            elif status in {"pending_new", "accepted"}:
                self.start(ticket, now)
            elif status == "pending_cancel":
                self.plan(now, Step.CANCEL, ticket)
            elif status in MATCHABLE:
                self.plan(max(now, ticket.eligible_at or now), Step.MATCH, ticket)
            self.plan_expiry(ticket)

    def restart(self, now: datetime) -> None:
        """Plan every open order anew, after the clock was set."""
        self._due.clear()
        for ticket in list(self._recorder.book.tickets.values()):
            if ticket.eligible_at is not None and ticket.eligible_at > now:
                self._recorder.put(replace(ticket, eligible_at=now))
        self.resume(list(self._recorder.book.tickets.values()), now)

    def divert(self, step: Step, detour: Callable[[Run, Ticket, datetime], None]) -> None:
        """Let something else run a step from now on; it is handed the usual way to run it."""
        self._steps[step] = partial(detour, self._steps[step])

    def fill_at(self, ticket: Ticket, quote: Quote, now: datetime) -> None:
        """Fill an order against a quote of its own, whatever the market shows."""
        was_pending = ticket.order.status == "pending_cancel"
        ticket = self._recorder.put(replace(ticket, triggered=True))
        for execution in executions(ticket, quote, self.rules.partial_percent, self.rules.seed):
            ticket = self._recorder.execute(ticket, execution, now)
        if was_pending and not ticket.is_open:
            self._recorder.tell("order_cancel_rejected", ticket, now, reason=TOO_LATE_TO_CANCEL)

    def refuse_cancel(self, ticket: Ticket, now: datetime) -> None:
        """Let an order go on whose cancel comes too late; one that never reached the market starts again."""
        on_its_way = ticket.eligible_at is None
        status = "pending_new" if on_its_way else "partially_filled" if ticket.order.filled_qty else "new"
        ticket = self._recorder.move(replace(ticket, cancel_requested_at=None), now, status=status)
        self._recorder.tell("order_cancel_rejected", ticket, now, reason=TOO_LATE_TO_CANCEL)
        if on_its_way:
            self.start(ticket, now)

    def refuse_replacement(self, fresh: Ticket, now: datetime) -> None:
        """Reject a replacement that was taken; the old order works on."""
        self._refuse(fresh, self._recorder.book.tickets.get(fresh.order.replaces or ""), now)

    def start(self, ticket: Ticket, now: datetime) -> None:
        """Send an order on its way: now, or at the next opening when it has to queue for it."""
        in_session = self.hours.is_tradable(now, extended=ticket.order.extended_hours)
        self.plan(later(now, self.rules.ack_ms) if in_session else next_open(now), Step.ACK, ticket)

    def plan(self, due: datetime, step: Step, ticket: Ticket) -> None:
        """Remember that a step of an order is due."""
        self._order += 1
        heapq.heappush(self._due, (due, int(step), self._order, ticket.order.id))

    def plan_expiry(self, ticket: Ticket) -> None:
        """Remember when the order's time in force ends, if it ever does."""
        if ticket.order.expires_at is not None:
            self.plan(ticket.order.expires_at, Step.EXPIRE, ticket)

    def next_due(self) -> datetime | None:
        """Return when the next step is due."""
        return self._due[0][0] if self._due else None

    def advance(self, now: datetime) -> None:
        """Run every step due by now, in order of time."""
        while self._due and self._due[0][0] <= now:
            _, step, _, order_id = heapq.heappop(self._due)
            ticket = self._recorder.book.tickets.get(order_id)
            if ticket is not None:
                self._steps[Step(step)](ticket, now)

    def quoted(self, symbol: str, now: datetime) -> None:
        """Look at the open orders of a symbol whose quote has moved."""
        for ticket in self._recorder.book.working(symbol):
            self._match(ticket, now)

    def _ack(self, ticket: Ticket, now: datetime) -> None:
        if ticket.order.status not in {"pending_new", "accepted"}:
            return
        ticket = self._recorder.move(ticket, now, status="pending_new")
        self._recorder.tell("pending_new", ticket, now)
        self.plan(later(now, self.rules.route_ms), Step.ROUTE, ticket)

    def _route(self, ticket: Ticket, now: datetime) -> None:
        if ticket.order.status != "pending_new":
            return
        eligible_at = later(now, self.rules.fill_ms)
        ticket = replace(ticket, eligible_at=eligible_at, credit_usd=ZERO, credit_qty=ZERO, total_qty=None)
        ticket = self._recorder.move(ticket, now, status="new", submitted_at=now)
        self._recorder.tell("new", ticket, now)
        self.plan(eligible_at, Step.MATCH, ticket)

    def _match(self, ticket: Ticket, now: datetime) -> None:
        if ticket.eligible_at is None or ticket.eligible_at > now or ticket.order.status not in MATCHABLE:
            return
        if self.hours.is_tradable(now, extended=ticket.order.extended_hours):
            ticket = self._fill(ticket, now)
        if ticket.is_open and ticket.order.time_in_force in IMMEDIATE:
            self._cancel(ticket, now)

    def _fill(self, ticket: Ticket, now: datetime) -> Ticket:
        quote = self._prices.quote(ticket.order.symbol)
        if quote is None:
            return ticket
        if not ticket.triggered and ticket.order.stop_price is not None and is_triggered(ticket, quote):
            ticket = self._recorder.put(replace(ticket, triggered=True))
        for execution in executions(ticket, quote, self.rules.partial_percent, self.rules.seed):
            ticket = self._recorder.execute(ticket, execution, now)
        return ticket

    def _cancel(self, ticket: Ticket, now: datetime) -> None:
        ticket = self._recorder.move(ticket, now, status="canceled", canceled_at=now)
        self._recorder.tell("canceled", ticket, now)

    def cancel_now(self, ticket: Ticket, now: datetime) -> None:
        """Cancel without waiting for the exchange, as closing everything does first."""
        self._cancel(replace(ticket, cancel_requested_at=now), now)

    def _expire(self, ticket: Ticket, now: datetime) -> None:
        ticket = self._recorder.move(ticket, now, status="expired", expired_at=now)
        self._recorder.tell("expired", ticket, now)

    def _replace(self, fresh: Ticket, now: datetime) -> None:
        old = self._recorder.book.tickets.get(fresh.order.replaces or "")
        if fresh.order.status != "pending_new" or old is None or old.order.status != "pending_replace":
            self._refuse(fresh, old, now)
            return
        left = (fresh.total_qty or ZERO) - old.order.filled_qty
        if left <= ZERO:
            self._refuse(fresh, old, now)
            return
        old = self._recorder.move(old, now, status="replaced", replaced_at=now, replaced_by=fresh.order.id)
        self._recorder.tell("replaced", old, now)
        self._route(self._resized(fresh, left), now)

    def _resized(self, fresh: Ticket, qty: Decimal) -> Ticket:
        closing = min(fresh.closing_qty, qty)
        return replace(fresh, closing_qty=closing, order=replace(fresh.order, qty=qty))

    def _refuse(self, fresh: Ticket, old: Ticket | None, now: datetime) -> None:
        if fresh.order.status == "pending_new":
            fresh = self._recorder.move(fresh, now, status="rejected", failed_at=now)
            self._recorder.tell("rejected", fresh, now, reason="TOO_LATE_TO_REPLACE")
        if old is not None and old.order.status == "pending_replace":
            old = self._recorder.move(
                old, now, status="partially_filled" if old.order.filled_qty else "new", replaced_by=None
            )
            self._recorder.tell("order_replace_rejected", old, now, reason="TOO_LATE_TO_REPLACE")
