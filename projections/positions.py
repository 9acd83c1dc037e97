"""Positions, realised profit and cash as a fold of fills. Quantities are shares (negative: short), money USD."""

from decimal import Decimal

from msgspec.structs import replace

from contracts.base import Value
from contracts.enums import Side
from contracts.ids import Symbol
from contracts.values import ZERO


class Position(Value, frozen=True, kw_only=True):
    """What fills have made of one symbol; `avg_price` is the average cost of the shares now held."""

    symbol: Symbol
    qty: Decimal = ZERO
    avg_price: Decimal = ZERO
    realized_usd: Decimal = ZERO
    cash_usd: Decimal = ZERO
    """Money this symbol's fills have brought in (negative: paid out)."""


def signed(side: Side, qty: Decimal) -> Decimal:
    """Give a fill's effect on the position: buys add, sells take away."""
    return qty if side is Side.BUY else -qty


def after_fill(position: Position, change: Decimal, price: Decimal) -> Position:
    """Fold one fill of a signed quantity at a price.

    Average-cost method: shares that open move the average, shares that close realise (price − average) × quantity;
    a fill through zero closes all and opens the rest at its own price.
    """
    closing = _closed(position.qty, change)
    realized = (price - position.avg_price) * closing
    qty = position.qty + change
    return Position(
        symbol=position.symbol,
        qty=qty,
        avg_price=_average(position, change, price, qty),
        realized_usd=position.realized_usd + realized,
        cash_usd=position.cash_usd - change * price,
    )


def undone(position: Position, change: Decimal, price: Decimal) -> Position:
    """Take one fill of a signed quantity at a price back, as if it had never been.

    Shares it opened leave the average at what the others cost; shares it closed come back at the average, and what
    they realised is taken back. Where the fill had closed all, its own price stands in for the average it ended.
    """
    qty = position.qty - change
    if position.qty * change > 0 and position.qty * qty >= 0:  # it opened, and what stays is on the same side
        left_usd = position.qty * position.avg_price - change * price
        return replace(
            position,
            qty=qty,
            avg_price=left_usd / qty if qty else ZERO,
            cash_usd=position.cash_usd + change * price,
        )
    average = position.avg_price if position.qty * qty > 0 else price
    return replace(
        position,
        qty=qty,
        avg_price=average if qty else ZERO,
        realized_usd=position.realized_usd - (price - average) * -change,
        cash_usd=position.cash_usd + change * price,
    )


def _closed(held: Decimal, change: Decimal) -> Decimal:
    """Give the signed part of the held shares that a change closes."""
    if held * change >= 0:
        return ZERO
    return held if abs(change) >= abs(held) else -change


def _average(position: Position, change: Decimal, price: Decimal, qty: Decimal) -> Decimal:
    if not qty:
        return ZERO
    if position.qty * change >= 0:
        return (position.qty * position.avg_price + change * price) / qty
    return position.avg_price if position.qty * qty > 0 else price


def adopted(position: Position, change: Decimal, price: Decimal) -> Position:
    """Fold shares that appeared without a fill of ours: they change the position, but no cash and no profit."""
    filled = after_fill(position, change, price)
    return replace(filled, realized_usd=position.realized_usd, cash_usd=position.cash_usd)
