"""What may be traded in each scope, and what each owner's book shows: pure translation of the folded state."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from contracts.enums import TradingState
from contracts.ids import AgentId
from contracts.scopes import Scope, ScopeKind
from contracts.values import ZERO
from projections.account import AccountState
from projections.books import Book, Family
from projections.trading_state import ScopeState, scope_states
from services.gateway.api_keys import ApiKey


class CauseAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that keeps a scope from trading freely; `scope` says whether it is its own or the account's."""

    name: str
    scope: Scope
    state: TradingState
    since: datetime | None
    detail: str


class ScopeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What may be traded in one scope: the account, an agent, a strategy, a symbol."""

    scope: Scope
    trading_state: TradingState
    causes: tuple[CauseAnswer, ...]


class BookAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One owner's part of the account in USD, at the marks last seen; losses and orders are the exchange day's."""

    profit_usd: Decimal
    realized_usd: Decimal
    unrealized_usd: Decimal
    day_loss_usd: Decimal
    drawdown_usd: Decimal
    gross_usd: Decimal
    open_orders: int
    orders: int
    turnover_usd: Decimal


def scopes_shown(state: AccountState, key: ApiKey, now: datetime) -> tuple[ScopeAnswer, ...]:
    """Show the trading state of every scope that a key may see: other agents are none of an agent's business."""
    return tuple(_scope(told) for told in scope_states(state, now) if _may_see(key, told.scope))


def _may_see(key: ApiKey, scope: Scope) -> bool:
    kind, _, name = scope.partition(".")
    if kind == ScopeKind.STRATEGY:
        return key.may_see(None)
    return kind != ScopeKind.AGENT or key.may_see(AgentId(name))


def _scope(told: ScopeState) -> ScopeAnswer:
    causes = tuple(
        CauseAnswer(name=one.name, scope=one.scope, state=one.state, since=one.since, detail=one.detail)
        for one in told.causes
    )
    return ScopeAnswer(scope=told.scope, trading_state=told.state, causes=causes)


def agents_shown(state: AccountState, key: ApiKey) -> Mapping[str, BookAnswer]:
    """Show the books of the agents that a key may see."""
    return {name: book for name, book in _books(state.agents).items() if key.may_see(AgentId(name))}


def strategies_shown(state: AccountState, key: ApiKey) -> Mapping[str, BookAnswer]:
    """Show the books of all strategies to who may see everything."""
    return _books(state.strategies) if key.may_see(None) else {}


def _books(family: Family) -> Mapping[str, BookAnswer]:
    return {name: _book(book) for name, book in sorted(family.books.items())}


def _book(book: Book) -> BookAnswer:
    realized_usd = sum((held.realized_usd for held in book.positions.values()), ZERO)
    return BookAnswer(
        profit_usd=book.profit_usd,
        realized_usd=realized_usd,
        unrealized_usd=book.profit_usd - realized_usd,
        day_loss_usd=book.day_loss_usd,
        drawdown_usd=book.drawdown_usd,
        gross_usd=book.exposure.totals.gross_usd,
        open_orders=book.open_orders,
        orders=book.submits,
        turnover_usd=book.turnover_usd,
    )
