"""Invariant 4 and 5: after all has calmed down, the journal's fills, positions and cash are the broker's."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from contracts.enums import Side
from tests.simulation.checks.reading import ZERO, Entry, NaiveBook, NaiveOrder
from tests.simulation.venue_order import VenueOrder
from tests.simulation.world import World

CENT = Decimal("0.01")
CLOCKS_DIFFER = timedelta(seconds=1)
UNDOING = frozenset({"order.busted", "order.corrected"})
OPENING_USD = Decimal(100_000)


def the_books_agree(world: World, entries: list[Entry]) -> Iterator[str]:
    """Compare every order, position and the cash with the broker's own."""
    book = NaiveBook()
    opened_at = None
    for entry in entries:
        book.take(entry)
        if entry.tag == "broker.cash_moved" and entry.event.kind == "opening":
            opened_at = opened_at or entry.event.at
        if entry.tag == "broker.position_adopted" and opened_at is not None:
            yield f"#{entry.seq} shares were adopted into open books: {entry.event.symbol} {entry.event.qty}"
    for seq in book.strange:
        yield f"#{seq} is a fill of an order that nothing valid began"
    yield from (f"#{e.seq} takes a fill back that the broker never took back" for e in entries if e.tag in UNDOING)
    yield from _still_open(book)
    before = [o for o in world.venue.orders if o.name not in book.orders and _is_from_before(o, opened_at)]
    yield from _compare_orders(world, book, before)
    yield from _compare_adopted(book, before)
    yield from _compare_totals(world, book, before)


def _still_open(book: NaiveBook) -> Iterator[str]:
    for order in book.orders.values():
        if order.status == "open":
            yield f"{order.order_id} is still open in the journal, and its reservation stands"


def _is_from_before(order: VenueOrder, opened_at: datetime | None) -> bool:
    """Say whether an order placed by hand had ended before our books were opened: it is in the positions adopted."""
    if order.is_ours or order.is_open or opened_at is None:
        return False
    return order.updated_at <= opened_at + CLOCKS_DIFFER


def _compare_orders(world: World, book: NaiveBook, before: list[VenueOrder]) -> Iterator[str]:
    """Hold each logical order, whatever orders it became at the broker, against the journal's one."""
    chains: dict[str, list[VenueOrder]] = {}
    for order in world.venue.orders:
        if order not in before:
            chains.setdefault(order.name, []).append(order)
    for name, chain in chains.items():
        yield from _compare(name, chain, book.orders.get(name))


def _compare(name: str, chain: list[VenueOrder], ours: NaiveOrder | None) -> Iterator[str]:
    qty = sum((order.own_fills[0] for order in chain), ZERO)
    usd = sum((order.own_fills[1] for order in chain), ZERO)
    last = next(order for order in chain if order.new is None and (order.old is None or order.old.new is order))
    if ours is None:
        if last.is_ours or last.is_open or qty:
            yield f"the journal does not know {name} ({last.status}, {qty} filled)"
        return
    if ours.filled_qty != qty:
        yield f"{name}: the journal has {ours.filled_qty} filled, the broker {qty}"
    if abs(ours.filled_usd - usd) >= CENT:
        yield f"{name}: the journal has {ours.filled_usd} USD filled, the broker {usd}"
    if ours.status != last.status:
        yield f"{name} is {ours.status} in the journal, {last.status} at the broker"


def _compare_adopted(book: NaiveBook, before: list[VenueOrder]) -> Iterator[str]:
    for symbol in sorted({*book.adopted, *(order.terms.symbol for order in before)}):
        traded = sum((_sign(order) * order.filled_qty for order in before if order.terms.symbol == symbol), ZERO)
        if book.adopted.get(symbol, ZERO) != traded:
            yield f"{book.adopted.get(symbol, ZERO)} {symbol} were adopted, {traded} were traded before us"


def _sign(order: VenueOrder) -> int:
    return 1 if order.terms.side is Side.BUY else -1


def _compare_totals(world: World, book: NaiveBook, before: list[VenueOrder]) -> Iterator[str]:
    for symbol in sorted(world.venue.quotes):
        held = world.venue.holdings.get(symbol)
        theirs = ZERO if held is None else held.qty
        if book.position(symbol) != theirs:
            yield f"the journal holds {book.position(symbol)} {symbol}, the broker {theirs}"
    cash = OPENING_USD - sum((o.sign * o.filled_usd for o in book.orders.values()), ZERO)
    cash -= sum((_sign(order) * order.filled_usd for order in before), ZERO)
    if abs(cash - world.venue.cash_usd) >= CENT:
        yield f"the journal's cash is {cash} USD, the broker's {world.venue.cash_usd}"
