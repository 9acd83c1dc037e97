"""Brackets, OCO and OTO: orders that wake, shrink and end together."""

from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from services.simulator.core.complex_forms import Exits
from services.simulator.core.ids import Ids
from services.simulator.core.numbers import ZERO
from services.simulator.core.orders import Order, Role, Side, Ticket
from services.simulator.core.recorder import Recorder

ENDINGS = {"canceled": "canceled_at", "expired": "expired_at"}


def opposite(side: Side) -> Side:
    """Return the other side."""
    return "sell" if side == "buy" else "buy"


def top_role(order_class: str) -> Role:
    """Return the role of the order that was sent: an OCO's is the take-profit, the others' the entry."""
    return "take_profit" if order_class == "oco" else "entry"


def exit_tickets(top: Ticket, found: Exits, ids: Ids) -> list[Ticket]:
    """Return the exits that hang on a sent order; those of an entry wait for it."""
    made: list[Ticket] = []
    if found.take_profit_price is not None and found.order_class != "oco":
        made.append(_exit(top, "take_profit", "limit", ids, found.take_profit_price))
    if found.stop_price is not None:
        kind = "stop" if found.stop_limit_price is None else "stop_limit"
        made.append(_exit(top, "stop_loss", kind, ids, found.stop_limit_price, found.stop_price))
    return made


def _exit(  # the two prices tell the three kinds of exits apart
    top: Ticket, role: Role, kind: str, ids: Ids, limit: Decimal | None, stop: Decimal | None = None
) -> Ticket:
    waiting = top.order.group_role == "entry"
    side = opposite(top.order.side) if waiting else top.order.side
    order = replace(
        top.order,
        id=ids.uuid(),
        client_order_id=ids.uuid(),
        order_type=kind,
        type=kind,
        side=side,
        position_intent=f"{side}_to_close",
        limit_price=limit,
        stop_price=stop,
        status="held" if waiting else top.order.status,
        group_role=role,
    )
    return Ticket(
        order=order,
        rank=top.rank,
        closing_qty=order.qty or ZERO,
        parent_id=top.order.id,
        waiting=waiting,
    )


class Groups:
    """What happens to the other members of a group when one of them executes or ends."""

    def __init__(self, recorder: Recorder) -> None:
        """Work on the recorder's book."""
        self._recorder = recorder

    def executed(self, ticket: Ticket, now: datetime) -> list[Ticket]:
        """Follow an execution: a filled entry wakes its exits, an exit shrinks or ends the other exit.

        Returns the exits that were woken; each still needs its first look at the quote.
        """
        role = ticket.order.group_role
        siblings = self._recorder.book.siblings(ticket)
        if role == "entry":
            return [] if ticket.is_open else self._wake_all(ticket, siblings, now)
        for sibling in siblings:
            if sibling.order.group_role == "entry":
                continue
            if ticket.is_open:
                self._shrink(sibling, ticket.remaining(), now, reason="OTHER_EXIT_PARTIALLY_FILLED")
            else:
                self._end(sibling, "canceled", now)
        return []

    def ended(self, ticket: Ticket, now: datetime) -> None:
        """Follow a cancel or an expiry: whatever of the group is still open ends the same way."""
        if ticket.order.status in ENDINGS:
            for sibling in self._recorder.book.siblings(ticket):
                self._end(sibling, ticket.order.status, now)

    def adopt(self, old: Ticket, fresh: Ticket) -> None:
        """Hang the exits of a replaced order on its replacement."""
        for sibling in self._recorder.book.siblings(fresh):
            if sibling.parent_id == old.order.id:
                self._recorder.put(replace(sibling, parent_id=fresh.order.id))

    def _wake_all(self, entry: Ticket, siblings: list[Ticket], now: datetime) -> list[Ticket]:
        """Wake the exits for what is there to exit; shares that left by another order meanwhile are not sold."""
        book, symbol = self._recorder.book, entry.order.symbol
        held = book.qty(symbol) if entry.order.side == "buy" else -book.qty(symbol)
        free = min(entry.order.filled_qty, held - book.held_qty(symbol))
        if free <= ZERO:
            for sibling in siblings:
                self._end(sibling, "canceled", now)
            return []
        for sibling in siblings:
            self._shrink(sibling, free, now, reason="POSITION_REDUCED")
        return [self._wake(sibling, now) for sibling in book.siblings(entry)]

    def _wake(self, sibling: Ticket, now: datetime) -> Ticket:
        awake = self._recorder.put(replace(sibling, waiting=False))
        if awake.order.status != "held":
            return awake  # a cancel or a replacement is under way and will find it awake
        awake = self._recorder.move(awake, now, status="new", submitted_at=now)
        self._recorder.tell("new", awake, now)
        return awake

    def _shrink(self, sibling: Ticket, left: Decimal, now: datetime, *, reason: str) -> None:
        qty = sibling.order.filled_qty + left
        if sibling.order.qty == qty:
            return
        smaller = replace(sibling, closing_qty=qty, total_qty=None if sibling.total_qty is None else qty)
        smaller = self._recorder.move(smaller, now, qty=qty)
        self._recorder.tell("restated", smaller, now, reason=reason)

    def _end(self, sibling: Ticket, status: str, now: datetime) -> None:
        ended = self._recorder.move(sibling, now, status=status, **{ENDINGS[status]: now})
        self._recorder.tell(status, ended, now)


def with_legs(top: Order, legs: list[Ticket]) -> Order:
    """Return an order in the nested form: its exits under `legs`, null when it has none."""
    return replace(top, legs=[leg.order for leg in legs] or None)
