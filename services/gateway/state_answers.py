"""The account as answers: pure translation of the folded state."""

from datetime import date, datetime
from typing import NamedTuple

from contracts.broker import KillVerified
from contracts.ids import AccountId
from contracts.limits import LimitSet
from contracts.scopes import ACCOUNT, Scope
from contracts.values import ZERO
from projections.account import AccountState, daily_loss_usd, drawdown_usd
from projections.exposure import SymbolExposure, worst
from projections.headroom import headroom
from projections.margin_watch import margin_warnings
from projections.pace import orders_in_window
from projections.positions import Position
from projections.standing import Kill
from projections.trading_state import trading_state_of
from services.gateway.answers import (
    Balances,
    DayAnswer,
    ExposureAnswer,
    KillProof,
    KillState,
    PositionAnswer,
    RiskHeadroom,
    RiskStateAnswer,
    StateAnswer,
    SymbolExposureAnswer,
)
from services.gateway.api_keys import ApiKey
from services.gateway.decision_answers import risk_headroom
from services.gateway.order_answers import OrdersShown, orders_shown
from services.gateway.scope_answers import agents_shown, scopes_shown, strategies_shown

OPEN_ORDERS_MAX = 500


class Moment(NamedTuple):
    """One account's state, how far it is folded, how fresh it is, and the time at which somebody asks."""

    account: AccountId
    state: AccountState
    seq: int
    as_of: datetime | None
    now: datetime
    today: date


def state_answer(at: Moment, mode: str, key: ApiKey) -> StateAnswer:
    """Show the account: money, positions, the open orders that a key may see, and what may still be done."""
    state = at.state
    trading_state, reasons = trading_state_of(state, at.now)
    return StateAnswer(
        mode=mode,
        account=at.account,
        trading_state=trading_state,
        trading_state_reasons=reasons,
        kill_switch=state.kill is not None,
        kill=_account_kill(state),
        kills=_kills(state),
        balances=_balances(state),
        modes=scopes_shown(state, key, at.now),
        agents=agents_shown(state, key),
        strategies=strategies_shown(state, key),
        positions=tuple(_position(state, held) for held in state.positions.values() if held.qty),
        open_orders=orders_shown(state, OrdersShown.OPEN, OPEN_ORDERS_MAX, key),
        risk_headroom=_headroom(at),
        warnings=margin_warnings(state),
        broker_up=state.broker_up,
        state_seq=at.seq,
        as_of=at.as_of,
    )


def risk_state_answer(at: Moment) -> RiskStateAnswer:
    """Show what risk measures new orders against."""
    state = at.state
    trading_state, reasons = trading_state_of(state, at.now)
    return RiskStateAnswer(
        account=at.account,
        trading_state=trading_state,
        trading_state_reasons=reasons,
        kill_switch=state.kill is not None,
        kill=_account_kill(state),
        kills=_kills(state),
        limits=state.limits,
        limits_version=state.limits_version,
        exposure=_exposure(state),
        headroom=_headroom(at),
        day=_day(at),
        orders_this_minute=orders_in_window(state.pace, at.now),
        unknown_orders={symbol: count for symbol, count in state.unknown_orders.items() if count},
        broker_up=state.broker_up,
        account_as_of=None if state.observed is None else state.observed.at,
        state_seq=at.seq,
        as_of=at.as_of,
    )


def _headroom(at: Moment) -> RiskHeadroom:
    limits = at.state.bounds
    left = headroom(at.state, at.now, at.today)
    return risk_headroom(left, None if limits is None else limits.order_rate_per_min)


def _account_kill(state: AccountState) -> KillState | None:
    kill = state.standing.kills.get(ACCOUNT)
    return None if kill is None else _kill(ACCOUNT, kill)


def _kills(state: AccountState) -> tuple[KillState, ...]:
    return tuple(_kill(scope, kill) for scope, kill in sorted(state.standing.kills.items()))


def _kill(scope: Scope, kill: Kill) -> KillState:
    said = kill.event
    return KillState(
        scope=scope,
        mode=said.mode,
        by=said.by,
        reason=said.reason,
        since=said.at,
        seq=kill.seq,
        proof=None if kill.proof is None else _proof(kill.proof),
    )


def _proof(told: KillVerified) -> KillProof:
    return KillProof(
        engaged_seq=told.engaged_seq,
        blocked_after_ms=told.blocked_after_ms,
        silent_after_ms=told.silent_after_ms,
        flat_after_ms=told.flat_after_ms,
        orders_left=told.orders_left,
        positions_left=told.positions_left,
        at=told.at,
        detail=told.detail,
    )


def _balances(state: AccountState) -> Balances:
    seen = state.observed
    if seen is None:
        return Balances()
    return Balances(
        cash=seen.cash_usd,
        equity=seen.equity_usd,
        last_equity=seen.last_equity_usd,
        buying_power=seen.buying_power_usd,
        as_of=seen.at,
    )


def _position(state: AccountState, held: Position) -> PositionAnswer:
    mark = state.exposure.of(held.symbol).mark_price
    return PositionAnswer(
        symbol=held.symbol,
        qty=held.qty,
        avg_price=held.avg_price,
        mark_price=mark,
        market_value_usd=held.qty * mark,
        unrealized_usd=held.qty * (mark - held.avg_price),
        realized_usd=held.realized_usd,
    )


def _exposure(state: AccountState) -> ExposureAnswer:
    shown = {symbol: one for symbol, one in state.exposure.symbols.items() if _is_exposed(one)}
    return ExposureAnswer(
        gross_usd=state.exposure.totals.gross_usd,
        net_usd=state.exposure.totals.net_usd,
        symbols={symbol: _symbol(one, state.bounds) for symbol, one in sorted(shown.items())},
    )


def _is_exposed(one: SymbolExposure) -> bool:
    return bool(one.position_qty or one.buy_qty or one.sell_qty)


def _symbol(one: SymbolExposure, limits: LimitSet | None) -> SymbolExposureAnswer:
    case = worst(one)
    left = None if limits is None else max(limits.max_position_notional_usd - case.exposure_usd, ZERO)
    return SymbolExposureAnswer(
        position_qty=one.position_qty,
        mark_price=one.mark_price,
        working_buy_qty=one.buy_qty,
        working_sell_qty=one.sell_qty,
        long_usd=case.long_usd,
        short_usd=case.short_usd,
        exposure_usd=case.exposure_usd,
        headroom_usd=left,
    )


def _day(at: Moment) -> DayAnswer:
    return DayAnswer(
        trading_day=at.state.day.trading_day,
        trades=at.state.day.submits_on(at.today),
        peak_equity_usd=at.state.day.peak_equity_usd,
        loss_usd=daily_loss_usd(at.state),
        drawdown_usd=drawdown_usd(at.state),
    )
