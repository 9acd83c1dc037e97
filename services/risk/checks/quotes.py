"""Controls on the market as it was seen: there, fresh, possible, and not too wide."""

from decimal import ROUND_UP, Decimal

from contracts.reasons import DenialCode, Reason
from contracts.values import CENT
from services.risk.checks.findings import SHOWN_CHARS, Finding, clear, denied, exempt, fresh, missing, passed
from services.risk.situation import Situation

C = DenialCode
_HALF_BPS = Decimal(20_000)
"""2 × 10,000: the spread in basis points is (ask − bid) ÷ ((ask + bid) ÷ 2) × 10,000."""


def check_quote_age(at: Situation) -> Finding:
    """The quote must be there, of this symbol, and fresh."""
    if at.reduces:
        return exempt("quote_age")
    quote, symbol = at.evidence.quote, at.terms.symbol
    if quote is None or quote.symbol != symbol:
        return missing("quote_age", C.NO_QUOTE, f"there is no quote for {symbol}")
    age = at.evidence.decided_at - quote.at
    return fresh("quote_age", C.STALE_QUOTE, (f"the quote for {symbol} is", age, at.limits.quote_age_max_ms))


def check_quote_sanity(at: Situation) -> Finding:
    """A crossed, zero or non-finite quote says nothing about the price."""
    if at.reduces:
        return exempt("quote_sanity")
    if at.quote is not None:
        return clear("quote_sanity")
    quote, symbol = at.evidence.quote, at.terms.symbol
    if quote is None or quote.symbol != symbol:
        return missing("quote_sanity", C.NO_QUOTE, f"there is no quote for {symbol}")
    shown = f"bid {str(quote.bid_price)[:SHOWN_CHARS]}, ask {str(quote.ask_price)[:SHOWN_CHARS]}"
    reason = Reason(
        code=C.CROSSED_QUOTE,
        message=f"the quote for {symbol} makes no sense: {shown}",
        retryable=True,
        retry_after_ms=1000,
    )
    return denied("quote_sanity", reason)


def check_max_spread(at: Situation) -> Finding:
    """The spread in basis points of the mid, rounded up, must be within its limit."""
    if at.reduces:
        return exempt("max_spread")
    if at.quote is None:
        return missing("max_spread", C.NO_QUOTE, f"there is no usable quote for {at.terms.symbol}")
    bid, ask, limit = at.quote.bid_price, at.quote.ask_price, at.limits.max_spread_bps
    spread_bps = ((ask - bid) * _HALF_BPS / (ask + bid)).quantize(CENT, ROUND_UP)
    if spread_bps <= limit:
        return passed("max_spread", spread_bps, limit)
    reason = Reason(
        code=C.MAX_SPREAD,
        message=f"the spread of {at.terms.symbol} is {spread_bps} bps, {limit} bps are allowed",
        limit=limit,
        attempted=spread_bps,
        retryable=True,
        retry_after_ms=1000,
    )
    return denied("max_spread", reason)
