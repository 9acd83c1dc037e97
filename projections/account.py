"""Everything one account's journal says: limits, kill switch, orders, positions, exposure, the day's figures.

Risk decides on this state and the gateway shows it; both fold it with `evolve`, event by event.
"""

from datetime import date
from decimal import Decimal

from immutables import Map
from msgspec.structs import replace

from contracts.audit import ChainCheckpoint
from contracts.base import Value
from contracts.broker import AccountObserved, BrokerLinkChanged, PositionAdopted, Reconciled
from contracts.codec import JournalEvent
from contracts.controls import EpochTaken, KillEngaged, KillReleased, LimitsSet
from contracts.decisions import Decision
from contracts.enums import KillMode, OrderStatus
from contracts.ids import OrderId, Symbol
from contracts.limits import LimitSet
from contracts.market import Quote, is_sane
from contracts.orders import AnyOrderEvent, OrderAdopted, OrderFilled
from contracts.values import ZERO
from projections import orders, positions
from projections.exposure import Exposure, SymbolExposure, with_position, with_symbol, with_working
from projections.orders import OrderState
from projections.pace import NO_PACE, Pace, with_order
from projections.positions import Position


class Day(Value, frozen=True, kw_only=True):
    """What is counted per exchange day; it begins anew when the day changes."""

    trading_day: date | None = None
    submits: int = 0
    peak_equity_usd: Decimal | None = None

    def submits_on(self, trading_day: date) -> int:
        """Give how many new-risk orders count on a day; a clock that runs behind does not begin a day anew."""
        return self.submits if self.trading_day is not None and trading_day <= self.trading_day else 0


class AccountState(Value, frozen=True, kw_only=True):
    """One account as its journal tells it."""

    limits: LimitSet | None = None
    limits_version: int = 0
    kill: KillEngaged | None = None
    kill_seq: int = 0
    orders: Map[OrderId, OrderState] = Map()
    open_orders: int = 0
    unknown_orders: Map[Symbol, int] = Map()
    positions: Map[Symbol, Position] = Map()
    exposure: Exposure = Exposure()
    observed: AccountObserved | None = None
    broker_up: bool = False
    day: Day = Day()
    pace: Pace = NO_PACE


EMPTY = AccountState()
_WIDTH = tuple(KillMode)


def daily_loss_usd(state: AccountState) -> Decimal | None:
    """Give how far equity stands below the previous close (negative: above); None when nobody can say."""
    seen = state.observed
    if seen is None or not (seen.equity_usd.is_finite() and seen.last_equity_usd.is_finite()):
        return None
    return seen.last_equity_usd - seen.equity_usd


def drawdown_usd(state: AccountState) -> Decimal | None:
    """Give how far equity stands below the day's peak; None when nobody can say."""
    seen, peak = state.observed, state.day.peak_equity_usd
    if seen is None or peak is None or not seen.equity_usd.is_finite():
        return None
    return peak - seen.equity_usd


def evolve(state: AccountState, event: JournalEvent, seq: int) -> AccountState:
    """Fold one journal event; total over every event ever written."""
    match event:
        case Decision():
            return _after_decision(state, event, seq)
        case LimitsSet(limits=limits, version=version):
            return replace(state, limits=limits, limits_version=version)
        case KillEngaged() | KillReleased():
            return _after_kill(state, event, seq)
        case AccountObserved():
            return _after_observation(state, event)
        case BrokerLinkChanged(up=up):
            return replace(state, broker_up=up)
        case PositionAdopted():
            return _after_adopted_position(state, event)
        case EpochTaken() | Reconciled() | ChainCheckpoint():
            return state
        case _:
            return _after_order_event(state, event, seq)


def _after_kill(state: AccountState, event: KillEngaged | KillReleased, seq: int) -> AccountState:
    """Widen the switch or release it; a narrower word while it is on changes nothing: only a release cuts it back."""
    if isinstance(event, KillReleased):
        return replace(state, kill=None, kill_seq=seq)
    if state.kill is not None and _WIDTH.index(event.mode) <= _WIDTH.index(state.kill.mode):
        return state
    return replace(state, kill=event, kill_seq=seq)


def _after_decision(state: AccountState, decision: Decision, seq: int) -> AccountState:
    order = orders.order_from_decision(decision, seq)
    if order is None:
        return state
    state = _in_day(state, decision.evidence.trading_day)
    if order.reduces:
        return _put_order(state, order)  # counts against no pace, and no control looked at its quote
    day = replace(state.day, submits=state.day.submits + 1)
    paced = with_order(state.pace, decision.evidence.decided_at)
    return _put_order(replace(state, day=day, pace=paced), order, _mid(decision.evidence.quote))


