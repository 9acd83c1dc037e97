"""The controls on a new or changed order: one pure function each, in order of precedence.

A check measures one thing and answers with what it measured and, when that does not pass, the reason. It denies
when the fact it needs is missing. Orders that strictly reduce a position, and replacements that only lower what
counts, are exempt from every control that bounds new risk: a limit must never trap a position.
"""

from functools import lru_cache
from typing import Any, NamedTuple

from msgspec.structs import replace

from contracts.decisions import Check
from contracts.limits import LimitOverride, LimitSet
from contracts.reasons import DenialCode, Reason
from contracts.scopes import ScopeKind
from services.risk.checks.account import (
    check_account_age,
    check_account_blocked,
    check_daily_loss,
    check_daily_trades,
    check_drawdown,
    check_order_rate,
)
from services.risk.checks.findings import Control, Denial
from services.risk.checks.funds import check_buying_power, check_cash
from services.risk.checks.health import check_audit, check_clock, check_reconciliation_age, check_trips
from services.risk.checks.instruments import check_assets, check_halts, check_shorts
from services.risk.checks.layer_names import in_scope
from services.risk.checks.mandate import check_mandate
from services.risk.checks.own_books import own_control, rails_of
from services.risk.checks.portfolio import check_concentration, check_leverage, check_sector_exposure
from services.risk.checks.prices import (
    check_divergence,
    check_limit_collar,
    check_passive_collar,
    check_quote_size,
    check_reference,
)
from services.risk.checks.quantities import check_adv_share, check_order_qty
from services.risk.checks.quotes import check_max_spread, check_quote_age, check_quote_sanity
from services.risk.checks.rails import check_rails
from services.risk.checks.regimes import check_regime
from services.risk.checks.sessions import check_overnight, check_session
from services.risk.checks.sizes import (
    check_gross_exposure,
    check_net_exposure,
    check_order_notional,
    check_position_notional,
)
from services.risk.checks.standing import (
    check_breaks,
    check_crosses_zero,
    check_kill_switch,
    check_symbol_allowlist,
    check_unknown_orders,
)
from services.risk.checks.traffic import (
    check_duplicates,
    check_message_rate,
    check_open_orders,
    check_replace_rate,
    check_self_trade,
    check_turnover,
)
from services.risk.situation import Situation

C = DenialCode


class Entry(NamedTuple):
    """One control, the reasons it may give, and the rails without which it has nothing to hold an order against.

    A rail is one of the account's limits, or of an owner's own: `agent.max_daily_trades`.
    """

    check: Control
    codes: tuple[DenialCode, ...]
    rails: tuple[str, ...] = ()


def _own(field: str, code: DenialCode) -> tuple[Entry, Entry]:
    """Enter the controls on one limit of the agent's and of the strategy's own book."""
    agent, strategy = ScopeKind.AGENT, ScopeKind.STRATEGY
    return (
        Entry(own_control(agent, field), (code,), (f"{agent}.{field}",)),
        Entry(own_control(strategy, field), (code,), (f"{strategy}.{field}",)),
    )


