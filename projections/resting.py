"""Which of our own orders an order could meet: per symbol and side, the limits that work and what takes any price.

Two orders that stand alone may meet when one of them names no limit, or when the buy's limit is not below the
sale's. Orders with exits, exits and trailing stops are exempt from the broker's rule, so of them only limits count:
there two of our orders would trade with each other for certain. Source: Alpaca, "Understand orders" (wash trades);
FINRA 5210. What the broker holds back until its entry fills rests nowhere yet.
"""

from bisect import bisect_left
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from immutables import Map
from msgspec.structs import replace

from contracts.base import Value
from contracts.enums import OrderClass, OrderStatus, OrderType, Side
from contracts.ids import OrderId, Symbol
from contracts.orders import OrderTerms
from projections.order_state import OrderState

type Ladder = tuple[tuple[Decimal, int], ...]
"""Limit prices (USD per share), lowest first, each with how many orders rest there."""


class Rest(Value, frozen=True, kw_only=True):
    """What rests on one side: limits of orders that stand alone, those of exempt ones, and orders without one."""

    alone: tuple[tuple[Decimal, int], ...] = ()
    exempt: tuple[tuple[Decimal, int], ...] = ()
    takers: int = 0


NO_REST = Rest()


class Resting(Value, frozen=True, kw_only=True):
    """What rests in one symbol."""

    buys: Rest = NO_REST
    sells: Rest = NO_REST

    def side(self, side: Side) -> Rest:
        """Give what rests on one side."""
        return self.buys if side is Side.BUY else self.sells


NOTHING_RESTS = Resting()


class _Place(NamedTuple):
    """Where one set of terms rests."""

    ladder: str
    price: Decimal


_TAKES = _Place("takers", Decimal(0))


def is_exempt(terms: OrderTerms, group_id: OrderId | None) -> bool:
    """Say whether the broker's wash rule leaves an order alone: it trails, brings exits, or is one."""
    return (
        group_id is not None
        or terms.order_class is not OrderClass.SIMPLE
        or terms.order_type is OrderType.TRAILING_STOP
    )


def after_order(resting: Map[Symbol, Resting], old: OrderState | None, new: OrderState) -> Map[Symbol, Resting]:
    """Move what rests by one order's change; most changes (fills, reports) move nothing."""
    if (
        old is not None
        and old.terms is new.terms
        and old.replacement is new.replacement
        and _rests(old) == _rests(new)
    ):
        return resting
    was, now = () if old is None else tuple(_places(old)), tuple(_places(new))
    if was == now:
        return resting
    symbol, side = new.terms.symbol, new.terms.side
    one = resting.get(symbol, NOTHING_RESTS)
    rest = one.side(side)
    for place in now:
        rest = _moved(rest, place, 1)
    for place in was:
        rest = _moved(rest, place, -1)
    one = replace(one, buys=rest) if side is Side.BUY else replace(one, sells=rest)
    return resting.delete(symbol) if one == NOTHING_RESTS else resting.set(symbol, one)


def _rests(order: OrderState) -> bool:
    return not order.is_terminal and order.status is not OrderStatus.HELD


def _places(order: OrderState) -> Iterator[_Place]:
    """Name where an order rests, under its terms and under those that are asked for."""
    if not _rests(order):
        return
    for terms in (order.terms,) if order.replacement is None else (order.terms, order.replacement.terms):
        exempt = is_exempt(terms, order.group_id)
        if terms.limit_price is not None:
            yield _Place("exempt" if exempt else "alone", terms.limit_price)
        elif not exempt:
            yield _TAKES


def _moved(rest: Rest, place: _Place, count: int) -> Rest:
    match place.ladder:
        case "alone":
            return replace(rest, alone=_with_step(rest.alone, place.price, count))
        case "exempt":
            return replace(rest, exempt=_with_step(rest.exempt, place.price, count))
        case _:
            return replace(rest, takers=rest.takers + count)


def _with_step(ladder: Ladder, price: Decimal, count: int) -> Ladder:
    """Add orders at one price, or take them away; a price at which none is left goes."""
    at = bisect_left(ladder, (price, 0))
    here = ladder[at] if at < len(ladder) and ladder[at][0] == price else None
    if here is None:
        return (*ladder[:at], (price, count), *ladder[at:])
    left = here[1] + count
    return (*ladder[:at], (here[0], left), *ladder[at + 1 :]) if left else ladder[:at] + ladder[at + 1 :]


class Meeting(NamedTuple):
    """An own order on the other side that an order could meet; no price when that one takes any."""

    price: Decimal | None


def meeting(resting: Resting, terms: OrderTerms, group_id: OrderId | None = None) -> Meeting | None:
    """Give the best own order that an order could meet, none when it can meet none."""
    theirs = resting.side(Side.SELL if terms.side is Side.BUY else Side.BUY)
    if is_exempt(terms, group_id):
        return _crossed(theirs, terms)
    if theirs.takers:
        return Meeting(None)
    if terms.limit_price is None:
        return Meeting(_best(theirs.alone, terms.side)) if theirs.alone else None
    return _crossed(theirs, terms)


def _crossed(theirs: Rest, terms: OrderTerms) -> Meeting | None:
    """Hold a limit against the best limits of the other side; where there is none, nothing crosses for certain."""
    own = terms.limit_price
    if own is None:
        return None
    for ladder in (theirs.alone, theirs.exempt):
        if ladder:
            best = _best(ladder, terms.side)
            if own >= best if terms.side is Side.BUY else own <= best:
                return Meeting(best)
    return None


def _best(ladder: Ladder, taker: Side) -> Decimal:
    """Give the price that the other side meets first: the lowest sale, the highest buy."""
    return ladder[0][0] if taker is Side.BUY else ladder[-1][0]