def _mid(quote: Quote | None) -> Decimal | None:
    return (quote.bid_price + quote.ask_price) / 2 if quote is not None and is_sane(quote) else None


def _after_order_event(state: AccountState, event: AnyOrderEvent, seq: int) -> AccountState:
    known = state.orders.get(event.order_id)
    if known is None:
        if isinstance(event, OrderAdopted):
            return _put_order(state, _adopted(state, event, seq))
        return _filled(state, event) if isinstance(event, OrderFilled) else state
    repeated = isinstance(event, OrderFilled) and event.fill_id in known.fill_ids
    state = _put_order(state, orders.evolve(known, event, seq))
    return _filled(state, event) if isinstance(event, OrderFilled) and not repeated else state


def _adopted(state: AccountState, event: OrderAdopted, seq: int) -> OrderState:
    """Begin an adopted order's life; one without a price counts at the last mark, if there is one."""
    order = orders.order_from_adoption(event, seq)
    return replace(order, worst_price=order.worst_price or state.exposure.of(event.terms.symbol).mark_price)


def _put_order(state: AccountState, order: OrderState, mark_price: Decimal | None = None) -> AccountState:
    """Store an order and move everything that is derived from orders by the difference it makes."""
    old = state.orders.get(order.order_id)
    symbol, side = order.terms.symbol, order.terms.side
    old_qty = old.working_qty if old else ZERO
    old_usd = old_qty * old.worst_price if old else ZERO
    one = state.exposure.of(symbol)
    if mark_price is not None:
        one = with_position(one, one.position_qty, mark_price)
    one = with_working(one, side, order.working_qty - old_qty, order.working_qty * order.worst_price - old_usd)
    was_open = old is not None and not old.is_terminal
    now_open = not order.is_terminal
    return replace(
        state,
        orders=state.orders.set(order.order_id, order),
        open_orders=state.open_orders + now_open - was_open,
        unknown_orders=_unknowns(state, order, old),
        exposure=with_symbol(state.exposure, symbol, one),
    )


def _unknowns(state: AccountState, order: OrderState, old: OrderState | None) -> Map[Symbol, int]:
    was = old is not None and old.status is OrderStatus.UNKNOWN
    now = order.status is OrderStatus.UNKNOWN
    if was == now:
        return state.unknown_orders
    symbol = order.terms.symbol
    return state.unknown_orders.set(symbol, state.unknown_orders.get(symbol, 0) + now - was)


def _filled(state: AccountState, fill: OrderFilled) -> AccountState:
    position = state.positions.get(fill.symbol) or Position(symbol=fill.symbol)
    new = positions.after_fill(position, positions.signed(fill.side, fill.qty), fill.price)
    return _put_position(state, new, fill.price)


def _after_adopted_position(state: AccountState, event: PositionAdopted) -> AccountState:
    position = state.positions.get(event.symbol) or Position(symbol=event.symbol)
    return _put_position(state, positions.adopted(position, event.qty, event.price), event.price)


def _put_position(state: AccountState, position: Position, mark_price: Decimal) -> AccountState:
    one = with_position(state.exposure.of(position.symbol), position.qty, mark_price)
    return replace(
        state,
        positions=state.positions.set(position.symbol, position),
        exposure=with_symbol(state.exposure, position.symbol, one),
    )


def _marked(state: AccountState, symbol: Symbol, mark_price: Decimal) -> AccountState:
    one = state.exposure.of(symbol)
    marked: SymbolExposure = with_position(one, one.position_qty, mark_price)
    return replace(state, exposure=with_symbol(state.exposure, symbol, marked))


def _after_observation(state: AccountState, seen: AccountObserved) -> AccountState:
    state = _in_day(replace(state, observed=seen), seen.trading_day)
    if seen.equity_usd.is_finite():
        peak = (
            seen.equity_usd if state.day.peak_equity_usd is None else max(state.day.peak_equity_usd, seen.equity_usd)
        )
        state = replace(state, day=replace(state.day, peak_equity_usd=peak))
    for position in seen.positions:
        if position.current_price is not None and position.symbol in state.positions:
            state = _marked(state, position.symbol, position.current_price)
    return state


def _in_day(state: AccountState, trading_day: date) -> AccountState:
    """Begin a new exchange day: counters start over, and orders that ended on an earlier day are let go."""
    if state.day.trading_day is not None and trading_day <= state.day.trading_day:
        return state
    still_open = Map({order_id: order for order_id, order in state.orders.items() if not order.is_terminal})
    return replace(state, orders=still_open, day=Day(trading_day=trading_day))
