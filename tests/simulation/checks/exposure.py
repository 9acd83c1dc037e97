"""Invariant 2, twice over: no approval exceeds a limit, and nothing but an approval makes the worst case worse."""

from collections.abc import Iterator
from decimal import Decimal

from contracts.controls import LimitsSet
from contracts.decisions import Decision
from contracts.enums import Side
from contracts.limits import LimitSet
from tests.simulation.checks.reading import ZERO, Entry, NaiveBook
from tests.simulation.world import World

BROKERS_DOING = frozenset({"order.adopted", "broker.position_adopted", "order.busted", "order.corrected"})
"""What may raise exposure without an approval, because the broker did it and not we."""


class _Sides:
    """What is open on each side of one symbol: shares, and USD at their worst."""

    def __init__(self) -> None:
        self.qty = {Side.BUY: ZERO, Side.SELL: ZERO}
        self.usd = {Side.BUY: ZERO, Side.SELL: ZERO}


def _working(book: NaiveBook, symbol: str | None = None) -> dict[str, _Sides]:
    """Sum what may still fill, of one symbol or all; of exits that cancel one another only the largest."""
    found: dict[str, _Sides] = {}
    groups: dict[str, tuple[Decimal, Decimal]] = {}
    for order in book.orders.values():
        if symbol is not None and order.symbol != symbol:
            continue
        sides = found.setdefault(order.symbol, _Sides())
        qty = order.open_qty
        if not qty:
            continue
        usd = qty * order.worst_price
        if order.group is not None:
            was = groups.get(order.group, (ZERO, ZERO))
            now = (max(was[0], qty), max(was[1], usd))
            groups[order.group] = now
            qty, usd = now[0] - was[0], now[1] - was[1]
        sides.qty[order.side] += qty
        sides.usd[order.side] += usd
    return found


def _exposures(book: NaiveBook) -> dict[str, tuple[Decimal, Decimal, Decimal, Decimal]]:
    """Give per symbol what could come to be long and short, alone and as it adds to the net; all USD."""
    working = _working(book)
    found = {}
    for symbol in sorted(set(working) | book.symbols()):
        sides = working.get(symbol) or _Sides()
        held = book.position(symbol)
        value = held * book.marks.get(symbol, ZERO)
        buys, sells = sides.usd[Side.BUY], sides.usd[Side.SELL]
        net = (buys + value, sells - value)
        covers = held < 0 and sides.qty[Side.BUY] <= -held
        reduces = held > 0 and sides.qty[Side.SELL] <= held
        long = ZERO if covers else buys if held < 0 else net[0]
        short = ZERO if reduces else sells if held > 0 else net[1]
        found[symbol] = (long, short, *net)
    return found


def approvals_within_limits(entries: list[Entry]) -> Iterator[str]:
    """Recompute exposure after each approval, from what risk had read when it decided."""
    book, waiting, limits = NaiveBook(), list[Entry](), LimitSet()
    for entry in entries:
        decision = entry.event
        if not isinstance(decision, Decision):
            waiting.append(entry)
            continue
        while waiting and waiting[0].seq <= decision.state_seq:
            due = waiting.pop(0)
            limits = due.event.limits if isinstance(due.event, LimitsSet) else limits
            book.take(due)
        reservation = decision.reservation
        if decision.outcome != "approved" or reservation is None:
            continue
        before = _working(book, reservation.symbol).get(reservation.symbol) or _Sides()
        book.take(entry)
        if reservation.reduces:
            yield from _judge_exit(book, entry.seq, decision, before)
        else:
            yield from _judge(book, entry.seq, decision, limits)


def _judge_exit(book: NaiveBook, seq: int, decision: Decision, before: _Sides) -> Iterator[str]:
    """Let what passed as an exit only reduce the position; new terms may also leave everything as large as it was."""
    reservation = decision.reservation
    assert reservation is not None
    symbol, side = reservation.symbol, reservation.side
    held, now = book.position(symbol), _working(book, symbol)[symbol]
    is_no_more = now.qty[side] <= before.qty[side] and now.usd[side] <= before.usd[side]
    if decision.action == "replace" and is_no_more:
        return
    if now.qty[side] > (held if side is Side.SELL else -held):
        yield f"#{seq} {decision.order_id} was approved to reduce {held} {symbol}, and could turn it around"


def _judge(book: NaiveBook, seq: int, decision: Decision, limits: LimitSet) -> Iterator[str]:
    reservation = decision.reservation
    assert reservation is not None
    symbol, side = str(reservation.symbol), reservation.side
    exposures = _exposures(book)
    at = 0 if side is Side.BUY else 1
    measured = (
        ("position", exposures[symbol][at], limits.max_position_notional_usd),
        ("gross", sum((max(one[:2]) for one in exposures.values()), ZERO), limits.max_gross_exposure_usd),
        ("net", sum((one[2 + at] for one in exposures.values()), ZERO), limits.max_net_exposure_usd),
    )
    for name, usd, limit in measured:
        if usd > limit:
            yield f"#{seq} {decision.order_id} was approved to {name} exposure {usd}, the limit is {limit}"


def nothing_else_raises_it(world: World, entries: list[Entry]) -> Iterator[str]:
    """Hold the most shares that could come to be held, and the fewest, against each event of the journal.

    Fills that the broker made of an order after it had called it canceled are its own doing.
    """
    book = NaiveBook()
    extremes: dict[str, tuple[Decimal, Decimal]] = {}
    for entry in entries:
        book.take(entry)
        symbol = _symbol_of(entry, book)
        if symbol is None:
            continue
        held, sides = book.position(symbol), _working(book, symbol).get(symbol) or _Sides()
        now = (held + sides.qty[Side.BUY], held - sides.qty[Side.SELL])
        was = extremes.get(symbol, (ZERO, ZERO))
        extremes[symbol] = now
        is_excused = entry.tag in BROKERS_DOING or entry.tag == "decision" or _is_late(world, entry)
        is_excused = is_excused or _is_exit(book, entry)
        if not is_excused and (now[0] > was[0] or now[1] < was[1]):
            yield f"#{entry.seq} {entry.tag} moved the worst case of {symbol} from {was} to {now} unapproved"


def _is_late(world: World, entry: Entry) -> bool:
    return entry.tag == "order.filled" and str(entry.event.order_id) in world.late_ids()


def _is_exit(book: NaiveBook, entry: Entry) -> bool:
    """Say whether an event is of an exit: it wakes when its entry is filled, as was approved with the entry."""
    return entry.tag.startswith("order.") and book.orders[entry.event.order_id].group is not None


def _symbol_of(entry: Entry, book: NaiveBook) -> str | None:
    """Name the symbol whose shares an event may move."""
    if entry.tag == "decision":
        return None if entry.event.terms is None else str(entry.event.terms.symbol)
    if entry.tag == "broker.position_adopted":
        return str(entry.event.symbol)
    if not entry.tag.startswith("order.") or entry.event.order_id not in book.orders:
        return None
    return book.orders[entry.event.order_id].symbol
