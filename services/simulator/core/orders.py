"""The order as Alpaca shows it, and the ticket the broker keeps about it."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from services.simulator.core.numbers import NANO, ZERO, nanos

Side = Literal["buy", "sell"]
Role = Literal["entry", "take_profit", "stop_loss"]

TERMINAL = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})
MATCHABLE = frozenset({"new", "partially_filled", "pending_cancel", "pending_replace"})
NOT_REPLACEABLE = frozenset({"accepted", "pending_new", "pending_cancel", "pending_replace"})


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order, field for field in the wire's own order; encoding it is the REST answer."""

    id: str
    client_order_id: str
    created_at: datetime
    updated_at: datetime
    submitted_at: datetime
    filled_at: datetime | None = None
    expired_at: datetime | None = None
    canceled_at: datetime | None = None
    failed_at: datetime | None = None
    replaced_at: datetime | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    asset_id: str
    symbol: str
    asset_class: str = "us_equity"
    notional: Decimal | None = None
    qty: Decimal | None = None
    filled_qty: Decimal = ZERO
    filled_avg_price: Decimal | None = None
    order_class: str = ""
    order_type: str
    type: str
    side: Side
    position_intent: str
    time_in_force: str
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    status: str
    extended_hours: bool = False
    legs: "list[Order] | None" = None
    trail_percent: Decimal | None = None
    trail_price: Decimal | None = None
    hwm: Decimal | None = None
    subtag: str | None = None
    source: str | None = None
    expires_at: datetime | None = None
    group_id: str | UnsetType = UNSET
    group_role: Role | UnsetType = UNSET


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """An order with what the broker alone knows: its rank, its reservation and where it stands.

    `waiting` exits stay asleep until their entry is filled; `cap` is the limit a triggered buy stop gets.
    """

    order: Order
    rank: int
    reserve_price: Decimal = ZERO
    closing_qty: Decimal = ZERO
    filled_value: Decimal = ZERO
    executions: int = 0
    triggered: bool = False
    eligible_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    credit_usd: Decimal = ZERO
    credit_qty: Decimal = ZERO
    total_qty: Decimal | None = None
    parent_id: str | None = None
    waiting: bool = False
    cap: Decimal | None = None

    @property
    def is_open(self) -> bool:
        """Say whether the order can still change."""
        return self.order.status not in TERMINAL

    def remaining(self, price: Decimal | None = None) -> Decimal:
        """Return the shares still to trade; a notional order needs the price to tell (rounded down)."""
        if self.order.qty is not None:
            return self.order.qty - self.order.filled_qty
        if self.order.notional is None or not price:
            return ZERO
        return max(ZERO, (self.order.notional - self.filled_value) / price).quantize(NANO, "ROUND_DOWN")

    def held_qty(self) -> Decimal:
        """Return the shares of a position this open closing order keeps from others; an asleep exit keeps none."""
        if self.waiting:
            return ZERO
        return max(ZERO, self.remaining(self.reserve_price) - self.credit_qty)

    def reserved_usd(self) -> Decimal:
        """Return the buying power this open order sets aside, in dollars at its reservation price."""
        if not self.is_open:
            return ZERO
        if self.order.notional is not None:
            working = ZERO if self.closing_qty else self.order.notional - self.filled_value
            return max(ZERO, working - self.credit_usd)
        opening = ZERO if self.order.qty is None else self.order.qty - self.closing_qty
        return max(ZERO, min(self.remaining(), opening) * self.reserve_price - self.credit_usd)


class Execution(msgspec.Struct, frozen=True):
    """One fill about to be booked: shares at a price."""

    qty: Decimal
    price: Decimal


def filled(ticket: Ticket, fill: Execution, now: datetime) -> Ticket:
    """Return the ticket after one execution; average price is value over quantity to nine decimals."""
    order = ticket.order
    qty, value = order.filled_qty + fill.qty, ticket.filled_value + fill.qty * fill.price
    done = is_complete(ticket, qty, value, fill.price)
    held_status = order.status if order.status in {"pending_cancel", "pending_replace"} else "partially_filled"
    changed = msgspec.structs.replace(
        order,
        filled_qty=nanos(qty),
        filled_avg_price=nanos(value / qty),
        filled_at=now,
        updated_at=now,
        status="filled" if done else held_status,
    )
    return msgspec.structs.replace(ticket, order=changed, filled_value=value, executions=ticket.executions + 1)


def is_complete(ticket: Ticket, qty: Decimal, value: Decimal, price: Decimal) -> bool:
    """Say whether these totals end the order; a notional ends when no billionth of a share fits."""
    if ticket.order.qty is not None:
        return qty >= ticket.order.qty
    notional = ticket.order.notional or ZERO
    return (notional - value) / price < NANO
