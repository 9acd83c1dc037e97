"""What belongs to one agent or one strategy, and what its own limits leave; the layers of limits as they stand."""

from collections.abc import Mapping
from decimal import Decimal

from contracts.base import Value
from contracts.ids import Symbol
from contracts.limits import LimitOverride
from contracts.scopes import Scope, ScopeKind, scope_of
from contracts.values import ZERO
from projections.account_state import AccountState
from projections.books import Book, Family
from projections.layers import bounds_over
from projections.standing import Whose


class LayerView(Value, frozen=True, kw_only=True):
    """One layer that holds limits."""

    scope: Scope
    version: int
    limits: LimitOverride


class OwnerView(Value, frozen=True, kw_only=True):
    """One owner's book: shares held, worst-case exposure and the day's figures in USD, at the marks last seen.

    `limits` are its own, of its layer and its mandate; `headroom` is what they leave.
    """

    scope: Scope
    positions: Mapping[Symbol, Decimal]
    gross_usd: Decimal
    net_usd: Decimal
    profit_usd: Decimal
    day_loss_usd: Decimal
    drawdown_usd: Decimal
    turnover_usd: Decimal
    trades: int
    open_orders: int
    limits: LimitOverride | None
    headroom: Mapping[str, Decimal]


def layer_views(state: AccountState) -> tuple[LayerView, ...]:
    """Show every layer that holds limits."""
    found = ((scope, layer) for scope, layer in sorted(state.standing.layers.items()))
    return tuple(
        LayerView(scope=scope, version=layer.version, limits=layer.limits)
        for scope, layer in found
        if layer.limits is not None
    )


def owner_views(state: AccountState) -> tuple[OwnerView, ...]:
    """Show every book there is: the agents', then the strategies'."""
    families: tuple[tuple[ScopeKind, Family], ...] = (
        (ScopeKind.AGENT, state.agents),
        (ScopeKind.STRATEGY, state.strategies),
    )
    return tuple(
        owner_view(state, kind, name, is_today=True) for kind, family in families for name in sorted(family.books)
    )


def owner_view(state: AccountState, kind: ScopeKind, name: str, *, is_today: bool) -> OwnerView:
    """Show one owner's book; on another day than the one that is counted, its pace and turnover are none yet."""
    family = state.agents if kind is ScopeKind.AGENT else state.strategies
    book = family.book(name)
    limits, used = _own_limits(state, kind, name), _used(book, is_today=is_today)
    return OwnerView(
        scope=scope_of(kind, name),
        positions={symbol: held.qty for symbol, held in sorted(book.positions.items()) if held.qty},
        gross_usd=used["max_gross_exposure_usd"],
        net_usd=used["max_net_exposure_usd"],
        profit_usd=book.profit_usd,
        day_loss_usd=book.day_loss_usd,
        drawdown_usd=book.drawdown_usd,
        turnover_usd=used["max_turnover_usd"],
        trades=int(used["max_daily_trades"]),
        open_orders=book.open_orders,
        limits=limits,
        headroom={} if limits is None else _left(limits, used),
    )


def _own_limits(state: AccountState, kind: ScopeKind, name: str) -> LimitOverride | None:
    if state.limits is None:
        return None
    if kind is ScopeKind.AGENT:
        return bounds_over(state.standing, state.limits, Whose(name, None, "")).agent
    return bounds_over(state.standing, state.limits, Whose("", name, "")).strategy


def _used(book: Book, *, is_today: bool) -> Mapping[str, Decimal]:
    totals = book.exposure.totals
    return {
        "max_gross_exposure_usd": totals.gross_usd,
        "max_net_exposure_usd": totals.net_usd,
        "max_daily_loss_usd": book.day_loss_usd,
        "max_drawdown_usd": book.drawdown_usd,
        "max_daily_trades": Decimal(book.submits if is_today else 0),
        "max_turnover_usd": book.turnover_usd if is_today else ZERO,
        "max_open_orders": Decimal(book.open_orders),
    }


def _left(limits: LimitOverride, used: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
    return {
        name: max(Decimal(getattr(limits, name)) - amount, ZERO)
        for name, amount in used.items()
        if getattr(limits, name) is not None
    }
