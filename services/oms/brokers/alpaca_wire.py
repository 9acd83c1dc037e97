"""Alpaca's REST JSON into reports and back, pure.

Reading is tolerant: unknown fields, statuses and order types survive, numbers come as strings or as JSON
numbers (read from their text), stamps have up to nanoseconds. What cannot be understood at all raises
`UnreadableReportError`; nothing is guessed.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from contracts.broker import ObservedPosition
from contracts.enums import LegRole, OrderClass, OrderType, Side, TimeInForce
from contracts.ids import Symbol
from contracts.orders import OrderTerms
from contracts.reasons import RejectionCode
from contracts.values import ZERO
from services.oms.brokers.port import BrokerAccount, BrokerClock, BrokerFill, BrokerOrder, Rejected

NOT_UNIQUE_OR_MALFORMED = 40010001
"""Alpaca's one code for a repeated client order id and for a body of the wrong shape (HTTP 422)."""
ORDER_NOT_CANCELABLE = 42210000
"""On DELETE of an order: it stands in a state that cannot be canceled (HTTP 422)."""

_MESSAGE_CHARS_MAX = 500
_SIDES: Mapping[str, Side] = {"buy": Side.BUY, "sell": Side.SELL, "sell_short": Side.SELL}
_TYPES = {str(one): one for one in OrderType}
_TIMES_IN_FORCE = {str(one): one for one in TimeInForce}
_CLASSES = {str(one): one for one in OrderClass}
_ROLES = {str(one): one for one in LegRole}
_CODE_OF_HTTP_STATUS: Mapping[int, RejectionCode] = {
    400: RejectionCode.BAD_REQUEST,
    401: RejectionCode.UNAUTHORIZED,
    403: RejectionCode.FORBIDDEN,
    404: RejectionCode.NOT_FOUND,
    422: RejectionCode.INVALID_ORDER,
}


class UnreadableReportError(ValueError):
    """The broker sent something that is not what its documentation promises."""


class WireOrder(msgspec.Struct, frozen=True):
    """An order as Alpaca writes it, with only the fields we use and only its two ids required."""

    id: str
    client_order_id: str
    status: str | None = None
    symbol: str | None = None
    side: str | None = None
    type: str | None = None
    order_type: str | None = None
    time_in_force: str | None = None
    qty: Decimal | None = None
    filled_qty: Decimal | None = None
    filled_avg_price: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    extended_hours: bool | None = None
    submitted_at: datetime | None = None
    updated_at: datetime | None = None
    filled_at: datetime | None = None
    replaced_at: datetime | None = None
    replaces: str | None = None
    replaced_by: str | None = None
    notional: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    order_class: str | None = None
    group_role: str | None = None
    legs: "list[WireOrder] | None" = None


class _WirePosition(msgspec.Struct, frozen=True):
    symbol: str
    qty: Decimal
    avg_entry_price: Decimal
    side: str | None = None
    current_price: Decimal | None = None


class _WireAccount(msgspec.Struct, frozen=True):
    equity: Decimal
    last_equity: Decimal
    cash: Decimal
    buying_power: Decimal
    status: str | None = None
    trading_blocked: bool | None = None
    account_blocked: bool | None = None
    trade_suspended_by_user: bool | None = None


class _WireClock(msgspec.Struct, frozen=True):
    timestamp: datetime
    is_open: bool
    next_open: datetime
    next_close: datetime


class _WireFill(msgspec.Struct, frozen=True):
    id: str
    order_id: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    cum_qty: Decimal
    transaction_time: datetime


class _WireError(msgspec.Struct, frozen=True):
    code: int | str | None = None
    message: str | None = None


def read_order(body: bytes) -> BrokerOrder:
    """Read one order."""
    return order_report(_read(body, WireOrder))


def read_orders(body: bytes) -> list[BrokerOrder]:
    """Read a list of orders."""
    return [order_report(order) for order in _read(body, list[WireOrder])]


def read_positions(body: bytes) -> tuple[ObservedPosition, ...]:
    """Read the list of positions."""
    return tuple(_position(position) for position in _read(body, list[_WirePosition]))


def read_account(body: bytes) -> BrokerAccount:
    """Read the account; any kind of block counts as blocked."""
    wire = _read(body, _WireAccount)
    return BrokerAccount(
        status=wire.status or "",
        equity_usd=finite(wire.equity),
        last_equity_usd=finite(wire.last_equity),
        cash_usd=finite(wire.cash),
        buying_power_usd=finite(wire.buying_power),
        trading_blocked=bool(wire.trading_blocked or wire.account_blocked or wire.trade_suspended_by_user),
    )


def read_clock(body: bytes) -> BrokerClock:
    """Read the clock."""
    wire = _read(body, _WireClock)
    return BrokerClock(
        at=utc(wire.timestamp),
        is_open=wire.is_open,
        next_open=utc(wire.next_open),
        next_close=utc(wire.next_close),
    )


def read_fills(body: bytes) -> list[BrokerFill]:
    """Read a page of FILL activities."""
    return [_fill(fill) for fill in _read(body, list[_WireFill])]


