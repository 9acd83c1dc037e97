"""What is left under each limit: limit less what is used, never below zero, derived and never stored."""

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from contracts.decisions import Headroom
from contracts.limits import LimitSet
from contracts.values import ZERO
from projections.account import AccountState, daily_loss_usd, drawdown_usd
from projections.exposure import Totals
from projections.pace import orders_in_window


class Used(NamedTuple):
    """What counts against the limits: the account's totals, one symbol's exposure (USD), and what is not yet folded.

    `orders` counts in the rate, `trades` in the day: a replace is one of the first and none of the second. `limits`
    are those over the order, none where no order is measured.
    """

    totals: Totals
    symbol_usd: Decimal | None = None
    orders: int = 0
    trades: int = 0
    limits: LimitSet | None = None


def headroom(state: AccountState, now: datetime, today: date, used: Used | None = None) -> Headroom:
    """Derive what is left at a moment of an exchange day; without limits nothing is known to be left."""
    used = used or Used(state.exposure.totals)
    orders_lately = orders_in_window(state.pace, now) + used.orders
    limits = used.limits or state.bounds
    if limits is None:
        return Headroom(orders_this_minute=orders_lately)
    return Headroom(
        position_usd=_left(limits.max_position_notional_usd, used.symbol_usd),
        gross_exposure_usd=_left(limits.max_gross_exposure_usd, used.totals.gross_usd),
        net_exposure_usd=_left(limits.max_net_exposure_usd, used.totals.net_usd),
        daily_loss_usd=_left(limits.max_daily_loss_usd, daily_loss_usd(state)),
        drawdown_usd=_left(limits.max_drawdown_usd, drawdown_usd(state)),
        daily_trades=_trades_left(state, limits, today, used.trades),
        orders_this_minute=orders_lately,
    )


def _left(limit_usd: Decimal, used_usd: Decimal | None) -> Decimal | None:
    return None if used_usd is None else max(limit_usd - used_usd, ZERO)


def _trades_left(state: AccountState, limits: LimitSet, today: date, more: int) -> int:
    return max(limits.max_daily_trades - state.day.submits_on(today) - more, 0)
