"""Controls on money: what must be left of buying power and of cash once everything approved is paid for. All USD.

The broker's figures are older than our newest orders, so what was approved since counts against them:
`projections.spending` says for how long.
"""

from decimal import Decimal

from contracts.enums import Side
from contracts.reasons import DenialCode, Reason
from contracts.values import ZERO
from services.risk.checks.findings import Finding, clear, denied, exempt, missing, passed
from services.risk.checks.sizes import shares_for
from services.risk.situation import Situation

C = DenialCode


def check_buying_power(at: Situation) -> Finding:
    """So much buying power must be left after this order, and after all that the broker may not have seen."""
    if at.reduces:
        return exempt("buying_power")
    floor, seen = at.limits.min_buying_power_usd, at.state.observed
    if floor is None:
        return clear("buying_power")
    if seen is None or not seen.buying_power_usd.is_finite():
        return missing("buying_power", C.NO_ACCOUNT, "the account's buying power is not known")
    left_usd = seen.buying_power_usd - at.state.spent.power_usd
    return _left(at, "buying_power", C.BUYING_POWER, left_usd, floor)


def check_cash(at: Situation) -> Finding:
    """So much cash must be left after this buy, and after every buy that works or has filled unseen."""
    if at.reduces:
        return exempt("cash")
    floor, seen = at.limits.min_cash_usd, at.state.observed
    if floor is None or at.terms.side is Side.SELL:
        return clear("cash")
    if seen is None or not seen.cash_usd.is_finite():
        return missing("cash", C.NO_ACCOUNT, "the account's cash is not known")
    return _left(at, "cash", C.CASH_FLOOR, seen.cash_usd - at.state.spent.cash_usd, floor)


def _left(at: Situation, name: str, code: DenialCode, left_usd: Decimal, floor_usd: Decimal) -> Finding:
    """Take this order's worst value, or what a change adds, from what is left, and hold that against a floor."""
    if at.notional_usd is None:
        return missing(name, C.NO_QUOTE, "without a price the order's value is not known")
    counted_usd = ZERO if at.order is None else at.order.terms.qty * at.order.worst_price
    after_usd = left_usd - max(at.notional_usd - counted_usd, ZERO)
    if after_usd >= floor_usd:
        return passed(name, after_usd, floor_usd)
    headroom = max(left_usd - floor_usd, ZERO)
    stands_usd = counted_usd - at.filled_qty * (at.reserved_price or ZERO)
    reason = Reason(
        code=code,
        message=f"{name.replace('_', ' ')} would be {after_usd} USD, {floor_usd} USD must be left",
        limit=floor_usd,
        attempted=after_usd,
        headroom=headroom,
        max_acceptable_qty=shares_for(max(left_usd - floor_usd + stands_usd, ZERO), at),
    )
    return denied(name, reason)
