"""The form rules of an order request: shape first (40010001), then what the form may say (42210000)."""

from decimal import Decimal
from typing import Any, Literal, get_args

import msgspec

from services.simulator.core.amounts import check_amount, check_price
from services.simulator.core.complex_forms import (
    Exits,
    StopLoss,
    TakeProfit,
    check_combination,
    check_order_of_prices,
    exits,
)
from services.simulator.core.errors import BrokerError, forbidden, malformed, unprocessable
from services.simulator.core.numbers import decimals, nanos
from services.simulator.core.orders import Side

OrderType = Literal["market", "limit", "stop", "stop_limit", "trailing_stop"]
Intent = Literal["buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close"]

PRICES = {
    "market": frozenset[str](),
    "limit": frozenset({"limit_price"}),
    "stop": frozenset({"stop_price"}),
    "stop_limit": frozenset({"limit_price", "stop_price"}),
    "trailing_stop": frozenset[str](),
}
RESTING = frozenset({"day", "gtc"})
ONE_CHANCE = frozenset({"ioc", "fok", "opg", "cls"})
LONGEST_CLIENT_ID = 128
WHOLE_PERCENT = Decimal(100)


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
    take_profit: TakeProfit | None = None
    stop_loss: StopLoss | None = None
    legs: list[Any] | None = None
    advanced_instructions: dict[str, Any] | None = None


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that passed every rule which needs no account, price or clock."""

    symbol: str
    side: Side
    type: OrderType
    time_in_force: str
    qty: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    client_order_id: str | None = None
    position_intent: str | None = None
    exits: Exits | None = None


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
    _check_amounts(body)
    found = exits(body.order_class, body.take_profit, body.stop_loss)
    if found is not None and found.order_class == "oco":
        body = msgspec.structs.replace(body, limit_price=found.take_profit_price)
    _check_prices(body)
    _check_trail(body)
    _check_combinations(body)
    if found is not None:
        _check_exits(body, found)
    return _clean(body, found)


def _clean(body: OrderBody, found: Exits | None) -> OrderRequest:
    return OrderRequest(
        symbol=(body.symbol or "").upper(),
        side=body.side,  # pyright: ignore[reportArgumentType]  # both values were checked above
        type=body.type,  # pyright: ignore[reportArgumentType]  # membership of PRICES was checked
        time_in_force=body.time_in_force or "",
        qty=None if body.qty is None else nanos(body.qty),
        notional=None if body.notional is None else nanos(body.notional),
        limit_price=body.limit_price,
        stop_price=body.stop_price,
        trail_price=body.trail_price,
        trail_percent=body.trail_percent,
        extended_hours=bool(body.extended_hours),
        client_order_id=body.client_order_id or None,
        position_intent=body.position_intent or None,
        exits=found,
    )


def _refuse_what_is_not_traded(body: OrderBody) -> None:
    if body.legs or body.order_class == "mleg":
        raise unprocessable("mleg orders are for options, which this simulator does not list")
    if body.advanced_instructions:
        raise forbidden("advanced_instructions are not enabled for this account")


def _check_type_and_time(body: OrderBody) -> None:
    if body.type not in PRICES:
        raise malformed("invalid type" if body.type else "type is required")
    if body.time_in_force not in RESTING | ONE_CHANCE:
        raise malformed("invalid time_in_force" if body.time_in_force else "time_in_force is required")
    if body.client_order_id and len(body.client_order_id) > LONGEST_CLIENT_ID:
        raise malformed(f"client_order_id must be no more than {LONGEST_CLIENT_ID} characters")
    if body.position_intent and body.position_intent not in get_args(Intent):
        raise malformed("invalid position_intent")


def _check_amounts(body: OrderBody) -> None:
    if body.qty is None and body.notional is None:
        raise malformed("qty or notional is required")
    if body.qty is not None and body.notional is not None:
        raise malformed("only one of qty or notional is accepted")
    if body.qty is not None:
        check_amount("qty", body.qty)
    if body.notional is not None:
        check_amount("notional", body.notional)


def _check_prices(body: OrderBody) -> None:
    for name in ("limit_price", "stop_price"):
        value: Decimal | None = getattr(body, name)
        wanted = name in PRICES[body.type or "market"]
        if wanted and value is None:
            raise malformed(f"{body.type} orders require {name.replace('_', ' ')}")
        if not wanted and value is not None:
            raise malformed(f"{body.type} orders require no {name.replace('_', ' ')}")
        if value is not None:
            check_price(name, value)


def _check_trail(body: OrderBody) -> None:
    given = {"trail_price": body.trail_price, "trail_percent": body.trail_percent}
    found = {name: value for name, value in given.items() if value is not None}
    if body.type != "trailing_stop":
        if found:
            raise malformed(f"{body.type} orders require no {min(found)}")
        return
    if len(found) != 1:
        raise malformed("trailing stop orders require exactly one of trail_price or trail_percent")
    for name, value in found.items():
        check_trail(name, value)


def check_trail(name: str, value: Decimal) -> None:
    """Refuse a trail that is not above zero: dollars on a tick, or a percentage under 100."""
    if name == "trail_price":
        check_price(name, value)
        return
    check_amount(name, value)
    if value >= WHOLE_PERCENT:
        raise malformed(f"{name} must be < {WHOLE_PERCENT}")


def _check_combinations(body: OrderBody) -> None:
    whole = _is_whole(body)
    if body.notional is not None and body.type != "market":
        raise unprocessable("notional orders must be market orders")
    if not whole and body.time_in_force != "day":
        raise unprocessable("fractional orders must be DAY orders")
    if body.extended_hours and (body.type != "limit" or body.time_in_force not in RESTING):
        raise unprocessable("extended hours order must be DAY or GTC limit orders")
    if body.time_in_force in ONE_CHANCE and body.type not in {"market", "limit"}:
        raise unprocessable(f"{body.time_in_force} orders must be market or limit orders")


def _check_exits(body: OrderBody, found: Exits) -> None:
    extended = bool(body.extended_hours)
    check_combination(found, body.type or "", body.time_in_force or "", whole=_is_whole(body), extended=extended)
    exits_sell = (body.side == "sell") == (found.order_class == "oco")
    check_order_of_prices(found, "sell" if exits_sell else "buy")


def _is_whole(body: OrderBody) -> bool:
    return body.qty is not None and decimals(nanos(body.qty)) == 0
