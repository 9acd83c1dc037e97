"""The form rules of an order request: shape first (40010001), then what the form may say (42210000)."""

from decimal import Decimal
from typing import Any, Literal

import msgspec

from services.simulator.core.errors import BrokerError, forbidden, malformed, unprocessable
from services.simulator.core.numbers import LARGEST, ONE_DOLLAR, ZERO, decimals, nanos
from services.simulator.core.orders import Side

PRICES = {
    "market": frozenset[str](),
    "limit": frozenset({"limit_price"}),
    "stop": frozenset({"stop_price"}),
    "stop_limit": frozenset({"limit_price", "stop_price"}),
}
TIMES_IN_FORCE = frozenset({"day", "gtc", "ioc", "fok"})
AUCTION_TIMES = frozenset({"opg", "cls"})
IMMEDIATE = frozenset({"ioc", "fok"})
LONGEST_CLIENT_ID = 128


class OrderBody(msgspec.Struct, frozen=True, kw_only=True):
    """The POST body as sent; numbers may be JSON numbers or strings and keep their own digits."""

    symbol: str | None = None
    qty: Decimal | None = None
    notional: Decimal | None = None
    side: str | None = None
    type: str | None = None
    time_in_force: str | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool | None = None
    client_order_id: str | None = None
    order_class: str | None = None
    position_intent: str | None = None
    take_profit: dict[str, Any] | None = None
    stop_loss: dict[str, Any] | None = None
    legs: list[Any] | None = None


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that passed every rule which needs no account, price or clock."""

    symbol: str
    side: Side
    type: Literal["market", "limit", "stop", "stop_limit"]
    time_in_force: str
    qty: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    extended_hours: bool = False
    client_order_id: str | None = None
    position_intent: str | None = None


def parse_body[T](raw: bytes, form: type[T]) -> T:
    """Decode a JSON body; anything that is not the form is Alpaca's malformed request."""
    try:
        return msgspec.json.decode(raw or b"{}", type=form)
    except msgspec.ValidationError as error:
        raise malformed(f"invalid request body: {error}") from error
    except msgspec.DecodeError as error:
        raise BrokerError(400, 40010000, "request body format is invalid") from error


def order_request(body: OrderBody) -> OrderRequest:
    """Check the whole form of an order and return it clean."""
    _refuse_what_is_not_traded(body)
    if not body.symbol:
        raise malformed("symbol is required")
    if body.side not in {"buy", "sell"}:
        raise malformed("side must be buy or sell" if body.side else "side is required")
    _check_type_and_time(body)
    _check_amount(body)
    _check_prices(body)
    _check_combinations(body)
    return OrderRequest(
        symbol=body.symbol.upper(),
        side=body.side,  # pyright: ignore[reportArgumentType]  # both values were checked above
        type=body.type,  # pyright: ignore[reportArgumentType]  # membership of PRICES was checked
        time_in_force=body.time_in_force or "",
        qty=None if body.qty is None else nanos(body.qty),
        notional=None if body.notional is None else nanos(body.notional),
        limit_price=body.limit_price,
        stop_price=body.stop_price,
        extended_hours=bool(body.extended_hours),
        client_order_id=body.client_order_id or None,
        position_intent=body.position_intent or None,
    )


def _refuse_what_is_not_traded(body: OrderBody) -> None:
    if body.order_class not in {None, "", "simple"}:
        raise unprocessable(f"order_class {body.order_class} is not supported by this simulator")
    if body.take_profit or body.stop_loss or body.legs:
        raise unprocessable("take_profit, stop_loss and legs are not supported by this simulator")
    if body.type == "trailing_stop" or body.trail_price is not None or body.trail_percent is not None:
        raise unprocessable("trailing stop orders are not supported by this simulator")


def _check_type_and_time(body: OrderBody) -> None:
    if body.type not in PRICES:
        raise malformed("invalid type" if body.type else "type is required")
    if body.time_in_force in AUCTION_TIMES:
        raise forbidden(f"{body.time_in_force} orders are not enabled for this account")
    if body.time_in_force not in TIMES_IN_FORCE:
        raise malformed("invalid time_in_force" if body.time_in_force else "time_in_force is required")
    if body.client_order_id and len(body.client_order_id) > LONGEST_CLIENT_ID:
        raise malformed(f"client_order_id must be no more than {LONGEST_CLIENT_ID} characters")


def _check_amount(body: OrderBody) -> None:
    if body.qty is None and body.notional is None:
        raise malformed("qty or notional is required")
    if body.qty is not None and body.notional is not None:
        raise malformed("only one of qty or notional is accepted")
    if body.qty is not None:
        amount("qty", body.qty)
    if body.notional is not None:
        amount("notional", body.notional)


def amount(name: str, value: Decimal) -> None:
    """Refuse a quantity or dollar amount that is not a finite number above zero in a sane range."""
    if not value.is_finite() or value > LARGEST:
        raise malformed(f"invalid {name}")
    if nanos(value) <= ZERO:
        raise malformed(f"{name} must be > 0")


def _check_prices(body: OrderBody) -> None:
    for name in ("limit_price", "stop_price"):
        value: Decimal | None = getattr(body, name)
        wanted = name in PRICES[body.type or "market"]
        if wanted and value is None:
            raise malformed(f"{body.type} orders require {name.replace('_', ' ')}")
        if not wanted and value is not None:
            raise malformed(f"{body.type} orders require no {name.replace('_', ' ')}")
        if value is not None:
            price(name, value)


def price(name: str, value: Decimal) -> None:
    """Refuse a price that is not finite, not above zero, or finer than its tick allows."""
    amount(name, value)
    allowed = 2 if value >= ONE_DOLLAR else 4
    if decimals(value) > allowed:
        raise unprocessable(f"invalid {name} {value}. sub-penny increment does not fulfill minimum pricing criteria")


def _check_combinations(body: OrderBody) -> None:
    fractional = body.qty is not None and decimals(nanos(body.qty)) > 0
    if body.notional is not None and body.type != "market":
        raise unprocessable("notional orders must be market orders")
    if (fractional or body.notional is not None) and body.time_in_force != "day":
        raise unprocessable("fractional orders must be DAY orders")
    if body.extended_hours and (body.type != "limit" or body.time_in_force not in {"day", "gtc"}):
        raise unprocessable("extended hours order must be DAY or GTC limit orders")
    if body.time_in_force in IMMEDIATE and body.type not in {"market", "limit"}:
        raise unprocessable(f"{body.time_in_force} orders must be market or limit orders")