def read_error(body: bytes) -> tuple[int | str | None, str]:
    """Read code and message of an error; the body may be anything, HTML included."""
    try:
        wire = msgspec.json.decode(body, type=_WireError)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None, body[:_MESSAGE_CHARS_MAX].decode(errors="replace")
    return wire.code, (wire.message or "")[:_MESSAGE_CHARS_MAX]


def rejection(http_status: int, body: bytes) -> Rejected:
    """Turn a 4xx answer to a submit into a rejection, by status and code, never by text."""
    code, message = read_error(body)
    kind = _CODE_OF_HTTP_STATUS.get(http_status, RejectionCode.BROKER_DECISION)
    return Rejected(code=kind, broker_code=f"{http_status}/{code if code is not None else '-'}", message=message)


def order_report(wire: WireOrder, role: LegRole | None = None) -> BrokerOrder:
    """Turn Alpaca's order into a report in our words; `role` is what a leg is taken for when it does not say so."""
    order_class = _CLASSES.get(wire.order_class or "", OrderClass.SIMPLE)
    return BrokerOrder(
        broker_order_id=wire.id,
        client_order_id=wire.client_order_id,
        status=wire.status or "",
        symbol=Symbol(wire.symbol or ""),
        side=_SIDES.get(wire.side or ""),
        terms=_terms(wire, order_class),
        filled_qty=finite(wire.filled_qty or ZERO),
        has_totals=wire.filled_qty is not None,
        filled_avg_price=finite_or_none(wire.filled_avg_price),
        submitted_at=utc_or_none(wire.submitted_at),
        updated_at=utc_or_none(wire.updated_at),
        filled_at=utc_or_none(wire.filled_at),
        replaced_at=utc_or_none(wire.replaced_at),
        replaces=wire.replaces,
        replaced_by=wire.replaced_by,
        order_class=order_class,
        role=_ROLES.get(wire.group_role or "", role),
        legs=tuple(order_report(leg, _role_by_type(leg)) for leg in wire.legs or ()),
    )


def utc(at: datetime) -> datetime:
    """Bring a stamp to UTC; one without an offset is UTC already."""
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError as error:
        raise UnreadableReportError(f"{at} is no time in UTC") from error


def utc_or_none(at: datetime | None) -> datetime | None:
    """Bring a stamp to UTC when there is one."""
    return None if at is None else utc(at)


def finite(number: Decimal) -> Decimal:
    """Let a number through when it is one; NaN and the infinities are not."""
    if not number.is_finite():
        raise UnreadableReportError(f"{number} is no quantity and no price")
    return number


def finite_or_none(number: Decimal | None) -> Decimal | None:
    """Let a number through when it is one, and its absence."""
    return None if number is None else finite(number)


def _terms(wire: WireOrder, order_class: OrderClass) -> OrderTerms | None:
    """Say the order in our words; a notional order has a quantity only once it has filled.

    Where a trailing stop stands moves with the market and is none of its terms.
    """
    side = _SIDES.get(wire.side or "")
    order_type = _TYPES.get(wire.type or wire.order_type or "")
    time_in_force = _TIMES_IN_FORCE.get(wire.time_in_force or "")
    qty = wire.qty or wire.filled_qty
    if side is None or order_type is None or time_in_force is None or not qty or not wire.symbol:
        return None
    return OrderTerms(
        symbol=Symbol(wire.symbol),
        side=side,
        order_type=order_type,
        qty=finite(qty),
        limit_price=finite_or_none(wire.limit_price),
        stop_price=None if order_type is OrderType.TRAILING_STOP else finite_or_none(wire.stop_price),
        time_in_force=time_in_force,
        extended_hours=bool(wire.extended_hours),
        notional_usd=finite_or_none(wire.notional),
        trail_price=finite_or_none(wire.trail_price),
        trail_percent=finite_or_none(wire.trail_percent),
        order_class=order_class,
    )


def _role_by_type(leg: WireOrder) -> LegRole:
    """Tell an exit's role from its type: a take-profit is the one that waits at a limit alone."""
    return LegRole.TAKE_PROFIT if (leg.type or leg.order_type) == OrderType.LIMIT else LegRole.STOP_LOSS


def _position(wire: _WirePosition) -> ObservedPosition:
    qty = -abs(wire.qty) if wire.side == "short" else wire.qty
    return ObservedPosition(
        symbol=Symbol(wire.symbol),
        qty=finite(qty),
        avg_entry_price=finite(wire.avg_entry_price),
        current_price=finite_or_none(wire.current_price),
    )


def _fill(wire: _WireFill) -> BrokerFill:
    side = _SIDES.get(wire.side)
    if side is None:
        raise UnreadableReportError(f"fill {wire.id} has side {wire.side!r}")
    return BrokerFill(
        activity_id=wire.id,
        broker_order_id=wire.order_id,
        symbol=Symbol(wire.symbol),
        side=side,
        qty=finite(wire.qty),
        price=finite(wire.price),
        cum_qty=finite(wire.cum_qty),
        at=utc(wire.transaction_time),
    )


def _read[T](body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableReportError(str(error)) from error
