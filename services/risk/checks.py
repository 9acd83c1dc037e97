"""The controls on a new order: one pure function each, in order of precedence.

A check measures one thing and answers with what it measured and, when that does not pass, the reason. It denies
when the fact it needs is missing. Orders that strictly reduce a position are exempt from every control that
bounds new risk: a limit must never trap a position.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from functools import cache
from typing import NamedTuple

from msgspec.structs import replace

from contracts.decisions import Check
from contracts.enums import Side
from contracts.reasons import DenialCode, Reason
from contracts.values import CENT, ZERO
from projections.account import daily_loss_usd, drawdown_usd
from projections.pace import orders_in_window, retry_after_ms
from services.risk.situation import Situation

C = DenialCode
_MS = timedelta(milliseconds=1)
_HALF_BPS = Decimal(20_000)
"""2 × 10,000: the spread in basis points is (ask − bid) ÷ ((ask + bid) ÷ 2) × 10,000."""

_SHOWN_CHARS = 40


class Denial(NamedTuple):
    """A check that did not pass, with the reason that an agent can act on."""

    check: Check
    reason: Reason


type Finding = Check | Denial
type Control = Callable[[Situation], Finding]


def _passed(name: str, value: Decimal, limit: Decimal) -> Check:
    return Check(name=name, passed=True, value=value, limit=limit)


@cache
def _clear(name: str) -> Check:
    return Check(name=name, passed=True)


@cache
def _exempt(name: str) -> Check:
    return Check(name=name, passed=True, note="exempt: the order reduces the position")


def _denied(name: str, reason: Reason) -> Denial:
    return Denial(Check(name=name, passed=False, value=reason.attempted, limit=reason.limit), reason)


def _missing(name: str, code: DenialCode, message: str) -> Denial:
    """Deny because the fact is missing; it may be there in a moment."""
    return Denial(
        Check(name=name, passed=False, note=message),
        Reason(code=code, message=message, retryable=True, retry_after_ms=1000),
    )


def check_kill_switch(at: Situation) -> Finding:
    """While the kill switch is on, only orders that reduce a position pass."""
    kill = at.state.kill
    if kill is None:
        return _clear("kill_switch")
    if at.reduces:
        return _exempt("kill_switch")
    message = f"the kill switch is on ({kill.mode}) by {kill.by}: {kill.reason}"
    return _denied("kill_switch", Reason(code=C.KILL_SWITCH, message=message, needs_human=True))


def check_symbol_allowlist(at: Situation) -> Finding:
    """Only listed symbols may be traded; a held position may always be reduced."""
    symbol = at.intent.symbol
    if symbol in at.limits.symbol_allowlist:
        return _clear("symbol_allowlist")
    if at.reduces:
        return _exempt("symbol_allowlist")
    allowed = ", ".join(at.limits.symbol_allowlist) or "none"
    message = f"{symbol} is not among the allowed symbols: {allowed}"
    return _denied("symbol_allowlist", Reason(code=C.SYMBOL_NOT_ALLOWED, message=message, needs_human=True))


def check_crosses_zero(at: Situation) -> Finding:
    """One order may open or reduce, never turn a long into a short or back (the broker refuses it too)."""
    held, side = at.held.position_qty, at.intent.side
    against = held > 0 if side is Side.SELL else held < 0
    if at.reduces or not against:
        return _clear("crosses_zero")
    left = at.held.reducible_qty(side)
    reason = Reason(
        code=C.CROSSES_ZERO,
        message=f"{held} held; an order against it may be for {left} at most, what is left after working orders",
        limit=left,
        attempted=at.qty,
        headroom=left,
        max_acceptable_qty=left,
    )
    return _denied("crosses_zero", reason)


def check_unknown_orders(at: Situation) -> Finding:
    """While the fate of an order in this symbol is unknown, new risk in it waits."""
    waiting = at.state.unknown_orders.get(at.intent.symbol, 0)
    if not waiting:
        return _passed("unknown_orders", ZERO, ZERO)
    if at.reduces:
        return _exempt("unknown_orders")
    reason = Reason(
        code=C.ORDER_UNKNOWN_PENDING,
        message=f"the broker has not yet said what became of {waiting} order(s) in {at.intent.symbol}",
        limit=ZERO,
        attempted=Decimal(waiting),
        retryable=True,
        retry_after_ms=2000,
    )
    return _denied("unknown_orders", reason)


def check_breaks(at: Situation) -> Finding:
    """While our books and the broker's differ, nobody knows what is held: only exits pass."""
    count = len(at.state.breaks)
    if not count:
        return _passed("breaks", ZERO, ZERO)
    if at.reduces:
        return _exempt("breaks")
    named = ", ".join(sorted(at.state.breaks))[:_SHOWN_CHARS]
    reason = Reason(
        code=C.RECONCILIATION_BREAK,
        message=f"our books and the broker's differ in {named}: until they agree only orders that reduce pass",
        limit=ZERO,
        attempted=Decimal(count),
        needs_human=True,
    )
    return _denied("breaks", reason)


