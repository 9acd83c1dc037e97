"""The terms that an intent comes to: as stated, merged into those that stand, or made to close a position."""

from decimal import ROUND_DOWN, Decimal

from msgspec.structs import replace

from contracts.enums import OrderClass, OrderType, Side
from contracts.intents import CloseIntent, ReplaceIntent, StopLoss, SubmitIntent, TakeProfit
from contracts.orders import OrderTerms
from contracts.values import DECIMALS_MAX, ZERO, plain
from projections.exposure import SymbolExposure

_PERCENT = Decimal(100)
_SMALLEST = Decimal(1).scaleb(-DECIMALS_MAX)
_ONE = Decimal(1)
_BY_LIMIT_ALONE = frozenset({OrderType.MARKET, OrderType.LIMIT})


def stated_terms(intent: SubmitIntent) -> OrderTerms:
    """Write a well-formed intent's terms the one canonical way; an amount's shares are not known yet."""
    terms = OrderTerms(
        symbol=intent.symbol,
        side=intent.side,
        order_type=intent.order_type,
        qty=ZERO if intent.qty is None else plain(intent.qty),
        limit_price=None if intent.limit_price is None else plain(intent.limit_price),
        time_in_force=intent.time_in_force,
        extended_hours=intent.extended_hours,
    )
    if (
        intent.order_type in _BY_LIMIT_ALONE
        and intent.notional_usd is None
        and intent.order_class is OrderClass.SIMPLE
    ):
        return terms
    return _with_rarer_terms(terms, intent)


def _with_rarer_terms(terms: OrderTerms, intent: SubmitIntent) -> OrderTerms:
    profit, stop = intent.take_profit, intent.stop_loss
    at_profit = profit if intent.order_class is OrderClass.OCO else None
    return replace(
        terms,
        limit_price=terms.limit_price if at_profit is None else plain(at_profit.limit_price),
        stop_price=_plain(intent.stop_price),
        notional_usd=_plain(intent.notional_usd),
        trail_price=_plain(intent.trail_price),
        trail_percent=_plain(intent.trail_percent),
        order_class=intent.order_class,
        take_profit=None if profit is None else TakeProfit(limit_price=plain(profit.limit_price)),
        stop_loss=None if stop is None else _plain_stop(stop),
    )


def _plain(number: Decimal | None) -> Decimal | None:
    return None if number is None else plain(number)


def _plain_stop(stop: StopLoss) -> StopLoss:
    return StopLoss(stop_price=plain(stop.stop_price), limit_price=_plain(stop.limit_price))


def merged_terms(terms: OrderTerms, intent: ReplaceIntent) -> OrderTerms:
    """Give the terms that stand with those that an intent changes; a trail is in the unit that the order has."""
    changes = {
        "qty": _plain(intent.qty),
        "limit_price": _plain(intent.limit_price),
        "stop_price": _plain(intent.stop_price),
        "trail_price" if terms.trail_price is not None else "trail_percent": _plain(intent.trail),
        "time_in_force": intent.time_in_force,
    }
    merged = replace(terms, **{name: new for name, new in changes.items() if new is not None})
    if terms.order_class is OrderClass.OCO and merged.limit_price is not None:
        return replace(merged, take_profit=TakeProfit(limit_price=merged.limit_price))
    return merged


def closing_terms(intent: CloseIntent, one: SymbolExposure) -> OrderTerms:
    """Give the market order that closes what is asked of what no working exit holds; without any, for no shares."""
    side = Side.SELL if one.position_qty > 0 else Side.BUY
    return OrderTerms(
        symbol=intent.symbol,
        side=side,
        order_type=OrderType.MARKET,
        qty=_closing_qty(intent, one.reducible_qty(side), side),
    )


def _closing_qty(intent: CloseIntent, left: Decimal, side: Side) -> Decimal:
    """Give the shares to close, a percentage rounded down: shorts are held and covered in whole shares."""
    if intent.qty is not None:
        return plain(intent.qty)
    if intent.percent is None or intent.percent == _PERCENT:
        return plain(left)
    step = _SMALLEST if side is Side.SELL else _ONE
    return plain((left * intent.percent / _PERCENT).quantize(step, ROUND_DOWN))
