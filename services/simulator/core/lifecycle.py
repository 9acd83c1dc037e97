"""An order's life after it was taken: acknowledged, routed, matched, canceled, replaced, expired."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial

from msgspec.structs import replace

from services.simulator.core.forms import ONE_CHANCE
from services.simulator.core.groups import Groups
from services.simulator.core.matching import executions, is_triggered, trailed
from services.simulator.core.numbers import ZERO
from services.simulator.core.orders import MATCHABLE, Ticket
from services.simulator.core.quotes import Quote
from services.simulator.core.recorder import Recorder
from services.simulator.core.rules import Prices, Rules
from services.simulator.core.schedule import Schedule, Step, later
from services.simulator.core.sessions import MarketHours, next_close, next_open
from services.simulator.core.succession import Succession, working_status

LOST_TO_A_FILL = {
    "pending_cancel": ("order_cancel_rejected", "TOO_LATE_TO_CANCEL"),
    "pending_replace": ("order_replace_rejected", "TOO_LATE_TO_REPLACE"),
}


type Run = Callable[[Ticket, datetime], None]
"""One step of one order at one time."""


class Lifecycle:
    """Runs the steps that are due; time comes in as an argument, so replays are exact."""

    def __init__(self, recorder: Recorder, rules: Rules, prices: Prices) -> None:
        """Work on the recorder's book, by these rules, against these prices."""
        self.rules = rules
        self.hours = MarketHours(rules.always_open)
        self._recorder = recorder
        self._prices = prices
        self._schedule = Schedule()
        self._groups = Groups(recorder)
        self._succession = Succession(recorder, self._groups)
        self.plan = self._schedule.plan
        self.next_due = self._schedule.next_due
        self._steps: dict[Step, Run] = {
            Step.ACK: self._ack,
            Step.ROUTE: self._route,
            Step.MATCH: self._match,
            Step.CANCEL: self._cancel,
            Step.REPLACE: self._replace,
            Step.EXPIRE: self._expire,
            Step.DAY_END: self._end_day,
            Step.DAY_START: self._start_day,
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
            elif status == "done_for_day":
                self.plan(next_open(now), Step.DAY_START, ticket)
            elif status in MATCHABLE:
                self.plan(max(now, ticket.eligible_at or now), Step.MATCH, ticket)
            self.plan_end(ticket, now)

    def restart(self, now: datetime) -> None:
        """Plan every open order anew, after the clock was set."""
        self._schedule.clear()
        for ticket in list(self._recorder.book.tickets.values()):
            waits_for_close = ticket.order.time_in_force == "cls"
            if ticket.eligible_at is not None and ticket.eligible_at > now and not waits_for_close:
                self._recorder.put(replace(ticket, eligible_at=now))
        self.resume(list(self._recorder.book.tickets.values()), now)

    def divert(self, step: Step, detour: Callable[[Run, Ticket, datetime], None]) -> None:
        """Let something else run a step from now on; it is handed the usual way to run it."""
        self._steps[step] = partial(detour, self._steps[step])

    def fill_at(self, ticket: Ticket, quote: Quote, now: datetime) -> None:
        """Fill an order against a quote of its own, whatever the market shows."""
        self._fill(self._recorder.put(replace(ticket, triggered=True)), quote, now)

    def refuse_cancel(self, ticket: Ticket, now: datetime) -> None:
        """Let an order go on whose cancel comes too late; one that never reached the market starts again."""
        on_its_way = ticket.eligible_at is None and not ticket.waiting
        status = "pending_new" if on_its_way else working_status(ticket)
        ticket = self._recorder.move(replace(ticket, cancel_requested_at=None), now, status=status)
        event, reason = LOST_TO_A_FILL["pending_cancel"]
        self._recorder.tell(event, ticket, now, reason=reason)
        if on_its_way:
            self.start(ticket, now)

    def refuse_replacement(self, fresh: Ticket, now: datetime) -> None:
        """Reject a replacement that was taken; the old order works on."""
        self._succession.refuse(fresh, now)

    def start(self, ticket: Ticket, now: datetime) -> None:
        """Send an order on its way: now, or at the next opening when it has to queue for it."""
        in_session = self.hours.is_tradable(now, extended=ticket.order.extended_hours)
        self.plan(later(now, self.rules.ack_ms) if in_session else next_open(now), Step.ACK, ticket)

    def plan_end(self, ticket: Ticket, now: datetime) -> None:
        """Remember when the order's time in force ends, if it ever does, and its day if days end here."""
        if ticket.order.expires_at is not None:
            self.plan(ticket.order.expires_at, Step.EXPIRE, ticket)
        if ticket.order.time_in_force == "gtc" and self.rules.done_for_day and not self.rules.always_open:
            self.plan(next_close(now), Step.DAY_END, ticket)

    def advance(self, now: datetime) -> None:
        """Run every step due by now, in order of time."""
        for step, order_id in self._schedule.take(now):
            ticket = self._recorder.book.tickets.get(order_id)
            if ticket is not None:
                self._steps[step](ticket, now)

    def quoted(self, symbol: str, now: datetime) -> None:
        """Look at the open orders of a symbol whose quote has moved; one may end or change those after it."""
        for order_id in [ticket.order.id for ticket in self._recorder.book.working(symbol)]:
            ticket = self._recorder.book.tickets.get(order_id)
            if ticket is not None:
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
        ticket = replace(ticket, credit_usd=ZERO, credit_qty=ZERO, total_qty=None)
        if ticket.waiting:  # a replaced exit goes back to sleep
            ticket = self._recorder.move(ticket, now, status="held")
            self._recorder.tell("held", ticket, now)
            return
        ticket = self._recorder.move(ticket, now, status="new", submitted_at=now)
        self._recorder.tell("new", ticket, now)
        self._expose(ticket, now)

    def _expose(self, ticket: Ticket, now: datetime) -> None:
        """Let an order meet the market after the fill latency; a closing-auction order at the close."""
        eligible_at = later(now, self.rules.fill_ms)
        if ticket.order.time_in_force == "cls" and not self.rules.always_open:
            eligible_at = max(eligible_at, next_close(now))
        self.plan(eligible_at, Step.MATCH, self._recorder.put(replace(ticket, eligible_at=eligible_at)))

    def _match(self, ticket: Ticket, now: datetime) -> None:
        if ticket.eligible_at is None or ticket.eligible_at > now or ticket.order.status not in MATCHABLE:
            return
        order = ticket.order
        quote = self._prices.quote(order.symbol)
        in_auction = order.time_in_force == "cls"
        if quote is not None and (in_auction or self.hours.is_tradable(now, extended=order.extended_hours)):
            ticket = self._fill(self._watched(ticket, quote), quote, now)
        if ticket.is_open and order.time_in_force in ONE_CHANCE:
            self._cancel(ticket, now)

    def _watched(self, ticket: Ticket, quote: Quote) -> Ticket:
        """Follow the market with a trailing stop, and note when a stop is reached."""
        seen = trailed(ticket, quote)
        if not seen.triggered and seen.order.stop_price is not None and is_triggered(seen, quote):
            seen = replace(seen, triggered=True)
        return ticket if seen is ticket else self._recorder.put(seen)

    def _fill(self, ticket: Ticket, quote: Quote, now: datetime) -> Ticket:
        asked = LOST_TO_A_FILL.get(ticket.order.status)
        for execution in executions(ticket, quote, self.rules.partial_percent, self.rules.seed):
            ticket = self._recorder.execute(ticket, execution, now)
            for awake in self._groups.executed(ticket, now):
                self._expose(awake, now)
        if asked is not None and not ticket.is_open:
            event, reason = asked
            self._recorder.tell(event, ticket, now, reason=reason)
        return ticket

    def _cancel(self, ticket: Ticket, now: datetime) -> None:
        ticket = self._recorder.move(ticket, now, status="canceled", canceled_at=now)
        self._recorder.tell("canceled", ticket, now)
        if ticket.total_qty is None:
            self._groups.ended(ticket, now)
        else:
            self._succession.refuse(ticket, now)

    def cancel_now(self, ticket: Ticket, now: datetime) -> None:
        """Cancel without waiting for the exchange, as closing everything does first."""
        self._cancel(replace(ticket, cancel_requested_at=now), now)

    def ask_cancel(self, ticket: Ticket, now: datetime) -> None:
        """Ask the exchange to cancel an order; until it does the order may still fill."""
        ticket = self._recorder.move(ticket, now, status="pending_cancel")
        self._recorder.tell("pending_cancel", ticket, now)
        self.plan(later(now, self.rules.cancel_ms), Step.CANCEL, ticket)

    def _expire(self, ticket: Ticket, now: datetime) -> None:
        if ticket.order.time_in_force == "gtc":  # aged out: canceled like by hand
            if ticket.order.status != "pending_cancel":
                self.ask_cancel(ticket, now)
            return
        ticket = self._recorder.move(ticket, now, status="expired", expired_at=now)
        self._recorder.tell("expired", ticket, now)
        self._groups.ended(ticket, now)

    def _replace(self, fresh: Ticket, now: datetime) -> None:
        successor = self._succession.settle(fresh, now)
        if successor is not None:
            self._route(successor, now)

    def _end_day(self, ticket: Ticket, now: datetime) -> None:
        if ticket.order.status in {"new", "partially_filled"}:
            ticket = self._recorder.move(ticket, now, status="done_for_day")
            self._recorder.tell("done_for_day", ticket, now)
        self.plan(next_open(now), Step.DAY_START, ticket)

    def _start_day(self, ticket: Ticket, now: datetime) -> None:
        if ticket.order.status == "done_for_day":
            ticket = self._recorder.move(ticket, now, status=working_status(ticket))
            self._recorder.tell("new", ticket, now)
            self.plan(now, Step.MATCH, ticket)
        self.plan(next_close(now), Step.DAY_END, ticket)