def _fresh(name: str, code: DenialCode, of: tuple[str, timedelta, int]) -> Finding:
    """Hold (what it is, its age, allowed ms) together; an age below zero is a clock that runs ahead, no better."""
    what, age, allowed_ms = of
    age_ms, limit_ms = Decimal(age // _MS), Decimal(allowed_ms)
    if abs(age_ms) <= limit_ms:
        return _passed(name, age_ms, limit_ms)
    reason = Reason(
        code=code,
        message=f"{what} {age_ms} ms old, {limit_ms} ms either way are allowed",
        limit=limit_ms,
        attempted=age_ms,
        retryable=True,
        retry_after_ms=1000,
    )
    return _denied(name, reason)


def check_account_age(at: Situation) -> Finding:
    """The broker's figures must be known and fresh: a loss limit that nobody feeds is no limit."""
    if at.reduces:
        return _exempt("account_age")
    seen = at.state.observed
    if seen is None:
        return _missing("account_age", C.NO_ACCOUNT, "the broker has not yet reported the account")
    age = at.evidence.decided_at - seen.at
    return _fresh("account_age", C.STALE_ACCOUNT, ("the broker's figures are", age, at.limits.account_age_max_ms))


def check_quote_age(at: Situation) -> Finding:
    """The quote must be there, of this symbol, and fresh."""
    if at.reduces:
        return _exempt("quote_age")
    quote, symbol = at.evidence.quote, at.intent.symbol
    if quote is None or quote.symbol != symbol:
        return _missing("quote_age", C.NO_QUOTE, f"there is no quote for {symbol}")
    age = at.evidence.decided_at - quote.at
    return _fresh("quote_age", C.STALE_QUOTE, (f"the quote for {symbol} is", age, at.limits.quote_age_max_ms))


def check_quote_sanity(at: Situation) -> Finding:
    """A crossed, zero or non-finite quote says nothing about the price."""
    if at.reduces:
        return _exempt("quote_sanity")
    if at.quote is not None:
        return _clear("quote_sanity")
    quote, symbol = at.evidence.quote, at.intent.symbol
    if quote is None or quote.symbol != symbol:
        return _missing("quote_sanity", C.NO_QUOTE, f"there is no quote for {symbol}")
    shown = f"bid {str(quote.bid_price)[:_SHOWN_CHARS]}, ask {str(quote.ask_price)[:_SHOWN_CHARS]}"
    reason = Reason(
        code=C.CROSSED_QUOTE,
        message=f"the quote for {symbol} makes no sense: {shown}",
        retryable=True,
        retry_after_ms=1000,
    )
    return _denied("quote_sanity", reason)


def check_max_spread(at: Situation) -> Finding:
    """The spread in basis points of the mid, rounded up, must be within its limit."""
    if at.reduces:
        return _exempt("max_spread")
    if at.quote is None:
        return _missing("max_spread", C.NO_QUOTE, f"there is no usable quote for {at.intent.symbol}")
    bid, ask, limit = at.quote.bid_price, at.quote.ask_price, at.limits.max_spread_bps
    spread_bps = ((ask - bid) * _HALF_BPS / (ask + bid)).quantize(CENT, ROUND_UP)
    if spread_bps <= limit:
        return _passed("max_spread", spread_bps, limit)
    reason = Reason(
        code=C.MAX_SPREAD,
        message=f"the spread of {at.intent.symbol} is {spread_bps} bps, {limit} bps are allowed",
        limit=limit,
        attempted=spread_bps,
        retryable=True,
        retry_after_ms=1000,
    )
    return _denied("max_spread", reason)


def check_daily_loss(at: Situation) -> Finding:
    """Equity since the previous close, realised and unrealised, may not have fallen by the limit or more."""
    if at.reduces:
        return _exempt("daily_loss")
    loss_usd = daily_loss_usd(at.state)
    if loss_usd is None:
        return _missing("daily_loss", C.NO_ACCOUNT, "the day's profit and loss is not known")
    return _loss("daily_loss", C.MAX_DAILY_LOSS, loss_usd, at.limits.max_daily_loss_usd)


def check_drawdown(at: Situation) -> Finding:
    """Equity may not have fallen from the day's peak by the limit or more."""
    if at.reduces:
        return _exempt("drawdown")
    fall_usd = drawdown_usd(at.state)
    if fall_usd is None:
        return _missing("drawdown", C.NO_ACCOUNT, "the day's peak equity is not known")
    return _loss("drawdown", C.MAX_DRAWDOWN, fall_usd, at.limits.max_drawdown_usd)


def _loss(name: str, code: DenialCode, loss_usd: Decimal, limit: Decimal) -> Finding:
    if loss_usd < limit:
        return _passed(name, loss_usd, limit)
    message = f"{name.replace('_', ' ')} is {loss_usd} USD, trading stops at {limit} USD"
    reason = Reason(code=code, message=message, limit=limit, attempted=loss_usd, headroom=ZERO, needs_human=True)
    return _denied(name, reason)


def check_order_rate(at: Situation) -> Finding:
    """Approved orders of the last minute, this one included, may not exceed the rate."""
    if at.reduces:
        return _exempt("order_rate")
    decided_at = at.evidence.decided_at
    value, limit = orders_in_window(at.state.pace, decided_at) + 1, at.limits.order_rate_per_min
    if value <= limit:
        return _passed("order_rate", Decimal(value), Decimal(limit))
    reason = Reason(
        code=C.ORDER_RATE,
        message=f"this would be order {value} within a minute, {limit} are allowed",
        limit=Decimal(limit),
        attempted=Decimal(value),
        headroom=ZERO,
        retryable=limit > 0,
        retry_after_ms=retry_after_ms(at.state.pace, decided_at) if limit > 0 else None,
    )
    return _denied("order_rate", reason)


def check_daily_trades(at: Situation) -> Finding:
    """Approved orders of the exchange day, this one included, may not exceed the limit."""
    if at.reduces:
        return _exempt("daily_trades")
    done = at.state.day.submits_on(at.evidence.trading_day)
    value, limit = Decimal(done + 1), Decimal(at.limits.max_daily_trades)
    if value <= limit:
        return _passed("daily_trades", value, limit)
    reason = Reason(
        code=C.MAX_DAILY_TRADES,
        message=f"this would be order {value} of the day, {limit} are allowed",
        limit=limit,
        attempted=value,
        headroom=ZERO,
    )
    return _denied("daily_trades", reason)


def check_order_notional(at: Situation) -> Finding:
    """The order's value at its worst price may not exceed the limit for one order."""
    if at.reduces:
        return _exempt("order_notional")
    value, limit = at.notional_usd, at.limits.max_order_notional_usd
    if value is None:
        return _missing("order_notional", C.NO_QUOTE, "without a price the order's value is not known")
    return _bounded(at, "order_notional", C.MAX_ORDER_NOTIONAL, (ZERO, value, limit))


def check_position_notional(at: Situation) -> Finding:
    """Position and working orders of the symbol, at their worst, may not exceed the limit for one symbol."""
    if at.reduces:
        return _exempt("position_notional")
    if at.worst_price is None:
        return _missing("position_notional", C.NO_QUOTE, "without a price the exposure is not known")
    side = at.intent.side
    measured = at.before.side_usd(side), at.after.side_usd(side), at.limits.max_position_notional_usd
    return _bounded(at, "position_notional", C.MAX_POSITION_NOTIONAL, measured)


def check_gross_exposure(at: Situation) -> Finding:
    """The sum of all symbols' exposure, at their worst, may not exceed the limit."""
    if at.reduces:
        return _exempt("gross_exposure")
    if at.worst_price is None:
        return _missing("gross_exposure", C.NO_QUOTE, "without a price the exposure is not known")
    measured = at.totals_before.gross_usd, at.totals_after.gross_usd, at.limits.max_gross_exposure_usd
    return _bounded(at, "gross_exposure", C.MAX_GROSS_EXPOSURE, measured)


def check_net_exposure(at: Situation) -> Finding:
    """Long less short (or short less long), at its worst, may not exceed the limit."""
    if at.reduces:
        return _exempt("net_exposure")
    if at.worst_price is None:
        return _missing("net_exposure", C.NO_QUOTE, "without a price the exposure is not known")
    side = at.intent.side
    measured = at.totals_before.net_side_usd(side), at.totals_after.net_side_usd(side), at.limits.max_net_exposure_usd
    return _bounded(at, "net_exposure", C.MAX_NET_EXPOSURE, measured)


def _bounded(at: Situation, name: str, code: DenialCode, measured: tuple[Decimal, Decimal, Decimal]) -> Finding:
    """Hold (used before, used after, limit) against each other, all USD."""
    before, after, limit = measured
    if after <= limit:
        return _passed(name, after, limit)
    headroom = max(limit - before, ZERO)
    reason = Reason(
        code=code,
        message=f"{name.replace('_', ' ')} would be {after} USD, {limit} USD are allowed, {headroom} USD are left",
        limit=limit,
        attempted=after,
        headroom=headroom,
        max_acceptable_qty=_shares(headroom, at.worst_price),
    )
    return _denied(name, reason)


def _shares(headroom_usd: Decimal, price: Decimal | None) -> Decimal:
    """Give the whole shares that the headroom pays for."""
    return (headroom_usd / price).to_integral_value(ROUND_DOWN) if price else ZERO


CONTROLS: tuple[tuple[Control, tuple[DenialCode, ...]], ...] = (
    (check_kill_switch, (C.KILL_SWITCH,)),
    (check_symbol_allowlist, (C.SYMBOL_NOT_ALLOWED,)),
    (check_crosses_zero, (C.CROSSES_ZERO,)),
    (check_unknown_orders, (C.ORDER_UNKNOWN_PENDING,)),
    (check_breaks, (C.RECONCILIATION_BREAK,)),
    (check_account_age, (C.NO_ACCOUNT, C.STALE_ACCOUNT)),
    (check_quote_age, (C.NO_QUOTE, C.STALE_QUOTE)),
    (check_quote_sanity, (C.NO_QUOTE, C.CROSSED_QUOTE)),
    (check_max_spread, (C.NO_QUOTE, C.MAX_SPREAD)),
    (check_daily_loss, (C.NO_ACCOUNT, C.MAX_DAILY_LOSS)),
    (check_drawdown, (C.NO_ACCOUNT, C.MAX_DRAWDOWN)),
    (check_order_rate, (C.ORDER_RATE,)),
    (check_daily_trades, (C.MAX_DAILY_TRADES,)),
    (check_order_notional, (C.NO_QUOTE, C.MAX_ORDER_NOTIONAL)),
    (check_position_notional, (C.NO_QUOTE, C.MAX_POSITION_NOTIONAL)),
    (check_gross_exposure, (C.NO_QUOTE, C.MAX_GROSS_EXPOSURE)),
    (check_net_exposure, (C.NO_QUOTE, C.MAX_NET_EXPOSURE)),
)
"""Every control with the reasons it may give, in the order in which reasons win."""


def apply_all(at: Situation) -> tuple[tuple[Check, ...], Reason | None]:
    """Apply every control, so that the record shows all of them; the first reason wins."""
    checks: list[Check] = []
    reasons: list[Reason] = []
    for control, _ in CONTROLS:
        found = control(at)
        if isinstance(found, Check):
            checks.append(found)
        else:
            checks.append(found.check)
            reasons.append(found.reason)
    return tuple(checks), _first(reasons) if reasons else None


def _first(reasons: list[Reason]) -> Reason:
    """Give the first reason, with a quantity that would also pass the controls that come after it."""
    sizes = [reason.max_acceptable_qty for reason in reasons if reason.max_acceptable_qty is not None]
    first = reasons[0]
    return first if first.max_acceptable_qty is None else replace(first, max_acceptable_qty=min(sizes))
