"""Everything one account's journal says: limits, kill switch, orders, positions, exposure, the day's figures.

Risk decides on this state and the gateway shows it; both fold it with `evolve`, event by event.
"""

from datetime import date
from decimal import Decimal

from immutables import Map
from msgspec.structs import replace

from contracts.audit import ChainCheckpoint
from contracts.base import Value
from contracts.broker import (
    AccountObserved,
    BreakFound,
    BreakHealed,
    BrokerLinkChanged,
    CashMoved,
    PositionAdopted,
    Reconciled,
)
from contracts.codec import JournalEvent
from contracts.controls import BreakAccepted, EpochTaken, KillEngaged, KillReleased, LimitsProposed, LimitsSet
from contracts.decisions import Decision
from contracts.enums import Action, KillMode, OrderStatus, Outcome
from contracts.ids import OrderId, Symbol
from contracts.limits import LimitSet
from contracts.market import Quote, is_sane
from contracts.orders import (
    AnyOrderEvent,
    OrderAdopted,
    OrderBusted,
    OrderCorrected,
    OrderFilled,
    OrderLegAdded,
    OrderTerms,
)
from contracts.values import ZERO
from projections import order_state, orders, positions
from projections.exposure import Exposure, SymbolExposure, with_position, with_symbol, with_working
from projections.order_state import OrderState
from projections.pace import NO_PACE, Pace, with_order
from projections.positions import Position
from projections.working import counted


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
    breaks: Map[str, BreakFound] = Map()
    """Differences from the broker's books that stand, by kind and key: while there are any, only exits pass."""
    cash_usd: Decimal | None = None
    """What the broker's cash must be by our own record, once an opening figure is known."""
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
        case BrokerLinkChanged() | PositionAdopted() | CashMoved() | BreakFound() | BreakHealed():
            return _after_bookkeeping(state, event)
        case EpochTaken() | Reconciled() | ChainCheckpoint() | BreakAccepted() | LimitsProposed():
            return state
        case _:
            return _after_order_event(state, event, seq)


def _after_bookkeeping(
    state: AccountState, event: BrokerLinkChanged | PositionAdopted | CashMoved | BreakFound | BreakHealed
) -> AccountState:
    """Keep what the books must come to; cash counts from the opening figure on."""
    match event:
        case BrokerLinkChanged(up=up):
            return replace(state, broker_up=up)
        case PositionAdopted():
            return _after_adopted_position(state, event)
        case CashMoved(kind="opening", amount_usd=amount):
            return replace(state, cash_usd=amount)
        case CashMoved(amount_usd=amount):
            return state if state.cash_usd is None else replace(state, cash_usd=state.cash_usd + amount)
        case BreakFound():
            return replace(state, breaks=state.breaks.set(break_name(event), event))
        case BreakHealed():
            name = break_name(event)
            return replace(state, breaks=state.breaks.delete(name)) if name in state.breaks else state


def break_name(event: BreakFound | BreakHealed) -> str:
    """Name a difference, so that what healed can be matched with what was found."""
    return f"{event.kind}:{event.key}"


def _after_kill(state: AccountState, event: KillEngaged | KillReleased, seq: int) -> AccountState:
    """Widen the switch or release it; a narrower word while it is on changes nothing: only a release cuts it back."""
    if isinstance(event, KillReleased):
        return replace(state, kill=None, kill_seq=seq)
    if state.kill is not None and _WIDTH.index(event.mode) <= _WIDTH.index(state.kill.mode):
        return state
    return replace(state, kill=event, kill_seq=seq)


def _after_decision(state: AccountState, decision: Decision, seq: int) -> AccountState:
    if decision.action is Action.REPLACE and decision.outcome is Outcome.APPROVED:
        return _after_replace_decision(state, decision, seq)
    order = order_state.order_from_decision(decision, seq)
    if order is None:
        return state
    state = _in_day(state, decision.evidence.trading_day)
    if order.reduces:
        return _put_order(state, order)  # counts against no pace, and no control looked at its quote
    day = replace(state.day, submits=state.day.submits + 1)
    paced = with_order(state.pace, decision.evidence.decided_at)
    return _put_order(replace(state, day=day, pace=paced), order, _mid(decision.evidence.quote))


def _after_replace_decision(state: AccountState, decision: Decision, seq: int) -> AccountState:
    order = None if decision.order_id is None else state.orders.get(decision.order_id)
    reservation = decision.reservation
    if order is None or reservation is None:
        return state
    mark_price = None if reservation.reduces else _mid(decision.evidence.quote)  # else no control looked at its quote
    state = _put_order(state, order_state.with_replacement(order, decision, seq), mark_price)
    if order.reduces:
        return state
    return replace(state, pace=with_order(state.pace, decision.evidence.decided_at))