CONTROLS: tuple[Entry, ...] = (
    Entry(check_rails, (C.RAIL_MISSING,), ("waivers",)),
    Entry(check_mandate, (C.NO_MANDATE, C.MANDATE_EXPIRED, C.MANDATE_FORBIDS)),
    Entry(check_kill_switch, (C.KILL_SWITCH,)),
    Entry(check_trips, (C.TRIPPED,)),
    Entry(check_symbol_allowlist, (C.SYMBOL_NOT_ALLOWED,)),
    Entry(check_assets, (C.NO_ASSET, C.NOT_TRADABLE), ("assets_required",)),
    Entry(check_halts, (C.SYMBOL_HALTED,), ("halts_respected",)),
    Entry(check_session, (C.NO_SESSION, C.SESSION_CLOSED), ("session_required",)),
    Entry(check_shorts, (C.NO_ASSET, C.SHORT_NOT_ALLOWED, C.NOT_BORROWABLE)),
    Entry(check_crosses_zero, (C.CROSSES_ZERO,)),
    Entry(check_self_trade, (C.SELF_TRADE,), ("self_trade_prevented",)),
    Entry(check_duplicates, (C.DUPLICATE_ORDER,), ("max_duplicates", "duplicate_window_ms")),
    Entry(check_unknown_orders, (C.ORDER_UNKNOWN_PENDING,)),
    Entry(check_breaks, (C.RECONCILIATION_BREAK,)),
    Entry(check_reconciliation_age, (C.STALE_RECONCILIATION,), ("reconciliation_age_max_ms",)),
    Entry(check_audit, (C.STALE_AUDIT,), ("audit_age_max_ms",)),
    Entry(check_clock, (C.CLOCK_SKEW,), ("clock_skew_max_ms",)),
    Entry(check_account_age, (C.NO_ACCOUNT, C.STALE_ACCOUNT)),
    Entry(check_account_blocked, (C.NO_ACCOUNT, C.ACCOUNT_BLOCKED)),
    Entry(check_quote_age, (C.NO_QUOTE, C.STALE_QUOTE)),
    Entry(check_quote_sanity, (C.NO_QUOTE, C.CROSSED_QUOTE)),
    Entry(check_max_spread, (C.NO_QUOTE, C.MAX_SPREAD)),
    Entry(check_quote_size, (C.NO_QUOTE, C.SMALL_QUOTE), ("min_quote_size",)),
    Entry(check_regime, (C.NO_REGIME, C.REGIME), ("regimes_allowed",)),
    Entry(check_reference, (C.NO_QUOTE, C.NO_REFERENCE, C.REFERENCE_COLLAR), ("reference_collar_bps",)),
    Entry(check_divergence, (C.NO_QUOTE, C.FEED_DIVERGENCE), ("feed_divergence_max_bps",)),
    Entry(check_limit_collar, (C.NO_QUOTE, C.PRICE_COLLAR), ("limit_collar_bps",)),
    Entry(check_passive_collar, (C.NO_QUOTE, C.PASSIVE_COLLAR), ("passive_collar_bps",)),
    Entry(check_daily_loss, (C.NO_ACCOUNT, C.MAX_DAILY_LOSS)),
    *_own("max_daily_loss_usd", C.MAX_DAILY_LOSS),
    Entry(check_drawdown, (C.NO_ACCOUNT, C.MAX_DRAWDOWN)),
    *_own("max_drawdown_usd", C.MAX_DRAWDOWN),
    Entry(check_order_rate, (C.ORDER_RATE,)),
    *_own("order_rate_per_min", C.ORDER_RATE),
    Entry(check_message_rate, (C.MESSAGE_RATE,), ("message_rate_per_min",)),
    *_own("message_rate_per_min", C.MESSAGE_RATE),
    Entry(check_replace_rate, (C.REPLACE_RATE,), ("replace_rate_per_min",)),
    Entry(check_open_orders, (C.MAX_OPEN_ORDERS,), ("max_open_orders",)),
    *_own("max_open_orders", C.MAX_OPEN_ORDERS),
    Entry(check_daily_trades, (C.MAX_DAILY_TRADES,)),
    *_own("max_daily_trades", C.MAX_DAILY_TRADES),
    Entry(check_turnover, (C.NO_QUOTE, C.MAX_TURNOVER), ("max_turnover_usd",)),
    *_own("max_turnover_usd", C.MAX_TURNOVER),
    Entry(check_order_qty, (C.MAX_ORDER_QTY,), ("max_order_qty",)),
    Entry(check_adv_share, (C.NO_REFERENCE, C.MAX_ORDER_ADV), ("max_order_adv_pct",)),
    Entry(check_order_notional, (C.NO_QUOTE, C.MAX_ORDER_NOTIONAL)),
    Entry(check_position_notional, (C.NO_QUOTE, C.MAX_POSITION_NOTIONAL)),
    *_own("max_position_notional_usd", C.MAX_POSITION_NOTIONAL),
    Entry(check_gross_exposure, (C.NO_QUOTE, C.MAX_GROSS_EXPOSURE)),
    *_own("max_gross_exposure_usd", C.MAX_GROSS_EXPOSURE),
    Entry(check_net_exposure, (C.NO_QUOTE, C.MAX_NET_EXPOSURE)),
    *_own("max_net_exposure_usd", C.MAX_NET_EXPOSURE),
    Entry(check_sector_exposure, (C.NO_QUOTE, C.MAX_SECTOR_EXPOSURE), ("max_sector_exposure_usd", "sectors")),
    Entry(check_concentration, (C.NO_ACCOUNT, C.NO_QUOTE, C.MAX_CONCENTRATION), ("max_concentration_pct",)),
    Entry(check_leverage, (C.NO_ACCOUNT, C.NO_QUOTE, C.MAX_LEVERAGE), ("max_leverage",)),
    Entry(
        check_overnight,
        (C.NO_SESSION, C.NO_QUOTE, C.MAX_OVERNIGHT_EXPOSURE),
        ("max_overnight_exposure_usd", "overnight_window_ms"),
    ),
    Entry(check_buying_power, (C.NO_ACCOUNT, C.NO_QUOTE, C.BUYING_POWER), ("min_buying_power_usd",)),
    Entry(check_cash, (C.NO_ACCOUNT, C.NO_QUOTE, C.CASH_FLOOR), ("min_cash_usd",)),
)
"""Every control with the reasons it may give, in the order in which reasons win."""


_TABLES = frozenset({"sectors", "waivers"})
"""Limits that bind nothing while they are empty."""


@lru_cache(maxsize=4096)
def controls_under(
    limits: LimitSet, agent: LimitOverride | None = None, strategy: LimitOverride | None = None
) -> tuple[Control, ...]:
    """Give the controls that limits put in force: those whose rails are all set, and neither false nor empty."""
    own = rails_of(agent, strategy)
    set_ = own | {name for name in limits.__struct_fields__ if _is_set(name, getattr(limits, name))}
    return tuple(entry.check for entry in CONTROLS if set_.issuperset(entry.rails))


def _is_set(name: str, limit: Any) -> bool:
    """Tell what is not set, false or an empty table from a zero and an empty list: those allow nothing."""
    return limit is not None and limit is not False and not (limit == () and name in _TABLES)


def apply_all(at: Situation) -> tuple[tuple[Check, ...], Reason | None]:
    """Apply every control in force, so that the record shows all of them; the first reason wins."""
    own = at.own
    agent, strategy = own.agent and own.agent.limits, own.strategy and own.strategy.limits
    found = [control(at) for control in controls_under(at.limits, agent, strategy)]
    passed = [one for one in found if isinstance(one, Check)]
    if len(passed) == len(found):
        return tuple(passed), None
    reasons = [one.reason for one in found if isinstance(one, Denial)]
    checks = tuple(one.check if isinstance(one, Denial) else one for one in found)
    return checks, in_scope(at, _first(reasons))


def _first(reasons: list[Reason]) -> Reason:
    """Give the first reason, with a quantity that would also pass the controls that come after it."""
    sizes = [reason.max_acceptable_qty for reason in reasons if reason.max_acceptable_qty is not None]
    first = reasons[0]
    return first if first.max_acceptable_qty is None else replace(first, max_acceptable_qty=min(sizes))
