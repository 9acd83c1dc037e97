"""What an account may do, and why not more; orders that only reduce a position always may."""

from contracts.enums import BreakKind, TradingState
from contracts.limits import LimitSet
from projections.account import AccountState, daily_loss_usd, drawdown_usd


def trading_state_of(state: AccountState) -> tuple[TradingState, tuple[str, ...]]:
    """Give the trading state with what causes it; an order that nobody approved halts, other breaks reduce."""
    if halts := (*_halts(state), *_breaks(state, orphans=True)):
        return TradingState.HALTED, halts
    breaches = () if (limits := state.bounds) is None else _breaches(state, limits)
    if causes := (*breaches, *_breaks(state, orphans=False)):
        return TradingState.REDUCE_ONLY, causes
    return TradingState.ACTIVE, ()


def _halts(state: AccountState) -> tuple[str, ...]:
    halts = {
        "kill_switch": state.kill is not None,
        "no_limits": state.limits is None,
        "blocked_by_broker": state.observed is not None and state.observed.trading_blocked,
    }
    return tuple(name for name, holds in halts.items() if holds)


def _breaches(state: AccountState, limits: LimitSet) -> tuple[str, ...]:
    loss_usd, fall_usd = daily_loss_usd(state), drawdown_usd(state)
    breached = {
        "daily_loss": loss_usd is not None and loss_usd >= limits.max_daily_loss_usd,
        "drawdown": fall_usd is not None and fall_usd >= limits.max_drawdown_usd,
        "account_unknown": loss_usd is None or fall_usd is None,
    }
    return tuple(name for name, holds in breached.items() if holds)


def _breaks(state: AccountState, *, orphans: bool) -> tuple[str, ...]:
    named = (name for name, found in state.breaks.items() if (found.kind is BreakKind.ORPHAN) is orphans)
    return tuple(f"break {name}" for name in sorted(named))
