"""Limits in layers: what binds one order is the tightest of the account's limits and of every layer over it.

The firm's and the account's own layers tighten everything that the account's limits bind. A symbol's layer binds
orders in that symbol and the position in it. An agent's and a strategy's layers bind single orders too; their other
figures bind the owner's own book, and an agent's mandate may hold more of both.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import wraps
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from contracts.limits import LimitOverride, LimitSet
from contracts.mandates import Mandate
from contracts.scopes import ACCOUNT, FIRM, Scope, ScopeKind, agent_scope, parse_scope, strategy_scope, symbol_scope
from projections.standing import Layer, Standing, Whose

ORDER_FIELDS = frozenset(
    {
        "max_order_notional_usd",
        "max_order_qty",
        "max_spread_bps",
        "limit_collar_bps",
        "symbol_allowlist",
        "symbol_denylist",
        "regimes_allowed",
        "shorts_allowed",
    }
)
"""What bounds one order alone, whosoever it is; all else that a layer may hold bounds a book."""
_ALL = tuple(field.name for field in msgspec.structs.fields(LimitOverride))
_POSITION = "max_position_notional_usd"
_BOOK = tuple(name for name in _ALL if name not in ORDER_FIELDS)
_BINDS: Mapping[ScopeKind, frozenset[str]] = {
    ScopeKind.FIRM: frozenset(_ALL),
    ScopeKind.ACCOUNT: frozenset(_ALL),
    ScopeKind.AGENT: ORDER_FIELDS,
    ScopeKind.STRATEGY: ORDER_FIELDS,
    ScopeKind.SYMBOL: ORDER_FIELDS | {_POSITION},
}
"""What a layer tightens of the account's limits for the orders under it."""
NOTHING = LimitOverride()
NO_LAYERS: Mapping[Scope, LimitOverride] = MappingProxyType({})
_KEPT_MAX = 4096


def _kept[V](make: Callable[..., V]) -> Callable[..., V]:
    """Keep what is made of the very same values; equal ones may be written otherwise (1 and 1.0), and that shows."""
    known: dict[tuple[int, ...], tuple[object, V]] = {}  # what it was made of stays, so that no id is another's

    @wraps(make)
    def kept(*given: object) -> V:
        key = tuple(map(id, given))
        found = known.get(key)
        if found is None:
            if len(known) >= _KEPT_MAX:
                known.clear()
            found = known[key] = (given, make(*given))
        return found[1]

    return kept


class Over(NamedTuple):
    """The layers over one order, widest first; none where nobody has set any."""

    firm: LimitOverride | None = None
    account: LimitOverride | None = None
    symbol: LimitOverride | None = None
    agent: LimitOverride | None = None
    mandate: LimitOverride | None = None
    strategy: LimitOverride | None = None


_KINDS = (
    ScopeKind.FIRM,
    ScopeKind.ACCOUNT,
    ScopeKind.SYMBOL,
    ScopeKind.AGENT,
    ScopeKind.AGENT,
    ScopeKind.STRATEGY,
)


class Bounds(NamedTuple):
    """What binds one order: the limits over it, and those of its agent's and its strategy's own books, if any."""

    limits: LimitSet
    agent: LimitOverride | None = None
    strategy: LimitOverride | None = None


class Bound(NamedTuple):
    """One limit as it binds, where it stands, and whether that is an agent's mandate."""

    value: Any
    scope: Scope
    is_mandate: bool = False


def layers_over(standing: Standing, whose: Whose) -> Over:
    """Find what was set over one order."""
    mandate = standing.mandate(whose.agent)  # pyright: ignore[reportArgumentType] - an agent's name as text
    return Over(
        firm=standing.layer(FIRM),
        account=standing.layer(ACCOUNT),
        symbol=standing.layer(symbol_scope(whose.symbol)),
        agent=standing.layer(agent_scope(whose.agent)),
        mandate=None if mandate is None else _of_mandate(mandate),
        strategy=None if whose.strategy is None else standing.layer(strategy_scope(whose.strategy)),
    )


def bounds_over(standing: Standing, limits: LimitSet, whose: Whose) -> Bounds:
    """Give what binds one order; where nothing was set over it, that is the account's very own limits."""
    if not standing.layers and not standing.mandates:
        return Bounds(limits)
    return _bounds(limits, *layers_over(standing, whose))


