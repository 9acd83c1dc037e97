"""What one submit intent would mean for the account, measured once so that every check can read it."""

from decimal import Decimal

import msgspec

from contracts.decisions import Evidence
from contracts.enums import OrderType, Side
from contracts.intents import SubmitIntent
from contracts.limits import LimitSet
from contracts.market import Quote, is_sane
from contracts.values import BPS, ZERO, plain
from projections.account import AccountState
from projections.exposure import SymbolExposure, Totals, Worst, moved, with_position, with_working, worst

SHORT_MARKUP = Decimal("1.03")
"""Alpaca values a short sale at max(limit, ask × 1.03) × quantity (orders, buying power)."""


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """One intent against one state: the terms, the worst price (USD per share), exposure before and after."""

    state: AccountState
    limits: LimitSet
    intent: SubmitIntent
    qty: Decimal
    evidence: Evidence
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
    """Measure a well-formed intent."""
    qty = plain(intent.qty or ZERO)
    stored = state.exposure.of(intent.symbol)
    reduces = qty <= stored.reducible_qty(intent.side)
    held = _marked(stored, evidence)
    worst_price = _worst_price(intent, limits, evidence, reduces=reduces, mark_price=held.mark_price)
    before = worst(held)
    after = worst(with_working(held, intent.side, qty, qty * (worst_price or ZERO)))
    totals_before = moved(state.exposure.totals, worst(stored), before)
    return Situation(
        state=state,
        limits=limits,
        intent=intent,
        qty=qty,
        evidence=evidence,
        reduces=reduces,
        worst_price=worst_price,
        held=held,
        before=before,
        after=after,
        totals_before=totals_before,
        totals_after=moved(totals_before, before, after),
    )


def _marked(one: SymbolExposure, evidence: Evidence) -> SymbolExposure:
    quote = _usable(evidence)
    return one if quote is None else with_position(one, one.position_qty, (quote.bid_price + quote.ask_price) / 2)


def _usable(evidence: Evidence) -> Quote | None:
    return evidence.quote if evidence.quote is not None and is_sane(evidence.quote) else None


def _worst_price(
    intent: SubmitIntent, limits: LimitSet, evidence: Evidence, *, reduces: bool, mark_price: Decimal
) -> Decimal | None:
    """Give the worst price per share at which the order may count; none when the market is not known.

    Limit buys cannot pay more than their limit. Market buys are taken at the ask plus the collar. Sales that
    open a short are taken at max(limit, ask × 1.03), as the broker does. Reducing orders count at their limit,
    or at the mark.
    """
    limit, quote = None if intent.limit_price is None else plain(intent.limit_price), _usable(evidence)
    if reduces:
        return limit if limit is not None else mark_price
    if intent.side is Side.BUY and intent.order_type is OrderType.LIMIT:
        return limit
    if quote is None:
        return None
    if intent.side is Side.BUY:
        return quote.ask_price * (1 + limits.market_collar_bps * BPS)
    return max(limit or ZERO, quote.ask_price * SHORT_MARKUP)
