"""Which layer a denial speaks of: the one in which the limit stands that bound the order."""

from collections.abc import Mapping

from msgspec.structs import replace

from contracts.reasons import Reason
from contracts.scopes import ACCOUNT
from projections.layers import bound_by
from services.risk.situation import Situation

_LIMIT_OF: Mapping[str, str] = {
    "SYMBOL_NOT_ALLOWED": "symbol_allowlist",
    "SHORT_NOT_ALLOWED": "shorts_allowed",
    "MAX_SPREAD": "max_spread_bps",
    "REGIME": "regimes_allowed",
    "PRICE_COLLAR": "limit_collar_bps",
    "MAX_DAILY_LOSS": "max_daily_loss_usd",
    "MAX_DRAWDOWN": "max_drawdown_usd",
    "ORDER_RATE": "order_rate_per_min",
    "MESSAGE_RATE": "message_rate_per_min",
    "MAX_OPEN_ORDERS": "max_open_orders",
    "MAX_DAILY_TRADES": "max_daily_trades",
    "MAX_TURNOVER": "max_turnover_usd",
    "MAX_ORDER_QTY": "max_order_qty",
    "MAX_ORDER_NOTIONAL": "max_order_notional_usd",
    "MAX_POSITION_NOTIONAL": "max_position_notional_usd",
    "MAX_GROSS_EXPOSURE": "max_gross_exposure_usd",
    "MAX_NET_EXPOSURE": "max_net_exposure_usd",
}
"""The limit that a reason is about."""


def in_scope(at: Situation, reason: Reason) -> Reason:
    """Name the layer of a limit that is not the account's own; what an own book denied is named already."""
    name = _LIMIT_OF.get(reason.code)
    if reason.scope is not None or name is None or at.state.limits is None:
        return reason
    if name == "symbol_allowlist" and at.terms.symbol in at.limits.symbol_denylist:
        name = "symbol_denylist"
    scope = bound_by(at.state.standing, at.state.limits, at.whose)[name].scope
    return reason if scope == ACCOUNT else replace(reason, scope=scope)
