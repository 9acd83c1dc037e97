"""One account at one place of its journal, as a person asks for it: positions, orders, headroom, limits, state."""

from datetime import date, datetime
from decimal import Decimal

from contracts.base import Value
from contracts.broker import KillVerified
from contracts.decisions import Headroom
from contracts.enums import KillMode, OrderStatus, TradingState
from contracts.ids import AccountId, AgentId, IntentId, OrderId, Symbol
from contracts.limits import LimitSet
from contracts.orders import OrderTerms
from contracts.scopes import ACCOUNT, Scope
from contracts.values import ZERO, plain
from projections.account import AccountState, daily_loss_usd, drawdown_usd
from projections.headroom import headroom
from projections.margin_watch import MarginWarning, margin_warnings
from projections.owner_view import LayerView, OwnerView, layer_views, owner_views
from projections.standing import Kill
from projections.trading_state import ScopeState, scope_states, trading_state_of

_MILLIONTH = Decimal("0.000001")


class Place(Value, frozen=True, kw_only=True):
    """Where in a journal: after the event `seq`, written at `at`."""

    account: AccountId
    seq: int
    at: datetime | None


class PositionView(Value, frozen=True, kw_only=True):
    """One position; money in USD, `unrealized_usd` at the last mark."""

    symbol: Symbol
    qty: Decimal
    avg_price: Decimal
    mark_price: Decimal
    realized_usd: Decimal
    unrealized_usd: Decimal


class OrderView(Value, frozen=True, kw_only=True):
    """One order whose life is not over."""

    order_id: OrderId
    agent: AgentId
    intent_id: IntentId | None
    status: OrderStatus
    terms: OrderTerms
    filled_qty: Decimal
    reserved_usd: Decimal


class ExposureView(Value, frozen=True, kw_only=True):
    """Worst-case exposure, USD."""

    gross_usd: Decimal
    net_usd: Decimal
    long_usd: Decimal
    short_usd: Decimal


class DayView(Value, frozen=True, kw_only=True):
    """The exchange day's figures; money in USD."""

    trading_day: date | None
    orders: int
    loss_usd: Decimal | None
    drawdown_usd: Decimal | None
    equity_usd: Decimal | None


class KillView(Value, frozen=True, kw_only=True):
    """A kill switch while it is on, since when, and what the broker showed of it."""

    scope: Scope
    mode: KillMode
    by: str
    reason: str
    since: datetime
    seq: int
    proof: KillVerified | None


class AccountView(Value, frozen=True, kw_only=True):
    """Everything asked for, at one place; `halts` says what keeps the account from trading freely."""

    place: Place
    trading_state: TradingState
    halts: tuple[str, ...]
    modes: tuple[ScopeState, ...]
    kill: KillView | None
    kills: tuple[KillView, ...]
    limits_version: int
    limits: LimitSet | None
    headroom: Headroom
    exposure: ExposureView
    day: DayView
    positions: tuple[PositionView, ...]
    open_orders: tuple[OrderView, ...]
    layers: tuple[LayerView, ...] = ()
    owners: tuple[OwnerView, ...] = ()
    warnings: tuple[MarginWarning, ...] = ()


def _shown(number: Decimal) -> Decimal:
    """Cut what divisions made endless to a millionth."""
    return plain(number.quantize(_MILLIONTH))


def view_of(state: AccountState, place: Place) -> AccountView:
    """Show a folded state; headroom and pace are those of the moment at which its last event was written."""
    trading_state, causes = trading_state_of(state, place.at)
    totals = state.exposure.totals
    return AccountView(
        place=place,
        trading_state=trading_state,
        halts=causes,
        modes=scope_states(state, place.at),
        kill=next((one for one in _kills(state) if one.scope == ACCOUNT), None),
        kills=_kills(state),
        limits_version=state.limits_version,
        limits=state.limits,
        headroom=_headroom(state, place.at),
        exposure=ExposureView(
            gross_usd=_shown(totals.gross_usd),
            net_usd=_shown(totals.net_usd),
            long_usd=_shown(totals.long_usd),
            short_usd=_shown(totals.short_usd),
        ),
        day=_day(state),
        positions=tuple(_position(state, symbol) for symbol in sorted(state.positions) if _counts(state, symbol)),
        open_orders=tuple(_open_orders(state)),
        warnings=margin_warnings(state),
        layers=layer_views(state),
        owners=owner_views(state),
    )


def _headroom(state: AccountState, at: datetime | None) -> Headroom:
    if at is None or state.day.trading_day is None:
        return Headroom()
    return headroom(state, at, state.day.trading_day)


def _kills(state: AccountState) -> tuple[KillView, ...]:
    return tuple(_kill(scope, kill) for scope, kill in sorted(state.standing.kills.items()))


def _kill(scope: Scope, kill: Kill) -> KillView:
    said = kill.event
    return KillView(
        scope=scope, mode=said.mode, by=said.by, reason=said.reason, since=said.at, seq=kill.seq, proof=kill.proof
    )


def _day(state: AccountState) -> DayView:
    return DayView(
        trading_day=state.day.trading_day,
        orders=state.day.submits,
        loss_usd=daily_loss_usd(state),
        drawdown_usd=drawdown_usd(state),
        equity_usd=None if state.observed is None else state.observed.equity_usd,
    )


def _counts(state: AccountState, symbol: Symbol) -> bool:
    position = state.positions[symbol]
    return bool(position.qty or position.realized_usd)


def _position(state: AccountState, symbol: Symbol) -> PositionView:
    position, mark_price = state.positions[symbol], state.exposure.of(symbol).mark_price
    unrealized_usd = (mark_price - position.avg_price) * position.qty if position.qty else ZERO
    return PositionView(
        symbol=symbol,
        qty=plain(position.qty),
        avg_price=_shown(position.avg_price),
        mark_price=_shown(mark_price),
        realized_usd=_shown(position.realized_usd),
        unrealized_usd=_shown(unrealized_usd),
    )


def _open_orders(state: AccountState) -> list[OrderView]:
    still_open = (order for order in state.orders.values() if not order.is_terminal)
    return [
        OrderView(
            order_id=order.order_id,
            agent=order.agent,
            intent_id=order.intent_id,
            status=order.status,
            terms=order.terms,
            filled_qty=plain(order.filled_qty),
            reserved_usd=_shown(order.working_qty * order.worst_price),
        )
        for order in sorted(still_open, key=lambda order: (order.decision_seq, order.order_id))
    ]
