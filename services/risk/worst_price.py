"""The worst price at which each type of order may fill, in USD per share, with its source: limits rest on it.

| order | worst price | because |
|---|---|---|
| any that reduces a position | its limits, its stops or the mark, the highest | it counts if the position is gone |
| limit, stop-limit buy | its limit | the venue may not charge more |
| stop buy | stop × 1.04 below 50 USD, × 1.025 from there up | Alpaca sends it as a stop-limit with that limit |
| trailing-stop buy | the same of ask + trail | the stop starts there, and only ever comes down |
| market buy | ask × (1 + `market_collar_bps`) | nothing bounds it but the market |
| buy for an amount | amount ÷ most shares | the broker spends no more than the amount |
| sale that opens a short | limit, stop or ask × 1.03, the highest | as Alpaca values it for buying power |

Source: Alpaca, "Understand orders" (buying power, stop orders, trailing stops). Entries of bracket and OTO orders
are priced by their own type; the exits inherit the entry's price or their own, whichever is higher.
"""

from decimal import ROUND_DOWN, ROUND_UP, Decimal

from contracts.enums import OrderType, Side
from contracts.limits import LimitSet
from contracts.market import Quote
from contracts.orders import OrderTerms
from contracts.values import BPS, DECIMALS_MAX, ZERO

SHORT_MARKUP = Decimal("1.03")
STOP_MARKUP_FROM_USD = Decimal(50)
STOP_MARKUP_BELOW = Decimal("1.04")
STOP_MARKUP_ABOVE = Decimal("1.025")
_PERCENT = Decimal(100)
_SMALLEST = Decimal(1).scaleb(-DECIMALS_MAX)


def price_to_leave(terms: OrderTerms, mark_price: Decimal) -> Decimal:
    """Give the price at which a reducing order counts, should the position it reduces be gone when it fills."""
    own = max(terms.limit_price or ZERO, terms.stop_price or ZERO, mark_price)
    stop = terms.stop_loss
    return own if stop is None else max(own, stop.stop_price, stop.limit_price or ZERO)


def price_to_open(terms: OrderTerms, limits: LimitSet, quote: Quote | None) -> Decimal | None:
    """Give the worst price of an order that takes new risk; none when it takes a market that is not known."""
    if terms.side is Side.SELL:
        return None if quote is None else _short_price(terms, quote)
    if terms.limit_price is not None:
        return terms.limit_price
    if terms.stop_price is not None:
        return with_stop_markup(terms.stop_price)
    if quote is None:
        return None
    if terms.notional_usd is not None:
        return price_of_amount(terms.notional_usd, terms.qty)
    if terms.order_type is OrderType.TRAILING_STOP:
        return with_stop_markup(quote.ask_price + _trail_usd(terms, quote.ask_price))
    return quote.ask_price * (1 + limits.market_collar_bps * BPS)


def _short_price(terms: OrderTerms, quote: Quote) -> Decimal:
    return max(terms.limit_price or ZERO, terms.stop_price or ZERO, quote.ask_price * SHORT_MARKUP)


def with_stop_markup(stop_price: Decimal) -> Decimal:
    """Give the limit with which Alpaca protects a stop buy."""
    return stop_price * (STOP_MARKUP_BELOW if stop_price < STOP_MARKUP_FROM_USD else STOP_MARKUP_ABOVE)


def _trail_usd(terms: OrderTerms, price: Decimal) -> Decimal:
    if terms.trail_price is not None:
        return terms.trail_price
    return price * (terms.trail_percent or ZERO) / _PERCENT


def most_shares(notional_usd: Decimal, limits: LimitSet, quote: Quote) -> Decimal:
    """Give the most shares an amount may become: bought or sold below the bid by the whole collar, rounded up."""
    low_price = quote.bid_price * (1 - limits.market_collar_bps * BPS)
    if low_price <= 0:
        return ZERO  # a collar of 100 % or more bounds nothing, so nothing is known
    return (notional_usd / low_price).quantize(_SMALLEST, ROUND_UP)


def price_of_amount(notional_usd: Decimal, qty: Decimal) -> Decimal | None:
    """Give the price at which so many shares cost the amount, never more than it, exact in nine decimals."""
    return (notional_usd / qty).quantize(_SMALLEST, ROUND_DOWN) if qty else None
