"""What is left under each limit now, derived from the folded account: shown to callers, never decided on."""

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from contracts.decisions import Headroom
from contracts.values import ZERO
from projections.account import AccountState
from projections.pace import orders_in_window


class Losses(NamedTuple):
    """How far equity stands below the previous close and below the day's peak (USD, negative when above)."""

    loss_usd: Decimal | None
    drawdown_usd: Decimal | None


def losses(state: AccountState) -> Losses:
    """Measure both losses as risk does; None while the broker has not reported."""
    seen, peak = state.observed, state.day.peak_equity_usd
    if seen is None:
        return Losses(None, None)
    return Losses(seen.last_equity_usd - seen.equity_usd, None if peak is None else peak - seen.equity_usd)


def trades_today(state: AccountState, today: date) -> int:
    """Count the approved orders of an exchange day."""
    return state.day.submits if state.day.trading_day == today else 0


def headroom(state: AccountState, now: datetime, today: date) -> Headroom:
    """Derive what is left at a moment; without limits nothing is known to be left."""
    limits = state.limits
    orders_lately = orders_in_window(state.pace, now)
    if limits is None:
        return Headroom(orders_this_minute=orders_lately)
    loss_usd, drawdown_usd = losses(state)
    return Headroom(
        gross_exposure_usd=_left(limits.max_gross_exposure_usd, state.exposure.totals.gross_usd),
        net_exposure_usd=_left(limits.max_net_exposure_usd, state.exposure.totals.net_usd),
        daily_loss_usd=None if loss_usd is None else _left(limits.max_daily_loss_usd, loss_usd),
        drawdown_usd=None if drawdown_usd is None else _left(limits.max_drawdown_usd, drawdown_usd),
        daily_trades=max(limits.max_daily_trades - trades_today(state, today), 0),
        orders_this_minute=orders_lately,
    )


def _left(limit_usd: Decimal, used_usd: Decimal) -> Decimal:
    return max(limit_usd - used_usd, ZERO)
