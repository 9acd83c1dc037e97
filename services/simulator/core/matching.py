"""Paper matching: fill what is marketable against the quote, sometimes in two or more pieces."""

import random
from collections.abc import Iterator
from decimal import Decimal

from msgspec.structs import replace

from services.simulator.core.amounts import to_tick
from services.simulator.core.numbers import NANO, ONE_DOLLAR, ZERO, plain
from services.simulator.core.orders import MATCHABLE, Execution, Order, Ticket
from services.simulator.core.quotes import Quote

MOST_PIECES = 8
CHEAP_STOP_USD = Decimal(50)
STOP_COLLAR_CHEAP = Decimal("1.04")
STOP_COLLAR = Decimal("1.025")


def is_triggered(ticket: Ticket, quote: Quote) -> bool:
    """Say whether the last trade has reached the stop; orders without a stop are always live."""
    stop = ticket.order.stop_price
    if stop is None or ticket.triggered:
        return True
    return quote.last >= stop if ticket.order.side == "buy" else quote.last <= stop


def stop_collar(stop: Decimal) -> Decimal:
    """Return the limit a triggered buy stop becomes, in dollars: 4 % above under $50, else 2.5 %."""
    return stop * (STOP_COLLAR_CHEAP if stop < CHEAP_STOP_USD else STOP_COLLAR)


def worst_price(ticket: Ticket) -> Decimal | None:
    """Return the limit that binds the order, or None when it takes any price."""
    return ticket.cap if ticket.order.limit_price is None else ticket.order.limit_price


def trail_stop(order: Order, hwm: Decimal) -> Decimal:
    """Return where the stop of a trailing order stands in dollars, given the best price seen."""
    distance = order.trail_price or hwm * (order.trail_percent or ZERO) / 100
    return to_tick(hwm - distance if order.side == "sell" else hwm + distance)


def trailed(ticket: Ticket, quote: Quote) -> Ticket:
    """Return the ticket with its stop moved after the last trade; a stop only ever moves the order's way."""
    order = ticket.order
    if order.type != "trailing_stop" or ticket.triggered:
        return ticket
    best = max if order.side == "sell" else min
    hwm = quote.last if order.hwm is None else best(order.hwm, quote.last)
    if hwm == order.hwm:
        return ticket
    return replace(ticket, order=replace(order, hwm=plain(hwm), stop_price=plain(trail_stop(order, hwm))))


def marketable_price(ticket: Ticket, quote: Quote) -> Decimal | None:
    """Return the price the order trades at now, the far side of the quote, or None when it must wait."""
    if ticket.order.status not in MATCHABLE or not is_triggered(ticket, quote):
        return None
    worst = worst_price(ticket)
    if ticket.order.side == "buy":
        return quote.ask if quote.ask > ZERO and (worst is None or quote.ask <= worst) else None
    return quote.bid if quote.bid > ZERO and (worst is None or quote.bid >= worst) else None


def pieces(qty: Decimal, partial_percent: int, key: str) -> Iterator[Decimal]:
    """Split a fill: with the given chance a random part comes first and the rest is looked at again.

    The same key always splits the same way, so a rerun with the same seed fills the same.
    """
    chance = random.Random(key)  # noqa: S311  # reproducible paper fills, nothing secret
    unit = ONE_DOLLAR if qty == qty.to_integral_value() else NANO
    for _ in range(MOST_PIECES):
        part = (qty * chance.randint(1, 99) / 100).quantize(unit, "ROUND_DOWN")
        if chance.randint(1, 100) > partial_percent or not ZERO < part < qty:
            break
        yield part
        qty -= part
    yield qty


def executions(ticket: Ticket, quote: Quote, partial_percent: int, seed: int) -> list[Execution]:
    """Return the executions this quote gives the order, oldest first; empty when it must wait."""
    price = marketable_price(ticket, quote)
    if price is None:
        return []
    qty = ticket.remaining(price)
    if qty <= ZERO:
        return []
    percent = 0 if ticket.order.time_in_force == "fok" else partial_percent
    key = f"{seed}:{ticket.order.client_order_id}:{ticket.executions}"
    return [Execution(part, plain(price)) for part in pieces(qty, percent, key)]
