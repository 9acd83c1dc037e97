"""The limits that are configured: the account's with every rail, and the layers around and inside it.

Where nobody says anything a rail gets its recommended number. Who wants to do without one says so by name in
`[[limits.waivers]]` of the settings file, until when and why.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from contracts.ids import is_symbol
from contracts.limits import LimitOverride, LimitSet, Waiver
from contracts.rails import RAILS, SECTORS, missing_rails
from contracts.scopes import FIRM, BadScopeError, Scope, ScopeKind, parse_scope, scope_of
from projections.layers import field_fault
from services.runtime.setting_values import TABLES, SettingsError, Source, limit_value

LIMIT_VARIABLES: Mapping[str, str] = {
    "max_order_notional_usd": "MAX_ORDER_NOTIONAL",
    "max_position_notional_usd": "MAX_POSITION_SIZE",
    "max_gross_exposure_usd": "MAX_GROSS_EXPOSURE",
    "max_net_exposure_usd": "MAX_NET_EXPOSURE",
    "max_daily_loss_usd": "MAX_DAILY_LOSS",
    "max_drawdown_usd": "MAX_DRAWDOWN",
    "max_daily_trades": "MAX_DAILY_TRADES",
    "order_rate_per_min": "ORDER_RATE_LIMIT",
    "max_spread_bps": "MAX_SPREAD_BPS",
    "quote_age_max_ms": "MAX_QUOTE_AGE_MS",
    "account_age_max_ms": "MAX_ACCOUNT_AGE_MS",
    "intent_age_max_ms": "MAX_INTENT_AGE_MS",
    "decision_ttl_ms": "DECISION_TTL_MS",
    "market_collar_bps": "MARKET_COLLAR_BPS",
    "symbol_allowlist": "SYMBOL_ALLOWLIST",
} | {
    field.name: field.name.upper()
    for field in msgspec.structs.fields(LimitSet)
    if field.default is None or field.name == "symbol_denylist"
}
"""The environment's name of each limit; the file's `[limits]` table uses the struct's own names."""

LAYER_TABLES: Mapping[str, ScopeKind] = {
    "agents": ScopeKind.AGENT,
    "strategies": ScopeKind.STRATEGY,
    "symbols": ScopeKind.SYMBOL,
}
FIRM_TABLE = "firm"
_KINDS = {field.name: field.type for field in msgspec.structs.fields(LimitOverride)}


def load_limits(source: Source) -> LimitSet:
    """Read the account's limits and fill in the rails that nobody chose; raise `SettingsError` on a bad waiver."""
    source.refuse_unknown("limits", LIMIT_VARIABLES.keys() | TABLES)
    chosen: dict[str, Any] = {}
    for field in msgspec.structs.fields(LimitSet):
        variable = LIMIT_VARIABLES.get(field.name, field.name)
        given = source.limit(variable, field.name)
        if given is not None:
            chosen[field.name] = limit_value(variable, given, field.type)
    waived = _waived(chosen.get("waivers", ()), chosen)
    filled_in: dict[str, Any] = {name: rail.value for name, rail in RAILS.items() if name not in waived}
    if "max_sector_exposure_usd" in filled_in:
        filled_in["sectors"] = SECTORS
    return LimitSet(**(filled_in | chosen))


def load_layers(table: Mapping[str, Any]) -> dict[Scope, LimitOverride]:
    """Read the layers of a file: `[firm]`, `[agents.NAME]`, `[strategies.NAME]`, `[symbols.SYMBOL]`."""
    layers: dict[Scope, LimitOverride] = {}
    if FIRM_TABLE in table:
        layers[FIRM] = layer_of(FIRM, table[FIRM_TABLE])
    for name, kind in LAYER_TABLES.items():
        for key, given in table.get(name, {}).items():
            scope = _scope_of(name, kind, key)
            layers[scope] = layer_of(scope, given)
    return layers


def _scope_of(table: str, kind: ScopeKind, key: str) -> Scope:
    name = key.upper() if kind is ScopeKind.SYMBOL else key
    scope = scope_of(kind, name)
    try:
        parse_scope(scope)
    except BadScopeError as error:
        raise SettingsError(f"[{table}]", repr(key)[:80], str(error)) from error
    if kind is ScopeKind.SYMBOL and not is_symbol(name):
        raise SettingsError(f"[{table}]", repr(key)[:80], "a symbol such as AAPL or BRK.B")
    return scope


def layer_of(scope: Scope, given: Any) -> LimitOverride:
    """Read one layer's limits by their names; raise `SettingsError` on what no layer of this kind can hold."""
    if not isinstance(given, dict) or not given:
        raise SettingsError(f"[{scope}]", repr(given), f"a table of limits: {', '.join(_KINDS)}")
    unknown = sorted(given.keys() - _KINDS.keys())
    if unknown:
        raise SettingsError(f"[{scope}] {unknown[0]}", "unknown", f"one of {', '.join(_KINDS)}")
    limits = LimitOverride(**{name: limit_value(name, value, _KINDS[name]) for name, value in given.items()})
    fault = field_fault(scope, limits)
    if fault is not None:
        raise SettingsError(f"[{scope}]", fault, "what bounds single orders, and the position")
    return limits


def require_rails(limits: LimitSet, now: datetime) -> None:
    """Refuse to start without a rail: each is set, or waived by name until after now."""
    missing = missing_rails(limits, now)
    if missing:
        allowed = "a value for each, or a waiver in [[limits.waivers]] that is not over: rail, until, by, reason"
        raise SettingsError(", ".join(missing), "neither set nor waived", allowed)


def _waived(waivers: tuple[Waiver, ...], chosen: Mapping[str, Any]) -> frozenset[str]:
    for waiver in waivers:
        if waiver.rail not in RAILS:
            raise SettingsError("[[limits.waivers]] rail", repr(waiver.rail)[:80], f"one of {', '.join(RAILS)}")
        if waiver.rail in chosen:
            raise SettingsError(waiver.rail, "both set and waived", "one of the two")
        if not waiver.by.strip() or not waiver.reason.strip():
            raise SettingsError(
                f"the waiver of {waiver.rail}", "without a name or a reason", "who waives it, and why"
            )
    return frozenset(waiver.rail for waiver in waivers)
