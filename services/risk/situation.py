"""What one submit intent would mean for the account, measured once so that every check can read it."""

from decimal import Decimal

import msgspec

from contracts.decisions import Evidence
from contracts.enums import OrderType, Side
from contracts.ids import Symbol
from contracts.intents import SubmitIntent
from contracts.limits import LimitSet
from contracts.market import Quote, is_sane
from contracts.values import BPS, ZERO, plain
from projections.account import AccountState
from projections.exposure import SymbolExposure, Totals, Worst, moved, with_position, with_working, worst

SHORT_MARKUP = Decimal("1.03")
"""Alpaca values a short sale at max(limit, ask × 1.03) × quantity (orders, buying power)."""


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """One intent against one state: the terms, the worst price (USD per share), exposure before and after.

    `quote` is the evidence's quote if it can be believed: of this symbol and sane, though perhaps old.
    """

    state: AccountState
    limits: LimitSet
    intent: SubmitIntent
    qty: Decimal
    evidence: Evidence
    quote: Quote | None
    reduces: bool
    worst_price: Decimal | None
    held: SymbolExposure
    before: Worst
    after: Worst
    totals_before: Totals
    totals_after: Totals

    @property
    def notional_usd(self) -> Decimal | None:
        """Give the order's value at the worst price, unknown without a price."""
        return None if self.worst_price is None else self.qty * self.worst_price


def measure(state: AccountState, limits: LimitSet, intent: SubmitIntent, evidence: Evidence) -> Situation:
    """Measure a well-formed intent.

    An order that reduces is exempt from the controls that look at the quote, so its quote marks nothing either.
    """
    qty = plain(intent.qty or ZERO)
    stored = state.exposure.of(intent.symbol)
    reduces = qty <= stored.reducible_qty(intent.side)
    quote = _believable(evidence.quote, intent.symbol)
    held = stored if reduces else _marked(stored, quote)
    worst_price = _price_to_leave(intent, stored) if reduces else _price_to_open(intent, limits, quote)
    before = worst(held)
    after = worst(with_working(held, intent.side, qty, qty * (worst_price or ZERO)))
    totals_before = moved(state.exposure.totals, worst(stored), before)
    return Situation(
        state=state,
        limits=limits,
        intent=intent,
        qty=qty,
        evidence=evidence,
        quote=quote,
        reduces=reduces,
        worst_price=worst_price,
        held=held,
        before=before,
        after=after,
        totals_before=totals_before,
        totals_after=moved(totals_before, before, after),
    )


def _believable(quote: Quote | None, symbol: Symbol) -> Quote | None:
    return quote if quote is not None and quote.symbol == symbol and is_sane(quote) else None


def _marked(one: SymbolExposure, quote: Quote | None) -> SymbolExposure:
    return one if quote is None else with_position(one, one.position_qty, (quote.bid_price + quote.ask_price) / 2)


def _limit_price(intent: SubmitIntent) -> Decimal:
    return ZERO if intent.limit_price is None else plain(intent.limit_price)


def _price_to_leave(intent: SubmitIntent, held: SymbolExposure) -> Decimal:
    """Give the price at which a reducing order counts, should the position it reduces be gone when it fills."""
    return max(_limit_price(intent), held.mark_price)


def _price_to_open(intent: SubmitIntent, limits: LimitSet, quote: Quote | None) -> Decimal | None:
    """Give the worst price per share of an order that takes new risk; none when the market is not known.

    Limit buys cannot pay more than their limit. Market buys are taken at the ask plus the collar. Sales that
    open a short are taken at max(limit, ask × 1.03), as the broker does.
    """
    if intent.side is Side.BUY and intent.order_type is OrderType.LIMIT:
        return _limit_price(intent)
    if quote is None:
        return None
    if intent.side is Side.BUY:
        return quote.ask_price * (1 + limits.market_collar_bps * BPS)
    return max(_limit_price(intent), quote.ask_price * SHORT_MARKUP)
