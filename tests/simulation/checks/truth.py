"""Invariant 4 and 5: after all has calmed down, the journal's fills, positions and cash are the broker's."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from contracts.enums import Side
from tests.simulation.checks.reading import ZERO, Entry, NaiveBook, NaiveOrder
from tests.simulation.venue import VenueOrder
from tests.simulation.world import World

CENT = Decimal("0.01")
CLOCKS_DIFFER = timedelta(seconds=1)
OPENING_USD = Decimal(100_000)


def the_books_agree(world: World, entries: list[Entry]) -> Iterator[str]:
    """Compare every order, position and the cash with the broker's own."""
    book = NaiveBook()
    opened_at: datetime | None = None
    for entry in entries:
        book.take(entry)
        if entry.tag == "broker.cash_moved" and entry.event.kind == "opening":
            opened_at = opened_at or entry.event.at
        if entry.tag == "broker.position_adopted" and opened_at is not None:
            yield f"#{entry.seq} shares were adopted into open books: {entry.event.symbol} {entry.event.qty}"
    for seq in book.strange:
        yield f"#{seq} is a fill of an order that nothing valid began"
    before = [o for o in world.venue.orders if _name(o) not in book.orders and _is_from_before(o, opened_at)]
    for order in world.venue.orders:
        if order not in before:
            yield from _compare(order, book.orders.get(_name(order)))
    for order in book.orders.values():
        if order.status == "open":
            yield f"{order.order_id} is still open in the journal, and its reservation stands"
    yield from _compare_adopted(book, before)
    yield from _compare_totals(world, book, before)


def _is_from_before(order: VenueOrder, opened_at: datetime | None) -> bool:
    """Say whether an order placed by hand had ended before our books were opened: it is in the positions adopted."""
    foreign = not order.client_order_id.startswith("lg-")
    return foreign and not order.is_open and opened_at is not None and order.updated_at <= opened_at + CLOCKS_DIFFER


def _compare_adopted(book: NaiveBook, before: list[VenueOrder]) -> Iterator[str]:
    for symbol in sorted({*book.adopted, *(order.terms.symbol for order in before)}):
        traded = sum((_signed(order) for order in before if order.terms.symbol == symbol), ZERO)
        if book.adopted.get(symbol, ZERO) != traded:
            yield f"{book.adopted.get(symbol, ZERO)} {symbol} were adopted, {traded} were traded before us"


def _signed(order: VenueOrder) -> Decimal:
    return order.filled_qty if order.terms.side is Side.BUY else -order.filled_qty


def _name(order: VenueOrder) -> str:
    mine = order.client_order_id.startswith("lg-")
    return order.client_order_id if mine else f"ext-{order.broker_order_id}"


def _compare(theirs: VenueOrder, ours: NaiveOrder | None) -> Iterator[str]:
    if ours is None:
        if _counts(theirs):
            yield f"the journal does not know {theirs.client_order_id} ({theirs.status}, {theirs.filled_qty} filled)"
        return
    if ours.filled_qty != theirs.filled_qty:
        yield f"{ours.order_id}: the journal has {ours.filled_qty} filled, the broker {theirs.filled_qty}"
    if abs(ours.filled_usd - theirs.filled_usd) >= CENT:
        yield f"{ours.order_id}: the journal has {ours.filled_usd} USD filled, the broker {theirs.filled_usd}"
    if ours.status != theirs.status:
        yield f"{ours.order_id} is {ours.status} in the journal, {theirs.status} at the broker"


def _counts(order: VenueOrder) -> bool:
    """Say whether an order must be known: a foreign one that came and went unfilled, unseen, left nothing."""
    return order.client_order_id.startswith("lg-") or order.is_open or bool(order.filled_qty)


def _compare_totals(world: World, book: NaiveBook, before: list[VenueOrder]) -> Iterator[str]:
    for symbol in sorted(world.venue.quotes):
        held = world.venue.holdings.get(symbol)
        theirs = ZERO if held is None else held.qty
        if book.position(symbol) != theirs:
            yield f"the journal holds {book.position(symbol)} {symbol}, the broker {theirs}"
    cash = OPENING_USD - sum((o.sign * o.filled_usd for o in book.orders.values()), ZERO)
    cash -= sum((o.filled_usd if o.terms.side is Side.BUY else -o.filled_usd for o in before), ZERO)
    if abs(cash - world.venue.cash_usd) >= CENT:
        yield f"the journal's cash is {cash} USD, the broker's {world.venue.cash_usd}"
