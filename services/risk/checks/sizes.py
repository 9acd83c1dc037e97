"""Controls on size: one order, one symbol, the account's gross and net, each at its worst."""

from decimal import ROUND_DOWN, Decimal

from contracts.reasons import DenialCode, Reason
from contracts.values import ZERO
from services.risk.checks.findings import Denial, Finding, denied, exempt, missing, passed
from services.risk.situation import Situation

C = DenialCode


def check_order_notional(at: Situation) -> Finding:
    """The order's value at its worst price may not exceed the limit for one order."""
    if at.reduces:
        return exempt("order_notional")
    value, limit = at.notional_usd, at.limits.max_order_notional_usd
    if value is None:
        return missing("order_notional", C.NO_QUOTE, "without a price the order's value is not known")
    if value <= limit:
        return passed("order_notional", value, limit)
    filled_usd = at.filled_qty * (at.reserved_price or ZERO)
    return too_large(at, "order_notional", C.MAX_ORDER_NOTIONAL, (filled_usd, value, limit))


def check_position_notional(at: Situation) -> Finding:
    """Position and working orders of the symbol, at their worst, may not exceed the limit for one symbol."""
    if at.reduces:
        return exempt("position_notional")
    if at.worst_price is None:
        return missing("position_notional", C.NO_QUOTE, "without a price the exposure is not known")
    side, limit = at.terms.side, at.limits.max_position_notional_usd
    after = at.after.side_usd(side)
    if after <= limit:
        return passed("position_notional", after, limit)
    return too_large(at, "position_notional", C.MAX_POSITION_NOTIONAL, (at.before.side_usd(side), after, limit))


def check_gross_exposure(at: Situation) -> Finding:
    """The sum of all symbols' exposure, at their worst, may not exceed the limit."""
    if at.reduces:
        return exempt("gross_exposure")
    if at.worst_price is None:
        return missing("gross_exposure", C.NO_QUOTE, "without a price the exposure is not known")
    after, limit = at.totals_after.gross_usd, at.limits.max_gross_exposure_usd
    if after <= limit:
        return passed("gross_exposure", after, limit)
    return too_large(at, "gross_exposure", C.MAX_GROSS_EXPOSURE, (at.totals_before.gross_usd, after, limit))


def check_net_exposure(at: Situation) -> Finding:
    """Long less short (or short less long), at its worst, may not exceed the limit."""
    if at.reduces:
        return exempt("net_exposure")
    if at.worst_price is None:
        return missing("net_exposure", C.NO_QUOTE, "without a price the exposure is not known")
    side, limit = at.terms.side, at.limits.max_net_exposure_usd
    after = at.totals_after.net_side_usd(side)
    if after <= limit:
        return passed("net_exposure", after, limit)
    return too_large(at, "net_exposure", C.MAX_NET_EXPOSURE, (at.totals_before.net_side_usd(side), after, limit))


def too_large(at: Situation, name: str, code: DenialCode, measured: tuple[Decimal, Decimal, Decimal]) -> Denial:
    """Deny with (used without this order, used with it, limit), all USD, and the quantity that would pass."""
    before, after, limit = measured
    headroom = max(limit - before, ZERO)
    reason = Reason(
        code=code,
        message=f"{name.replace('_', ' ')} would be {after} USD, {limit} USD are allowed, {headroom} USD are left",
        limit=limit,
        attempted=after,
        headroom=headroom,
        max_acceptable_qty=shares_for(headroom, at),
    )
    return denied(name, reason)


def shares_for(headroom_usd: Decimal, at: Situation) -> Decimal:
    """Give the whole shares that the headroom pays for, and with them what a changed order has filled already."""
    if not at.reserved_price:
        return ZERO
    return (headroom_usd / at.reserved_price).to_integral_value(ROUND_DOWN) + at.filled_qty
