"""Controls on price: an order's against the market, and the market's own against what else is known of it.

The collar binds the aggressive side, where a slip of the finger fills at once. A limit far away on the passive side
fills at no bad price, so another control, wide by default, keeps it from resting there for ever.
"""

from decimal import ROUND_UP, Decimal

from contracts.enums import OrderType, Side
from contracts.market import Quote, SymbolStats
from contracts.reasons import DenialCode, Reason
from contracts.values import CENT, DECIMALS_MAX, MAGNITUDE_MAX, ZERO
from services.risk.checks.findings import SHOWN_CHARS, Finding, clear, denied, exempt, missing, passed
from services.risk.situation import Situation

C = DenialCode
BPS_PER_ONE = Decimal(10_000)
_HALF_BPS_PER_ONE = Decimal(5_000)
"""The middle of a quote is half of bid and ask together."""


def check_limit_collar(at: Situation) -> Finding:
    """A limit may not pay more than the ask, or sell for less than the bid, by more than the collar.

    A stop-limit order trades once its stop is reached, so its limit is held against the stop where that is worse.
    """
    if at.reduces:
        return exempt("limit_collar")
    limit_price, collar = at.terms.limit_price, at.limits.limit_collar_bps
    if limit_price is None or collar is None:
        return clear("limit_collar")
    if at.quote is None:
        return _no_quote(at, "limit_collar")
    stop = at.terms.stop_price
    if at.terms.side is Side.BUY:
        reference = at.quote.ask_price if stop is None else max(at.quote.ask_price, stop)
        beyond = limit_price - reference
    else:
        reference = at.quote.bid_price if stop is None else min(at.quote.bid_price, stop)
        beyond = reference - limit_price
    return _within("limit_collar", C.PRICE_COLLAR, beyond * BPS_PER_ONE / reference, collar)


def check_passive_collar(at: Situation) -> Finding:
    """A limit may not rest further from the market than the passive collar: below the bid, or above the ask."""
    if at.reduces:
        return exempt("passive_collar")
    limit_price, collar = at.terms.limit_price, at.limits.passive_collar_bps
    if at.terms.order_type is not OrderType.LIMIT or limit_price is None or collar is None:
        return clear("passive_collar")
    if at.quote is None:
        return _no_quote(at, "passive_collar")
    bid, ask = at.quote.bid_price, at.quote.ask_price
    is_buy = at.terms.side is Side.BUY
    away, reference = (bid - limit_price, bid) if is_buy else (limit_price - ask, ask)
    return _within("passive_collar", C.PASSIVE_COLLAR, away * BPS_PER_ONE / reference, collar)


def check_reference(at: Situation) -> Finding:
    """The quote may not stand further from the last known price than the reference collar.

    The last price is that of the newest bar, or else where the account itself last saw the symbol.
    """
    if at.reduces:
        return exempt("reference_collar")
    collar = at.limits.reference_collar_bps
    if at.quote is None or collar is None:
        return _no_quote(at, "reference_collar")
    last = reference_price(at)
    if last is None:
        message = f"no bar and no trade tells where {at.terms.symbol} should stand"
        return missing("reference_collar", C.NO_REFERENCE, message)
    return _within("reference_collar", C.REFERENCE_COLLAR, _apart_bps(at.quote, last), collar, retryable=True)


def reference_price(at: Situation) -> Decimal | None:
    """Give the last price of the symbol (USD per share) that is no quote, or none when nobody told."""
    stats = stats_of(at)
    if stats is not None and is_positive(stats.last_price):
        return stats.last_price
    return at.held.mark_price if is_positive(at.held.mark_price) else None


def check_divergence(at: Situation) -> Finding:
    """What is held must stand at the broker where the quote stands: else one of both feeds is wrong."""
    if at.reduces:
        return exempt("feed_divergence")
    allowed = at.limits.feed_divergence_max_bps
    if at.quote is None or allowed is None:
        return _no_quote(at, "feed_divergence")
    shown = at.state.listing.prices.get(at.terms.symbol)
    if shown is None:
        return clear("feed_divergence")  # the broker prices only what it showed as held
    if not is_positive(shown):
        message = f"the broker shows {str(shown)[:SHOWN_CHARS]} as the price of {at.terms.symbol}, which is none"
        return missing("feed_divergence", C.FEED_DIVERGENCE, message)
    return _within("feed_divergence", C.FEED_DIVERGENCE, _apart_bps(at.quote, shown), allowed, retryable=True)


def check_quote_size(at: Situation) -> Finding:
    """The side that the order would take must show enough shares to believe its price."""
    if at.reduces:
        return exempt("quote_size")
    least = at.limits.min_quote_size
    if at.quote is None or least is None:
        return _no_quote(at, "quote_size")
    size = at.quote.ask_size if at.terms.side is Side.BUY else at.quote.bid_size
    if size.is_finite() and size >= least:
        return passed("quote_size", size, least)
    shown = size if size.is_finite() else ZERO
    reason = Reason(
        code=C.SMALL_QUOTE,
        message=f"the quote shows {shown} shares on the side that the order takes, {least} are wanted",
        limit=least,
        attempted=shown,
        retryable=True,
        retry_after_ms=1000,
    )
    return denied("quote_size", reason)


def stats_of(at: Situation) -> SymbolStats | None:
    """Give what is usual for the order's symbol, if that is what the evidence holds."""
    stats = at.evidence.stats
    return stats if stats is not None and stats.symbol == at.terms.symbol else None


def is_positive(number: Decimal) -> bool:
    """Say whether a fact from outside is a number above zero that can be calculated with."""
    return number.is_finite() and number > 0 and -DECIMALS_MAX <= number.adjusted() < MAGNITUDE_MAX


def _apart_bps(quote: Quote, price: Decimal) -> Decimal:
    """Give how far the middle of a quote stands from a price, either way, in basis points of that price."""
    return abs(quote.bid_price + quote.ask_price - price - price) * _HALF_BPS_PER_ONE / price


def _within(name: str, code: DenialCode, found_bps: Decimal, limit: Decimal, *, retryable: bool = False) -> Finding:
    """Hold basis points, rounded up, against a limit; what is on the harmless side counts as zero."""
    value = found_bps.quantize(CENT, ROUND_UP) if found_bps > 0 else ZERO
    if value <= limit:
        return passed(name, value, limit)
    reason = Reason(
        code=code,
        message=f"{name.replace('_', ' ')}: {value} bps, {limit} bps are allowed",
        limit=limit,
        attempted=value,
        retryable=retryable,
        retry_after_ms=1000 if retryable else None,
    )
    return denied(name, reason)


def _no_quote(at: Situation, name: str) -> Finding:
    return missing(name, C.NO_QUOTE, f"there is no usable quote for {at.terms.symbol}")
