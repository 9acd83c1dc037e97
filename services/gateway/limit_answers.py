"""Limits in layers, and what belongs to one agent, as request bodies and answers."""

from collections.abc import Mapping
from typing import Any

import msgspec

from contracts.ids import AccountId, AgentId
from contracts.limits import LimitOverride, LimitSet
from contracts.scopes import Scope, ScopeKind, parse_scope
from projections.account import AccountState
from projections.layers import Bound, bound_by, bounds_over
from projections.owner_view import OwnerView, owner_view
from projections.pace import orders_in_window
from projections.standing import Whose
from services.gateway.answers import Answer
from services.gateway.api_keys import ApiKey
from services.gateway.order_forms import ReasonText
from services.gateway.state_answers import Moment

_OWN_TABLES = frozenset({"sectors", "waivers"})
"""Limits that no layer holds; they are shown with the account's own."""


class LayerLimits(LimitOverride, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one layer holds; what is left out or null adds nothing."""


class LayerForm(Answer, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A layer's limits in place of those it held, and why; with `if_version` only of that version (0: of none)."""

    limits: LayerLimits
    reason: ReasonText = ""
    if_version: int | None = None


class LayerAnswer(Answer, frozen=True, kw_only=True):
    """One layer; `limits` is null when it was taken away."""

    scope: Scope
    version: int
    limits: LimitOverride | None
    seq: int | None = None


class BoundAnswer(Answer, frozen=True, kw_only=True):
    """One limit as it binds an order, and the layer in which it stands."""

    value: Any
    scope: Scope
    mandate: bool


class LimitsAnswer(Answer, frozen=True, kw_only=True):
    """The account's limits, the layers that the key may see, and what binds an order of one agent and strategy."""

    account: AccountId
    limits: LimitSet | None
    limits_version: int
    layers_version: int
    layers: tuple[LayerAnswer, ...]
    bounds: Mapping[str, BoundAnswer]
    agent_book: LimitOverride | None
    strategy_book: LimitOverride | None
    state_seq: int


class AgentBookAnswer(OwnerView, frozen=True, kw_only=True):
    """What belongs to one agent: shares held, worst-case exposure and the day's figures (USD), and its own limits.

    `headroom` is what its own layer and mandate leave; an own limit that nobody set is not in it.
    """

    agent: AgentId
    orders_this_minute: int
    state_seq: int


def limits_answer(at: Moment, whose: Whose, key: ApiKey) -> LimitsAnswer:
    """Show limits, layers, and what binds an order of one agent."""
    standing, limits = at.state.standing, at.state.limits
    own = None if limits is None else bounds_over(standing, limits, whose)
    bounds: Mapping[str, Bound] = {} if limits is None else bound_by(standing, limits, whose)
    return LimitsAnswer(
        account=at.account,
        limits=limits,
        limits_version=at.state.limits_version,
        layers_version=standing.version,
        layers=tuple(
            LayerAnswer(scope=scope, version=layer.version, limits=layer.limits)
            for scope, layer in sorted(standing.layers.items())
            if _may_see(key, scope)
        ),
        bounds={
            name: BoundAnswer(value=one.value, scope=one.scope, mandate=one.is_mandate)
            for name, one in bounds.items()
            if name not in _OWN_TABLES
        },
        agent_book=own and own.agent,
        strategy_book=own and own.strategy,
        state_seq=at.seq,
    )


def _may_see(key: ApiKey, scope: Scope) -> bool:
    kind, name = parse_scope(scope)
    return kind is not ScopeKind.AGENT or key.may_see(AgentId(name))


def book_answer(at: Moment, agent: AgentId) -> AgentBookAnswer:
    """Show one agent's book."""
    counted = at.state.day.trading_day
    is_today = counted is not None and at.today <= counted
    view = owner_view(at.state, ScopeKind.AGENT, agent, is_today=is_today)
    pace = at.state.agents.book(agent).pace
    return AgentBookAnswer(
        **msgspec.structs.asdict(view),
        agent=agent,
        orders_this_minute=orders_in_window(pace, at.now),
        state_seq=at.seq,
    )


def layer_answer(state: AccountState, scope: Scope, seq: int | None = None) -> LayerAnswer:
    """Show one layer as it stands; version 0 is one that never was."""
    layer = state.standing.layers.get(scope)
    if layer is None:
        return LayerAnswer(scope=scope, version=0, limits=None, seq=seq)
    return LayerAnswer(scope=scope, version=layer.version, limits=layer.limits, seq=seq)


def plain_limits(limits: LayerLimits) -> LimitOverride | None:
    """Give what a form holds, none when that is nothing."""
    held = LimitOverride(**msgspec.structs.asdict(limits))
    return None if held == LimitOverride() else held
