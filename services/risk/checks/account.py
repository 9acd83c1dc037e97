"""Controls on the account as a whole: its figures, what it lost, how fast and how often it trades."""

from decimal import Decimal

from contracts.reasons import DenialCode, Reason
from contracts.values import ZERO
from projections.account import daily_loss_usd, drawdown_usd
from projections.pace import orders_in_window, retry_after_ms
from services.risk.checks.findings import Finding, clear, denied, exempt, fresh, missing, passed
from services.risk.situation import Situation

C = DenialCode


def check_account_age(at: Situation) -> Finding:
    """The broker's figures must be known and fresh: a loss limit that nobody feeds is no limit."""
    if at.reduces:
        return exempt("account_age")
    seen = at.state.observed
    if seen is None:
        return missing("account_age", C.NO_ACCOUNT, "the broker has not yet reported the account")
    age = at.evidence.decided_at - seen.at
    return fresh("account_age", C.STALE_ACCOUNT, ("the broker's figures are", age, at.limits.account_age_max_ms))


def check_account_blocked(at: Situation) -> Finding:
    """An account that the broker has blocked takes no new risk, and neither does one of which nobody knows."""
    if at.reduces:
        return exempt("account_blocked")
    seen = at.state.observed
    if seen is None:
        return missing("account_blocked", C.NO_ACCOUNT, "the broker has not yet reported the account")
    if not seen.trading_blocked:
        return clear("account_blocked")
    message = "the broker has blocked trading in this account: ask the broker why"
    return denied("account_blocked", Reason(code=C.ACCOUNT_BLOCKED, message=message, needs_human=True))


def check_daily_loss(at: Situation) -> Finding:
    """Equity since the previous close, realised and unrealised, may not have fallen by the limit or more."""
    if at.reduces:
        return exempt("daily_loss")
    loss_usd = daily_loss_usd(at.state)
    if loss_usd is None:
        return missing("daily_loss", C.NO_ACCOUNT, "the day's profit and loss is not known")
    return lost("daily_loss", C.MAX_DAILY_LOSS, loss_usd, at.limits.max_daily_loss_usd)


def check_drawdown(at: Situation) -> Finding:
    """Equity may not have fallen from the day's peak by the limit or more."""
    if at.reduces:
        return exempt("drawdown")
    fall_usd = drawdown_usd(at.state)
    if fall_usd is None:
        return missing("drawdown", C.NO_ACCOUNT, "the day's peak equity is not known")
    return lost("drawdown", C.MAX_DRAWDOWN, fall_usd, at.limits.max_drawdown_usd)


def lost(name: str, code: DenialCode, loss_usd: Decimal, limit: Decimal) -> Finding:
    """Hold a loss against the limit at which trading stops, both USD."""
    if loss_usd < limit:
        return passed(name, loss_usd, limit)
    message = f"{name.replace('_', ' ')} is {loss_usd} USD, trading stops at {limit} USD"
    reason = Reason(code=code, message=message, limit=limit, attempted=loss_usd, headroom=ZERO, needs_human=True)
    return denied(name, reason)


def check_order_rate(at: Situation) -> Finding:
    """Orders approved and changed within the last minute, this one included, may not exceed the rate."""
    if at.reduces:
        return exempt("order_rate")
    decided_at = at.evidence.decided_at
    value, limit = orders_in_window(at.state.pace, decided_at) + 1, at.limits.order_rate_per_min
    if value <= limit:
        return passed("order_rate", Decimal(value), Decimal(limit))
    reason = Reason(
        code=C.ORDER_RATE,
        message=f"this would be order {value} within a minute, {limit} are allowed",
        limit=Decimal(limit),
        attempted=Decimal(value),
        headroom=ZERO,
        retryable=limit > 0,
        retry_after_ms=retry_after_ms(at.state.pace, decided_at, limit - 1) if limit > 0 else None,
    )
    return denied("order_rate", reason)


def check_daily_trades(at: Situation) -> Finding:
    """Approved orders of the exchange day, this one included, may not exceed the limit; a replace is no new one."""
    if at.reduces:
        return exempt("daily_trades")
    if at.order is not None:
        return clear("daily_trades")
    done = at.state.day.submits_on(at.evidence.trading_day)
    value, limit = Decimal(done + 1), Decimal(at.limits.max_daily_trades)
    if value <= limit:
        return passed("daily_trades", value, limit)
    reason = Reason(
        code=C.MAX_DAILY_TRADES,
        message=f"this would be order {value} of the day, {limit} are allowed",
        limit=limit,
        attempted=value,
        headroom=ZERO,
    )
    return denied("daily_trades", reason)
