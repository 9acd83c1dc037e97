"""Positions at average cost, and the activities that fills leave behind."""

from datetime import date, datetime
from decimal import Decimal

import msgspec

from services.simulator.core.numbers import ZERO, nanos
from services.simulator.core.orders import Execution, Side


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Signed shares of one symbol with their signed cost in dollars."""

    symbol: str
    qty: Decimal = ZERO
    cost_usd: Decimal = ZERO
    opened_on: date

    @property
    def avg_entry_price(self) -> Decimal:
        """Return the average cost of one share in dollars, to nine decimals."""
        return nanos(self.cost_usd / self.qty) if self.qty else ZERO


class FillActivity(msgspec.Struct, frozen=True, kw_only=True):
    """One execution as /v2/account/activities shows it."""

    id: str
    activity_type: str = "FILL"
    transaction_time: datetime
    type: str
    price: Decimal
    qty: Decimal
    side: Side
    symbol: str
    leaves_qty: Decimal
    order_id: str
    cum_qty: Decimal
    order_status: str


def signed(side: Side, qty: Decimal) -> Decimal:
    """Return the change of the position in shares: buys add, sells take away."""
    return qty if side == "buy" else -qty


def after_fill(position: Position | None, symbol: str, side: Side, fill: Execution, day: date) -> Position:
    """Fold one execution into a position; a fill through zero closes it and opens the rest anew."""
    old = position or Position(symbol=symbol, opened_on=day)
    change = signed(side, fill.qty)
    qty = old.qty + change
    if old.qty * change >= 0:
        opened_on = old.opened_on if old.qty else day
        return Position(symbol=symbol, qty=qty, cost_usd=old.cost_usd + change * fill.price, opened_on=opened_on)
    if old.qty * qty >= 0:
        kept = old.cost_usd * qty / old.qty
        return Position(symbol=symbol, qty=qty, cost_usd=kept, opened_on=old.opened_on)
    return Position(symbol=symbol, qty=qty, cost_usd=qty * fill.price, opened_on=day)
