"""`lockgate submit`: state an intent for one order of any type, and show what became of it."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter
from msgspec.structs import replace

from contracts.enums import OrderClass, OrderType, Side, TimeInForce
from contracts.ids import IntentId, Symbol
from contracts.intents import IntentMeta, StopLoss, SubmitIntent, TakeProfit
from services.cli.conditions import ALWAYS, FlatConditions, stated
from services.cli.manner import PLAIN, STRATEGY, FlatManner, Number, Reason, chosen_id, number, state_as_agent
from services.cli.outcome import UsageError
from services.cli.terminal import as_it_is

Kind = Annotated[
    OrderType | None,
    Parameter(name="--type", name_transform=as_it_is, help="Order type; unless given, what its prices make it."),
]


def _option(told: str) -> Parameter:
    return Parameter(help=told, allow_leading_hyphen=True)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What is asked for beyond symbol, side and quantity."""

    kind: Kind = None
    notional: Annotated[str | None, _option("For so many USD instead of a quantity (market, day).")] = None
    limit_price: Annotated[str | None, _option("USD per share.")] = None
    stop_price: Annotated[str | None, _option("USD per share; alone a stop order, with a limit a stop-limit.")] = None
    trail_price: Annotated[str | None, _option("USD behind the best price: a trailing stop.")] = None
    trail_percent: Annotated[str | None, _option("Percent behind the best price: a trailing stop.")] = None
    take_profit: Annotated[str | None, _option("Limit price of the exit with a profit.")] = None
    stop_loss: Annotated[str | None, _option("Stop price of the exit with a loss.")] = None
    stop_loss_limit: Annotated[str | None, _option("Limit price of that exit.")] = None
    order_class: Annotated[
        OrderClass | None,
        Parameter(name="--class", help="Unless given: bracket with both exits, oto with one; oco must be said."),
    ] = None
    extended_hours: Annotated[bool, Parameter(negative="", help="Also before and after regular hours.")] = False
    tif: Annotated[TimeInForce, Parameter(name="--tif", help="How long the order stands.")] = TimeInForce.DAY
    reason: Reason = None


FlatTerms = Annotated[Terms, Parameter(name="*")]
_MARKET = Terms()


def submit(
    symbol: str,
    side: Side,
    qty: Number | None = None,
    /,
    *,
    terms: FlatTerms = _MARKET,
    conditions: FlatConditions = ALWAYS,
    manner: FlatManner = PLAIN,
) -> int:
    """State an intent for one order over NATS, as the agent `demo` or another, and show the decision on it.

    The exit code is 0 when it was approved (or would have been, on a dry run), 1 when it was not. The same
    --intent-id again changes nothing: it shows the decision of the first time.

    ```
    lockgate submit AAPL buy 10
    lockgate submit AAPL buy --notional 500
    lockgate submit AAPL buy 1000 --dry-run
    lockgate submit AAPL buy 10 --if-position 0 --expected-price 189.12 --tolerance-bps 10
    lockgate submit AAPL buy 10 --limit-price 189.12 --wait
    lockgate submit AAPL buy 10 --stop-price 195 --limit-price 196 --tif gtc
    lockgate submit AAPL sell 10 --trail-percent 2.5
    lockgate submit AAPL buy 10 --limit-price 189 --take-profit 199 --stop-loss 180
    lockgate submit AAPL sell 10 --class oco --take-profit 199 --stop-loss 180 --stop-loss-limit 179
    lockgate submit AAPL sell 10 --agent-credentials ~/.lockgate/credentials/agent-demo.json
    ```

    Args:
        symbol: What to trade.
        side: buy or sell.
        qty: How many shares; left out with --notional.
        terms: The order's other terms.
        conditions: What must still be so when risk decides.
        manner: Who states it and how the answer is shown.
    """
    if (qty is None) == (terms.notional is None):
        raise UsageError("state how many shares, or for how much with --notional: exactly one of them")
    intent = _intent(Symbol(symbol.upper()), side, qty, terms, chosen_id(manner))
    return state_as_agent(replace(intent, **stated(conditions)), manner)


def _intent(symbol: Symbol, side: Side, qty: str | None, terms: Terms, intent_id: IntentId) -> SubmitIntent:
    return SubmitIntent(
        intent_id=intent_id,
        symbol=symbol,
        side=side,
        order_type=terms.kind or _implied_type(terms),
        qty=number("QTY", qty),
        notional_usd=number("--notional", terms.notional),
        limit_price=number("--limit-price", terms.limit_price),
        stop_price=number("--stop-price", terms.stop_price),
        trail_price=number("--trail-price", terms.trail_price),
        trail_percent=number("--trail-percent", terms.trail_percent),
        time_in_force=terms.tif,
        extended_hours=terms.extended_hours,
        order_class=terms.order_class or _implied_class(terms),
        take_profit=_take_profit(terms),
        stop_loss=_stop_loss(terms),
        meta=IntentMeta(strategy=STRATEGY, reason=terms.reason),
    )


def _implied_type(terms: Terms) -> OrderType:
    if terms.trail_price is not None or terms.trail_percent is not None:
        return OrderType.TRAILING_STOP
    if terms.stop_price is not None:
        return OrderType.STOP if terms.limit_price is None else OrderType.STOP_LIMIT
    is_limit = terms.limit_price is not None or terms.order_class is OrderClass.OCO
    return OrderType.LIMIT if is_limit else OrderType.MARKET


def _implied_class(terms: Terms) -> OrderClass:
    exits = (terms.take_profit is not None) + (terms.stop_loss is not None)
    return (OrderClass.SIMPLE, OrderClass.OTO, OrderClass.BRACKET)[exits]


def _take_profit(terms: Terms) -> TakeProfit | None:
    limit_price = number("--take-profit", terms.take_profit)
    return None if limit_price is None else TakeProfit(limit_price=limit_price)


def _stop_loss(terms: Terms) -> StopLoss | None:
    stop_price, limit_price = (
        number("--stop-loss", terms.stop_loss),
        number("--stop-loss-limit", terms.stop_loss_limit),
    )
    if stop_price is not None:
        return StopLoss(stop_price=stop_price, limit_price=limit_price)
    if limit_price is not None:
        raise UsageError("--stop-loss-limit comes with --stop-loss")
    return None
