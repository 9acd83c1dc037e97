"""Controls on the own book of an order's agent and of its strategy: what its layers and its mandate allow it alone.

Each is the account's control of the same name, measured in one owner's book; a denial names the layer in its scope.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from contracts.limits import LimitOverride
from contracts.reasons import DenialCode, Reason
from contracts.scopes import ScopeKind
from contracts.values import ZERO
from projections.pace import Pace, orders_in_window, retry_after_ms
from services.risk.checks.account import lost
from services.risk.checks.findings import Control, Denial, Finding, clear, denied, exempt, missing, passed
from services.risk.checks.sizes import too_large
from services.risk.own_book import OwnBook
from services.risk.situation import Situation

C = DenialCode
_NO_PRICE = "without a price the exposure is not known"


class _Asked(NamedTuple):
    """One control on one book: the name it goes by, the limit, and what is measured."""

    name: str
    limit: Decimal
    own: OwnBook
    at: Situation


type _Measure = Callable[[_Asked], Finding]


def own_control(kind: ScopeKind, field: str) -> Control:
    """Make the control that holds an order against one limit of its agent's, or of its strategy's, own book."""
    suffix, measure = _MEASURES[field]
    name = f"{kind}.{suffix}"

    def control(at: Situation) -> Finding:
        if at.reduces:
            return exempt(name)
        own = at.own.agent if kind is ScopeKind.AGENT else at.own.strategy
        if own is None:
            raise AssertionError(f"{name} is only in force where a book is bounded")
        found = measure(_Asked(name, Decimal(getattr(own.limits, field)), own, at))
        return Denial(found.check, replace(found.reason, scope=own.scope)) if isinstance(found, Denial) else found

    return control


def _position(asked: _Asked) -> Finding:
    side, own = asked.at.terms.side, asked.own
    return _size(asked, C.MAX_POSITION_NOTIONAL, own.before.side_usd(side), own.after.side_usd(side))


def _gross(asked: _Asked) -> Finding:
    own = asked.own
    return _size(asked, C.MAX_GROSS_EXPOSURE, own.totals_before.gross_usd, own.totals_after.gross_usd)


def _net(asked: _Asked) -> Finding:
    side, own = asked.at.terms.side, asked.own
    before_usd, after_usd = own.totals_before.net_side_usd(side), own.totals_after.net_side_usd(side)
    return _size(asked, C.MAX_NET_EXPOSURE, before_usd, after_usd)


def _size(asked: _Asked, code: DenialCode, before_usd: Decimal, after_usd: Decimal) -> Finding:
    if asked.at.worst_price is None:
        return missing(asked.name, C.NO_QUOTE, _NO_PRICE)
    if after_usd <= asked.limit:
        return passed(asked.name, after_usd, asked.limit)
    return too_large(asked.at, asked.name, code, (before_usd, after_usd, asked.limit))


def _turnover(asked: _Asked) -> Finding:
    """What new orders of the day were worth at their worst; of new terms, what they add to the old ones."""
    at, order = asked.at, asked.at.order
    if at.notional_usd is None:
        return missing(asked.name, C.NO_QUOTE, _NO_PRICE)
    counted_usd = ZERO if order is None else order.terms.qty * order.worst_price
    done_usd = asked.own.book.turnover_usd if _is_today(at) else ZERO
    after_usd = done_usd + max(at.notional_usd - counted_usd, ZERO)
    if after_usd <= asked.limit:
        return passed(asked.name, after_usd, asked.limit)
    filled_usd = at.filled_qty * (at.reserved_price or ZERO)
    return too_large(at, asked.name, C.MAX_TURNOVER, (done_usd - counted_usd + filled_usd, after_usd, asked.limit))


def _daily_loss(asked: _Asked) -> Finding:
    return lost(asked.name, C.MAX_DAILY_LOSS, asked.own.book.day_loss_usd, asked.limit)


def _drawdown(asked: _Asked) -> Finding:
    return lost(asked.name, C.MAX_DRAWDOWN, asked.own.book.drawdown_usd, asked.limit)


def _daily_trades(asked: _Asked) -> Finding:
    if asked.at.order is not None:
        return clear(asked.name)
    value = Decimal((asked.own.book.submits if _is_today(asked.at) else 0) + 1)
    return _count(asked, C.MAX_DAILY_TRADES, value, f"this would be order {value} of the day in the owner's book")


def _open_orders(asked: _Asked) -> Finding:
    if asked.at.order is not None:
        return clear(asked.name)
    value = Decimal(asked.own.book.open_orders + 1)
    return _count(asked, C.MAX_OPEN_ORDERS, value, f"this would be open order {value} in the owner's book")


def _order_rate(asked: _Asked) -> Finding:
    return _rate(asked, C.ORDER_RATE, asked.own.book.pace, "order")


def _message_rate(asked: _Asked) -> Finding:
    return _rate(asked, C.MESSAGE_RATE, asked.own.book.messages, "message")


def _rate(asked: _Asked, code: DenialCode, pace: Pace, what: str) -> Finding:
    decided_at = asked.at.evidence.decided_at
    value = Decimal(orders_in_window(pace, decided_at) + 1)
    found = _count(asked, code, value, f"this would be {what} {value} of the owner's within a minute")
    if not isinstance(found, Denial) or not asked.limit:
        return found
    wait_ms = retry_after_ms(pace, decided_at, int(asked.limit) - 1)
    return Denial(found.check, replace(found.reason, retryable=True, retry_after_ms=wait_ms))


def _count(asked: _Asked, code: DenialCode, value: Decimal, message: str) -> Finding:
    if value <= asked.limit:
        return passed(asked.name, value, asked.limit)
    told = f"{message}, {asked.limit} are allowed"
    return denied(asked.name, Reason(code=code, message=told, limit=asked.limit, attempted=value, headroom=ZERO))


def _is_today(at: Situation) -> bool:
    """Say whether the day that is counted is the order's own; a clock that runs behind begins no day anew."""
    counted = at.state.day.trading_day
    return counted is not None and at.evidence.trading_day <= counted


_MEASURES: Mapping[str, tuple[str, _Measure]] = {
    "max_position_notional_usd": ("position_notional", _position),
    "max_gross_exposure_usd": ("gross_exposure", _gross),
    "max_net_exposure_usd": ("net_exposure", _net),
    "max_daily_loss_usd": ("daily_loss", _daily_loss),
    "max_drawdown_usd": ("drawdown", _drawdown),
    "max_daily_trades": ("daily_trades", _daily_trades),
    "max_turnover_usd": ("turnover", _turnover),
    "max_open_orders": ("open_orders", _open_orders),
    "order_rate_per_min": ("order_rate", _order_rate),
    "message_rate_per_min": ("message_rate", _message_rate),
}
OWN_FIELDS = tuple(_MEASURES)
"""Every limit of a book that an order is held against."""


def rails_of(agent: LimitOverride | None, strategy: LimitOverride | None) -> frozenset[str]:
    """Name what bounds the two books, as the rails of their controls are named: `agent.max_daily_trades`."""
    pairs = ((ScopeKind.AGENT, agent), (ScopeKind.STRATEGY, strategy))
    return frozenset(
        f"{kind}.{field}"
        for kind, limits in pairs
        if limits is not None
        for field in OWN_FIELDS
        if getattr(limits, field) is not None
    )
