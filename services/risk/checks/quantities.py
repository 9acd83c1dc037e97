"""Controls on the number of shares in one order: as such, and against what is traded on a usual day."""

from decimal import ROUND_DOWN, ROUND_UP, Decimal

from contracts.reasons import DenialCode, Reason
from services.risk.checks.findings import Denial, Finding, clear, denied, exempt, missing, passed
from services.risk.checks.prices import is_positive, stats_of
from services.risk.situation import Situation

C = DenialCode
_PERCENT = Decimal(100)
_SHOWN_PERCENT = Decimal("0.0001")


def check_order_qty(at: Situation) -> Finding:
    """One order may not be for more shares than the limit."""
    if at.reduces:
        return exempt("order_qty")
    qty, limit = at.terms.qty, at.limits.max_order_qty
    if limit is None:
        return clear("order_qty")
    if qty <= limit:
        return passed("order_qty", qty, limit)
    return _too_many(at, "order_qty", (C.MAX_ORDER_QTY, qty, limit, limit), "shares")


def check_adv_share(at: Situation) -> Finding:
    """One order may not be for more than this part, in percent, of what is traded in the symbol on a usual day."""
    if at.reduces:
        return exempt("order_adv")
    limit, stats = at.limits.max_order_adv_pct, stats_of(at)
    if limit is None:
        return clear("order_adv")
    volume = None if stats is None else stats.daily_volume
    if volume is None or not is_positive(volume):
        message = f"nobody knows how much of {at.terms.symbol} is traded on a usual day"
        return missing("order_adv", C.NO_REFERENCE, message)
    share_pct = (at.terms.qty * _PERCENT / volume).quantize(_SHOWN_PERCENT, ROUND_UP)
    if share_pct <= limit:
        return passed("order_adv", share_pct, limit)
    most = (volume * limit / _PERCENT).to_integral_value(ROUND_DOWN)
    return _too_many(at, "order_adv", (C.MAX_ORDER_ADV, share_pct, limit, most), "percent of a usual day's volume")


def _too_many(at: Situation, name: str, found: tuple[DenialCode, Decimal, Decimal, Decimal], unit: str) -> Denial:
    """Deny with (the code, what was asked, the limit, the shares that would pass)."""
    code, value, limit, most = found
    reason = Reason(
        code=code,
        message=f"{at.terms.qty} shares of {at.terms.symbol} are {value} {unit}, {limit} are allowed",
        limit=limit,
        attempted=value,
        headroom=limit,
        max_acceptable_qty=most,
    )
    return denied(name, reason)
