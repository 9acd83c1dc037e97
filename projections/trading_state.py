"""What may be traded, and why not more: by account, agent, strategy and symbol.

A scope is in the worst state that anything over it asks for: kill switches halt, what tripped or is not known leaves
only exits. Orders that only reduce a position always may.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from contracts.base import Moment, Value
from contracts.broker import BreakFound
from contracts.enums import BreakKind, TradingState
from contracts.limits import LimitSet
from contracts.scopes import ACCOUNT, FIRM, Scope, ScopeKind, agent_scope, strategy_scope, symbol_scope
from projections.account import AccountState, daily_loss_usd, drawdown_usd
from projections.health import ailments
from projections.layers import bounds_over
from projections.standing import Whose

SHOWN_MAX = 50
_MS = timedelta(milliseconds=1)
_WORST_FIRST = (TradingState.HALTED, TradingState.REDUCE_ONLY)


class Cause(Value, frozen=True, kw_only=True):
    """One thing that keeps a scope from trading freely, and since when, where anybody knows."""

    name: str
    scope: Scope
    state: TradingState
    since: Moment | None = None
    detail: str = ""


class ScopeState(Value, frozen=True, kw_only=True):
    """What may be traded in one scope, and what causes it; the account's own causes bind every other scope too."""

    scope: Scope
    state: TradingState
    causes: tuple[Cause, ...] = ()


def trading_state_of(state: AccountState, now: datetime | None = None) -> tuple[TradingState, tuple[str, ...]]:
    """Give the account's trading state with the names of what causes it; without a time no age is judged."""
    told = scope_state(state, ACCOUNT, now)
    return told.state, tuple(cause.name for cause in told.causes if cause.state is told.state)


def scope_state(state: AccountState, scope: Scope, now: datetime | None = None) -> ScopeState:
    """Give what may be traded in one scope, the account included."""
    own = () if scope == ACCOUNT else tuple(_own_causes(state, scope, now))
    return _told(scope, (*own, *_account_causes(state, now)))


def scope_states(state: AccountState, now: datetime | None = None) -> tuple[ScopeState, ...]:
    """Give the account's state and that of every agent, strategy and symbol of which anything is known."""
    account = tuple(_account_causes(state, now))
    others = (_told(scope, (*_own_causes(state, scope, now), *account)) for scope in _scopes(state))
    return (_told(ACCOUNT, account), *others)


def not_active(state: AccountState, now: datetime) -> dict[Scope, tuple[str, ...]]:
    """Give state and causes of the scopes that may not trade freely, the account first, so many at most."""
    told = [one for one in scope_states(state, now) if one.state is not TradingState.ACTIVE]
    return {one.scope: (one.state, *(cause.name for cause in one.causes)) for one in told[:SHOWN_MAX]}


def _told(scope: Scope, causes: tuple[Cause, ...]) -> ScopeState:
    found = {cause.state for cause in causes}
    worst = next((one for one in _WORST_FIRST if one in found), TradingState.ACTIVE)
    return ScopeState(scope=scope, state=worst, causes=causes)


def _scopes(state: AccountState) -> tuple[Scope, ...]:
    """Name agents, then strategies, then symbols: those with a book, a mandate, a switch, a trip or a position."""
    said = {*state.standing.kills, *state.guard.trips} - {FIRM, ACCOUNT}
    agents = {agent_scope(agent) for agent in (*state.agents.books, *state.standing.mandates)}
    strategies = {strategy_scope(name) for name in state.strategies.books}
    held = {symbol for symbol, position in state.positions.items() if position.qty}
    symbols = {symbol_scope(symbol) for symbol in (*held, *_in_doubt(state))}
    return tuple(sorted(said | agents | strategies | symbols))


def _in_doubt(state: AccountState) -> tuple[str, ...]:
    return tuple(symbol for symbol, count in state.unknown_orders.items() if count)


def _own_causes(state: AccountState, scope: Scope, now: datetime | None) -> Iterator[Cause]:
    """Give what one agent, strategy or symbol is kept from trading by, beside what keeps the account."""
    yield from _kill(state, scope)
    yield from _trips(state, scope, now)
    yield from _own_losses(state, scope)
    if scope in {symbol_scope(symbol) for symbol in _in_doubt(state)}:
        yield Cause(name="order_unknown", scope=scope, state=TradingState.REDUCE_ONLY)


