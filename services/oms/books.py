"""Our books against the broker's: what differs, and which differences have lasted long enough to be true. Pure.

A difference of positions or cash is told by its gap, because trading moves both figures and leaves the gap as it is.
One of an order is told by both figures.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from immutables import Map

from contracts.base import Value
from contracts.broker import BreakFound, ObservedPosition
from contracts.enums import BreakKind
from contracts.ids import OrderId, Symbol
from contracts.values import CENT, ZERO, plain
from projections.order_state import OrderState
from projections.positions import Position
from services.oms.brokers.port import BrokerOrder
from services.oms.state import ENDED_AT_BROKER

HEALS_WITHIN: Mapping[BreakKind, timedelta] = {
    BreakKind.POSITION: timedelta(seconds=10),
    BreakKind.CASH: timedelta(seconds=20),  # the broker's cash may settle a moment after its positions
    BreakKind.ORDER: timedelta(seconds=20),
    BreakKind.OVERFILL: timedelta(0),
}
"""How long a difference may last, from the comparison that first saw it to one that still does."""
NOT_THERE = "not there"


class Difference(Value, frozen=True, kw_only=True):
    """One figure that is not the same on both sides; `gap` is theirs less ours where both are numbers."""

    kind: BreakKind
    key: str
    ours: str
    theirs: str
    gap: Decimal | None = None

    @property
    def name(self) -> str:
        """Name it as the account's state does."""
        return f"{self.kind}:{self.key}"

    def is_same(self, other: "Difference") -> bool:
        """Say whether this is the other one still, whatever trading did to the figures meanwhile."""
        if self.gap is not None and other.gap is not None:
            return self.gap == other.gap
        return (self.ours, self.theirs) == (other.ours, other.theirs)


class Suspicion(Value, frozen=True, kw_only=True):
    """A difference, and when it was first seen as it is."""

    difference: Difference
    since: datetime


type Suspicions = Map[str, Suspicion]
NO_SUSPICIONS: Suspicions = Map()


class Verdict(Value, frozen=True, kw_only=True):
    """What a look changes: the suspicions after it, the differences that are true now, and what agrees again."""

    suspicions: Suspicions
    true: tuple[Suspicion, ...]
    healed: tuple[str, ...]


def judge(
    suspicions: Suspicions,
    seen: Iterable[Difference],
    agreeing: Iterable[str],
    standing: Map[str, BreakFound],
    now: datetime,
) -> Verdict:
    """Weigh what a look saw against the looks before it; what it could not judge stays as it was.

    A difference is true once it was seen twice as it is, with the time its kind may last in between.
    """
    true: list[Suspicion] = []
    for difference in seen:
        before = suspicions.get(difference.name)
        again = before is not None and before.difference.is_same(difference)
        since = before.since if before is not None and again else now
        suspicion = Suspicion(difference=difference, since=since)
        suspicions = suspicions.set(difference.name, suspicion)
        told = standing.get(difference.name)
        lasted = again and now - since >= HEALS_WITHIN[difference.kind]
        if lasted and (told is None or not as_difference(told).is_same(difference)):
            true.append(suspicion)
    healed = [name for name in agreeing if name in standing]
    for name in agreeing:
        suspicions = suspicions.delete(name) if name in suspicions else suspicions
    return Verdict(suspicions=suspicions, true=tuple(true), healed=tuple(sorted(healed)))


def as_difference(found: BreakFound) -> Difference:
    """Read a standing difference back."""
    gap = _number(found.theirs) - _number(found.ours) if found.kind in {BreakKind.POSITION, BreakKind.CASH} else None
    return Difference(kind=found.kind, key=found.key, ours=found.ours, theirs=found.theirs, gap=gap)


def position_differences(
    folded: Map[Symbol, Position], shown: Mapping[Symbol, ObservedPosition]
) -> dict[Symbol, Difference]:
    """Compare quantities (signed shares) symbol by symbol."""
    found: dict[Symbol, Difference] = {}
    for symbol in sorted({*folded, *shown}):
        ours, theirs = _qty(folded, symbol), _qty(shown, symbol)
        if ours != theirs:
            found[symbol] = _difference(BreakKind.POSITION, symbol, ours, theirs)
    return found


def cash_difference(account: str, ours_usd: Decimal, theirs_usd: Decimal) -> Difference | None:
    """Compare cash; a cent is what rounding at both ends can make."""
    if abs(theirs_usd - ours_usd) <= CENT:
        return None
    return _difference(BreakKind.CASH, account, ours_usd, theirs_usd)


def order_difference(order: OrderState, report: BrokerOrder) -> Difference | None:
    """Compare what an order has filled, and whether it lives, with the report that it was just told."""
    part = order.part(report.broker_order_id)
    current = report.broker_order_id == order.broker_order_id
    ours = part.carried_qty + part.filled_qty
    if (current or part in order.parts) and ours != report.filled_qty:
        return _difference(BreakKind.ORDER, order.order_id, ours, report.filled_qty, gap=False)
    if current and order.is_terminal and report.status not in ENDED_AT_BROKER:
        return Difference(kind=BreakKind.ORDER, key=order.order_id, ours=order.status, theirs=report.status)
    return None


def missing_order(order: OrderState) -> Difference:
    """Say that the broker does not have an order that lives in our books."""
    return Difference(kind=BreakKind.ORDER, key=order.order_id, ours=order.status, theirs=NOT_THERE)


def overfill(order: OrderState) -> Difference | None:
    """Say whether more was filled than the order could ever become."""
    if order.filled_qty <= order.terms.qty:
        return None
    return _difference(BreakKind.OVERFILL, order.order_id, order.terms.qty, order.filled_qty, gap=False)


def order_name(order_id: OrderId) -> str:
    """Name the differences of one order."""
    return f"{BreakKind.ORDER}:{order_id}"


def odd_averages(folded: Map[Symbol, Position], shown: Mapping[Symbol, ObservedPosition]) -> tuple[Symbol, ...]:
    """Name the positions whose average cost (USD per share) differs by more than a cent.

    That is no break: brokers restate averages by rules of their own (Alpaca: first in, first out, at the day's end),
    and neither exposure nor money depends on it.
    """
    return tuple(
        symbol
        for symbol, held in sorted(shown.items())
        if _qty(folded, symbol) == held.qty and abs(folded[symbol].avg_price - held.avg_entry_price) > CENT
    )


def adoption_price(folded: Position | None, shown: ObservedPosition | None, gap: Decimal) -> Decimal:
    """Give the price (USD per share) at which a gap must be counted for our average to become the broker's."""
    if shown is None:
        return ZERO if folded is None else folded.avg_price
    if folded is None or folded.qty * gap <= 0:
        return shown.avg_entry_price
    price = (shown.qty * shown.avg_entry_price - folded.qty * folded.avg_price) / gap
    return price if price > 0 else shown.avg_entry_price


def _difference(kind: BreakKind, key: str, ours: Decimal, theirs: Decimal, *, gap: bool = True) -> Difference:
    apart = theirs - ours if gap else None
    return Difference(kind=kind, key=key, ours=_text(ours), theirs=_text(theirs), gap=apart)


def _qty(positions: Mapping[Symbol, ObservedPosition | Position], symbol: Symbol) -> Decimal:
    held = positions.get(symbol)
    return ZERO if held is None else held.qty


def _text(number: Decimal) -> str:
    return format(plain(number), "f")


def _number(text: str) -> Decimal:
    return Decimal(text)