def account_limits(standing: Standing, limits: LimitSet) -> LimitSet:
    """Give the account's limits as the firm's layer and the account's own tighten them."""
    if not standing.layers:
        return limits
    over = Over(firm=standing.layer(FIRM), account=standing.layer(ACCOUNT))
    return _bounds(limits, *over).limits


def bound_by(standing: Standing, limits: LimitSet, whose: Whose) -> Mapping[str, Bound]:
    """Say of every limit that an order meets what it is and which layer it stands in; for people, and for denials."""
    found = {name: Bound(getattr(limits, name), ACCOUNT) for name in limits.__struct_fields__}
    over = layers_over(standing, whose)
    for kind, scope, override in zip(_KINDS, _scopes(whose), over, strict=True):
        for name in _BINDS[kind] if override is not None else ():
            value, was = getattr(override, name), found[name]
            tighter = _tighter(name, was.value, value)
            if tighter != was.value:
                found[name] = Bound(tighter, scope, override is over.mandate and override is not over.agent)
    return found


def with_layers(standing: Standing, layers: Mapping[Scope, LimitOverride]) -> Standing:
    """Put layers in the place of those that stand, for a what-if."""
    changed = standing.layers
    for scope, limits in layers.items():
        known = changed.get(scope)
        changed = changed.set(scope, Layer(version=0 if known is None else known.version, limits=limits))
    return replace(standing, layers=changed) if layers else standing


def field_fault(scope: Scope, limits: LimitOverride) -> str | None:
    """Say which limits a layer cannot hold, because nothing would ever be held against them there."""
    kind, _ = parse_scope(scope)
    if kind is not ScopeKind.SYMBOL:
        return None
    idle = [name for name in _BOOK if name != _POSITION and getattr(limits, name) is not None]
    return f"a symbol's layer bounds orders and {_POSITION}, not {', '.join(idle)}" if idle else None


@_kept
def _of_mandate(mandate: Mandate) -> LimitOverride | None:
    """Give a mandate's limits, its budget among them: what may be spent on new orders in a day."""
    limits = mandate.limits
    budget = _tighter("max_turnover_usd", limits.max_turnover_usd, mandate.budget_per_day_usd)
    limits = replace(limits, max_turnover_usd=budget)
    return None if limits == NOTHING else limits


@_kept
def _bounds(limits: LimitSet, *layers: LimitOverride | None) -> Bounds:
    over = Over(*layers)
    tight: dict[str, Any] = {}
    for kind, override in zip(_KINDS, over, strict=True):
        for name in _BINDS[kind] if override is not None else ():
            was = tight.get(name, getattr(limits, name))
            tight[name] = _tighter(name, was, getattr(override, name))
    changed = {name: value for name, value in tight.items() if value != getattr(limits, name)}
    return Bounds(
        replace(limits, **changed) if changed else limits,
        _of_book(over.agent, over.mandate),
        _of_book(over.strategy),
    )


def _of_book(*overrides: LimitOverride | None) -> LimitOverride | None:
    """Keep what bounds a book, the tightest of all."""
    tight: dict[str, Any] = {}
    for override in overrides:
        for name in _BOOK if override is not None else ():
            tight[name] = _tighter(name, tight.get(name), getattr(override, name))
    kept = LimitOverride(**tight)
    return None if kept == NOTHING else kept


def _tighter(name: str, was: Any, other: Any) -> Any:
    """Give the tighter of two values of one limit; none is no limit at all."""
    if was is None or other is None:
        return other if was is None else was
    match name:
        case "symbol_allowlist" | "regimes_allowed":
            return was if set(was) <= set(other) else tuple(one for one in was if one in other)
        case "symbol_denylist":
            return was if set(other) <= set(was) else tuple(dict.fromkeys((*was, *other)))
        case "shorts_allowed":
            return was and other
        case _:
            tighter: Decimal | int = min(was, other)
            return tighter


def _scopes(whose: Whose) -> tuple[Scope, ...]:
    agent = agent_scope(whose.agent)
    return FIRM, ACCOUNT, symbol_scope(whose.symbol), agent, agent, strategy_scope(whose.strategy or "")