def _account_causes(state: AccountState, now: datetime | None) -> Iterator[Cause]:
    yield from _kill(state, FIRM)
    yield from _kill(state, ACCOUNT)
    yield from _halts(state)
    yield from _breaks(state, orphans=True)
    if (limits := state.bounds) is not None:
        yield from _breaches(state, limits)
        yield from _unhealthy(state, limits, now)
    yield from _breaks(state, orphans=False)
    yield from _trips(state, ACCOUNT, now)


def _kill(state: AccountState, scope: Scope) -> Iterator[Cause]:
    kill = state.standing.kills.get(scope)
    if kill is not None:
        detail = f"{kill.event.mode} by {kill.event.by}: {kill.event.reason}"
        yield Cause(name="kill_switch", scope=scope, state=TradingState.HALTED, since=kill.event.at, detail=detail)


def _trips(state: AccountState, scope: Scope, now: datetime | None) -> Iterator[Cause]:
    for trip in state.guard.trips.get(scope, ()):
        if now is None or trip.stands(now):
            yield Cause(
                name=f"trip {trip.name}",
                scope=scope,
                state=TradingState.REDUCE_ONLY,
                since=trip.since,
                detail=trip.detail,
            )


def _own_losses(state: AccountState, scope: Scope) -> Iterator[Cause]:
    """Hold what an agent or a strategy lost in its own book against its own limits."""
    kind, _, name = scope.partition(".")
    if state.limits is None or kind not in {ScopeKind.AGENT, ScopeKind.STRATEGY}:
        return
    is_agent = kind == ScopeKind.AGENT
    bounds = bounds_over(state.standing, state.limits, Whose(name, None, "") if is_agent else Whose("", name, ""))
    own, book = (
        (bounds.agent, state.agents.book(name)) if is_agent else (bounds.strategy, state.strategies.book(name))
    )
    if own is None:
        return
    lost = {
        "daily_loss": (book.day_loss_usd, own.max_daily_loss_usd),
        "drawdown": (book.drawdown_usd, own.max_drawdown_usd),
    }
    for what, (value_usd, limit_usd) in lost.items():
        if limit_usd is not None and value_usd >= limit_usd:
            yield Cause(name=what, scope=scope, state=TradingState.REDUCE_ONLY)


def _halts(state: AccountState) -> Iterator[Cause]:
    halts = {
        "no_limits": state.limits is None,
        "blocked_by_broker": state.observed is not None and state.observed.trading_blocked,
    }
    for name, holds in halts.items():
        if holds:
            yield Cause(name=name, scope=ACCOUNT, state=TradingState.HALTED)


def _breaches(state: AccountState, limits: LimitSet) -> Iterator[Cause]:
    loss_usd, fall_usd = daily_loss_usd(state), drawdown_usd(state)
    breached = {
        "daily_loss": loss_usd is not None and loss_usd >= limits.max_daily_loss_usd,
        "drawdown": fall_usd is not None and fall_usd >= limits.max_drawdown_usd,
        "account_unknown": loss_usd is None or fall_usd is None,
    }
    for name, holds in breached.items():
        if holds:
            yield Cause(name=name, scope=ACCOUNT, state=TradingState.REDUCE_ONLY)


def _unhealthy(state: AccountState, limits: LimitSet, now: datetime | None) -> Iterator[Cause]:
    """Give what is too old, bad, or not yet good for long: safety that does not work is a reason by itself."""
    seen, only_exits = state.observed, TradingState.REDUCE_ONLY
    if seen is not None and now is not None and abs(now - seen.at) > limits.account_age_max_ms * _MS:
        detail = f"the broker's figures are older than {limits.account_age_max_ms} ms"
        yield Cause(name="account_stale", scope=ACCOUNT, state=only_exits, since=seen.at, detail=detail)
    for name, since, detail in ailments(state.guard.health, limits, now):
        yield Cause(name=name, scope=ACCOUNT, state=only_exits, since=since, detail=detail)


def _breaks(state: AccountState, *, orphans: bool) -> Iterator[Cause]:
    asked = TradingState.HALTED if orphans else TradingState.REDUCE_ONLY
    for name, found in sorted(state.breaks.items()):
        if (found.kind is BreakKind.ORPHAN) is orphans:
            yield Cause(name=f"break {name}", scope=ACCOUNT, state=asked, since=found.since, detail=_words(found))


def _words(found: BreakFound) -> str:
    return f"ours {found.ours}, the broker's {found.theirs}"
