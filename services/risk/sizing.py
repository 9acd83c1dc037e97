"""Advice on how many shares to trade, so that a loss at the stop costs a set part of the equity; it binds nobody.

    risk     = equity × risk_per_trade_pct
    distance = the order's own stop-loss, or else max(average true range, 1 % of the price)
    shares   = floor(risk ÷ distance)
             × volatility: 1 ÷ max(1, average true range ÷ 2 % of the price)
             × liquidity:  min(1, quoted size ÷ (2 × shares))
             , and no more than the limits allow when a limit on size denied the order

Pure; quantities in shares, money in USD. Every factor is cut to four decimals before it is applied, so that the
numbers on record give the result.
"""

from decimal import ROUND_DOWN, Decimal

from contracts.decisions import Adjustment, Sizing
from contracts.enums import Outcome, Side
from contracts.market import Quote
from contracts.values import CENT, ZERO, is_exact
from services.risk.answer import Answer
from services.risk.checks.prices import is_positive, stats_of
from services.risk.situation import Situation

LEAST_STOP_PCT = Decimal(1)
CALM_RANGE_PCT = Decimal(2)
"""An average true range up to this part of the price makes no order smaller."""
_PERCENT = Decimal(100)
_ONE = Decimal(1)
_FACTOR = Decimal("0.0001")
_CALM = Adjustment(name="volatility", factor=_ONE)
_LIQUID = Adjustment(name="liquidity", factor=_ONE)


def advice(at: Situation, answer: Answer) -> Sizing | None:
    """Advise on an order that passed, or that a limit on size denied; none when a fact for it is missing."""
    part_pct, reason = at.limits.risk_per_trade_pct, answer.reason
    if part_pct is None or at.reduces:
        return None
    allowed = None if reason is None else reason.max_acceptable_qty
    if answer.outcome is Outcome.DENIED and allowed is None:
        return None
    stats, seen = stats_of(at), at.state.observed
    atr_usd = None if stats is None else stats.atr_usd
    if at.quote is None or seen is None or atr_usd is None:
        return None
    if not is_positive(atr_usd) or not is_exact(seen.equity_usd):
        return None
    risk_usd = (max(seen.equity_usd, ZERO) * part_pct / _PERCENT).quantize(CENT, ROUND_DOWN)
    return _sized(at, at.quote, risk_usd, atr_usd, allowed)


def _sized(at: Situation, quote: Quote, risk_usd: Decimal, atr_usd: Decimal, allowed: Decimal | None) -> Sizing:
    is_buy = at.terms.side is Side.BUY
    price, size = (quote.ask_price, quote.ask_size) if is_buy else (quote.bid_price, quote.bid_size)
    distance = _stop_distance_usd(at, price, atr_usd)
    volatility = _volatility(price, atr_usd)
    shares = (risk_usd / distance).to_integral_value(ROUND_DOWN) * volatility.factor
    liquidity = _liquidity(shares, size)
    shares = (shares * liquidity.factor).to_integral_value(ROUND_DOWN)
    steps = (volatility, liquidity)
    if allowed is not None and allowed < shares:
        steps = (*steps, Adjustment(name="limits", factor=_cut(allowed / shares), note=f"{allowed} are acceptable"))
        shares = allowed.to_integral_value(ROUND_DOWN)
    return Sizing(
        requested_qty=at.terms.qty,
        recommended_qty=shares,
        risk_usd=risk_usd,
        stop_distance_usd=distance,
        adjustments=steps,
    )


def _stop_distance_usd(at: Situation, price: Decimal, atr_usd: Decimal) -> Decimal:
    """Give what one share loses at the stop: the order's own, or one at a distance that the market makes likely."""
    usual = max(atr_usd, price * LEAST_STOP_PCT / _PERCENT)
    stop = at.terms.stop_loss
    if stop is None:
        return usual
    own = abs((at.terms.limit_price or at.terms.stop_price or price) - stop.stop_price)
    return own or usual


def _volatility(price: Decimal, atr_usd: Decimal) -> Adjustment:
    calm_usd = price * CALM_RANGE_PCT / _PERCENT
    if atr_usd <= calm_usd:
        return _CALM
    note = f"the price ranges over {atr_usd} USD on a usual day, {calm_usd:f} are calm"
    return Adjustment(name="volatility", factor=_cut(calm_usd / atr_usd), note=note)


def _liquidity(shares: Decimal, size: Decimal) -> Adjustment:
    shown = size if is_exact(size) and size > 0 else ZERO
    if shown >= 2 * shares:
        return _LIQUID
    return Adjustment(name="liquidity", factor=_cut(shown / (2 * shares)), note=f"{shown} shares are quoted")


def _cut(factor: Decimal) -> Decimal:
    return factor.quantize(_FACTOR, ROUND_DOWN)