def _mid(quote: Quote | None) -> Decimal | None:
    return (quote.bid_price + quote.ask_price) / 2 if quote is not None and is_sane(quote) else None


def _after_order_event(state: AccountState, event: AnyOrderEvent, seq: int) -> AccountState:
    known = state.orders.get(event.order_id)
    if known is None:
        return _after_unknown_order(state, event, seq)
    new = orders.evolve(known, event, seq)
    counts = not orders.is_known_fill(known, event)
    state = _put_order(state, new)
    return _with_executions(state, known, event) if counts else state


def _after_unknown_order(state: AccountState, event: AnyOrderEvent, seq: int) -> AccountState:
    """Begin a life that the broker began, or count what became of an order that was let go."""
    match event:
        case OrderAdopted():
            return _put_order(state, _adopted(state, event, seq))
        case OrderLegAdded():
            return _put_order(state, order_state.order_from_leg(event, state.orders.get(event.parent_id), seq))
        case OrderFilled():
            return _filled(state, event)
        case _:
            return state


def _with_executions(state: AccountState, order: OrderState, event: AnyOrderEvent) -> AccountState:
    """Move the position by what was executed, or undone."""
    match event:
        case OrderFilled():
            return _filled(state, event)
        case OrderBusted():
            return _undone(state, order, event)
        case OrderCorrected(qty=qty, price=price):
            return _executed(_undone(state, order, event), order.terms, qty, price)
        case _:
            return state


def _adopted(state: AccountState, event: OrderAdopted, seq: int) -> OrderState:
    """Begin an adopted order's life; one without a price counts at the last mark, if there is one."""
    order = order_state.order_from_adoption(event, seq)
    return replace(order, worst_price=order.worst_price or state.exposure.of(event.terms.symbol).mark_price)


def _put_order(state: AccountState, order: OrderState, mark_price: Decimal | None = None) -> AccountState:
    """Store an order and move everything that is derived from orders by the difference it makes."""
    old = state.orders.get(order.order_id)
    symbol, side = order.terms.symbol, order.terms.side
    with_order_in = state.orders.set(order.order_id, order)
    was, now = counted(state.orders, order), counted(with_order_in, order)
    exposure = state.exposure
    if was != now or mark_price is not None:  # most reports move no quantity, and so no exposure
        one = exposure.of(symbol)
        if mark_price is not None:
            one = with_position(one, one.position_qty, mark_price)
        one = with_working(one, side, now.qty - was.qty, now.notional_usd - was.notional_usd)
        exposure = with_symbol(exposure, symbol, one)
    was_open = old is not None and not old.is_terminal
    now_open = not order.is_terminal
    return replace(
        state,
        orders=with_order_in,
        open_orders=state.open_orders + now_open - was_open,
        unknown_orders=_unknowns(state, order, old),
        exposure=exposure,
    )


def _unknowns(state: AccountState, order: OrderState, old: OrderState | None) -> Map[Symbol, int]:
    was = old is not None and old.status is OrderStatus.UNKNOWN
    now = order.status is OrderStatus.UNKNOWN
    if was == now:
        return state.unknown_orders
    symbol = order.terms.symbol
    return state.unknown_orders.set(symbol, state.unknown_orders.get(symbol, 0) + now - was)


def _filled(state: AccountState, fill: OrderFilled) -> AccountState:
    return _moved(state, fill.symbol, positions.signed(fill.side, fill.qty), fill.price)


def _executed(state: AccountState, terms: OrderTerms, qty: Decimal, price: Decimal) -> AccountState:
    return _moved(state, terms.symbol, positions.signed(terms.side, qty), price)


def _moved(state: AccountState, symbol: Symbol, change: Decimal, price: Decimal) -> AccountState:
    position = state.positions.get(symbol) or Position(symbol=symbol)
    new = positions.after_fill(position, change, price)
    return _put_position(_with_cash(state, new.cash_usd - position.cash_usd), new, price)


def _undone(state: AccountState, order: OrderState, event: OrderBusted | OrderCorrected) -> AccountState:
    """Take an execution back; the mark stays where it is, the undone price says nothing of the market."""
    gone, symbol = orders.undone_execution(order, event), order.terms.symbol
    position = state.positions.get(symbol) or Position(symbol=symbol)
    new = positions.undone(position, positions.signed(order.terms.side, gone.qty), gone.price)
    return _put_position(_with_cash(state, new.cash_usd - position.cash_usd), new, ZERO)


def _with_cash(state: AccountState, change_usd: Decimal) -> AccountState:
    return state if state.cash_usd is None else replace(state, cash_usd=state.cash_usd + change_usd)


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
