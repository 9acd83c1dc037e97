"""Everything one account's journal says: limits, kill switch, orders, positions, exposure, the day's figures.

Risk decides on this state and the gateway shows it; both fold it with `evolve`, event by event.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, cast

from immutables import Map
from msgspec.structs import replace

from contracts.audit import ChainCheckpoint, WatchReported
from contracts.base import Event
from contracts.broker import (
    AccountObserved,
    AssetsObserved,
    BreakFound,
    BreakHealed,
    BrokerLinkChanged,
    CashMoved,
    ClockCompared,
    KillVerified,
    PositionAdopted,
    Reconciled,
    SessionsObserved,
    Throttled,
)
from contracts.codec import JournalEvent
from contracts.controls import (
    BreakAccepted,
    EpochTaken,
    KillEngaged,
    KillReleased,
    LayerSet,
    LimitsProposed,
    LimitsSet,
    MandateGranted,
    MandateRevoked,
    TripReset,
)
from contracts.decisions import Decision
from contracts.enums import Action, OrderStatus, Outcome, Side
from contracts.ids import Symbol
from contracts.market import Quote, is_sane
from contracts.orders import (
    AnyOrderEvent,
    OrderAdopted,
    OrderBusted,
    OrderCorrected,
    OrderFilled,
    OrderLegAdded,
)
from contracts.values import ZERO
from projections import books, guard, listing, order_state, orders, outgoing, positions, resting, spending, standing
from projections.account_state import EMPTY, AccountState, Day, daily_loss_usd, drawdown_usd, with_held
from projections.agent_wires import after_order_event
from projections.books import Fill, Working
from projections.changes import after_control, after_order, after_report
from projections.denials import after_denial
from projections.exposure import with_position, with_symbol, with_working
from projections.order_state import OrderState
from projections.outgoing import names_of
from projections.pace import with_order
from projections.positions import Position
from projections.tripwires import WIRES
from projections.working import alone, counted

__all__ = ["EMPTY", "AccountState", "Day", "break_name", "daily_loss_usd", "drawdown_usd", "evolve"]


def evolve(state: AccountState, event: JournalEvent, seq: int) -> AccountState:
    """Fold one journal event; total over every event ever written."""
    fold = _FOLDS.get(type(event))  # reports on orders are the most, and stand in no table
    if fold is None:
        told = cast("AnyOrderEvent", event)
        return after_order_event(state, _after_order_event(state, told, seq), told, seq)
    after, wire = fold(state, event, seq), WIRES.get(type(event))
    return after if wire is None else wire(after, event, seq)


def _unchanged(state: AccountState, _event: Event, _seq: int) -> AccountState:
    return state


def _after_limits(state: AccountState, event: LimitsSet, seq: int) -> AccountState:
    moved = after_control(state.changes, seq)
    return replace(state, limits=event.limits, limits_version=event.version, changes=moved)


def _after_operator(state: AccountState, event: standing.StandingEvent, seq: int) -> AccountState:
    moved = after_control(state.changes, seq)
    return replace(state, standing=standing.evolve(state.standing, event, seq), changes=moved)


def _after_listing(state: AccountState, event: AssetsObserved | SessionsObserved, _seq: int) -> AccountState:
    return replace(state, listing=listing.evolve(state.listing, event))


def _after_guarding(state: AccountState, event: guard.GuardEvent, _seq: int) -> AccountState:
    return replace(state, guard=guard.evolve(state.guard, event, state.limits))


def _after_bookkeeping(
    state: AccountState, event: BrokerLinkChanged | PositionAdopted | CashMoved | BreakFound | BreakHealed, seq: int
) -> AccountState:
    """Keep what the books must come to; cash counts from the opening figure on."""
    match event:
        case BrokerLinkChanged(up=up):
            return replace(state, broker_up=up)
        case PositionAdopted():
            return _with_report(_after_adopted_position(state, event), event.symbol, seq)
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


def _after_decision(state: AccountState, decision: Decision, seq: int) -> AccountState:
    state = with_held(state, decision)
    if decision.digest is not None:
        return replace(state, denials=after_denial(state.denials, decision, state.limits))
    if decision.outcome is Outcome.APPROVED:
        state = outgoing.after_approval(_in_day(state, decision.evidence.trading_day), decision)
    if decision.action is Action.REPLACE and decision.outcome is Outcome.APPROVED:
        return _after_replace_decision(state, decision, seq)
    order = order_state.order_from_decision(decision, seq)
    if order is None:
        return state
    if order.reduces:
        return _put_order(state, order)  # counts against no pace, and no control looked at its quote
    at, spent_usd = decision.evidence.decided_at, order.terms.qty * order.worst_price
    day = replace(state.day, submits=state.day.submits + 1, turnover_usd=state.day.turnover_usd + spent_usd)
    agent, strategy = names_of(order)
    state = replace(
        state,
        day=day,
        pace=with_order(state.pace, at),
        agents=books.with_submit(state.agents, agent, spent_usd, at),
        strategies=books.with_submit(state.strategies, strategy, spent_usd, at),
    )
    return _put_order(state, order, _mid(decision.evidence.quote))


def _after_replace_decision(state: AccountState, decision: Decision, seq: int) -> AccountState:
    order = None if decision.order_id is None else state.orders.get(decision.order_id)
    reservation = decision.reservation
    if order is None or reservation is None:
        return state
    mark_price = None if reservation.reduces else _mid(decision.evidence.quote)  # else no control looked at its quote
    state = _put_order(state, order_state.with_replacement(order, decision, seq), mark_price)
    if order.reduces:
        return state
    return outgoing.after_change(state, order, reservation, decision.evidence.decided_at)


def _mid(quote: Quote | None) -> Decimal | None:
    return (quote.bid_price + quote.ask_price) / 2 if quote is not None and is_sane(quote) else None


def _after_order_event(state: AccountState, event: AnyOrderEvent, seq: int) -> AccountState:
    known = state.orders.get(event.order_id)
    if known is None:
        return _after_unknown_order(state, event, seq)
    new = orders.evolve(known, event, seq)
    if orders.is_known_fill(known, event):
        return _put_order(state, new)
    if isinstance(event, OrderFilled):
        return _put_order(state, new, fill=event)
    return _with_corrections(_put_order(state, new), known, event)


def _after_unknown_order(state: AccountState, event: AnyOrderEvent, seq: int) -> AccountState:
    """Begin a life that the broker began, or count what became of an order that was let go."""
    match event:
        case OrderAdopted():
            return _put_order(state, _adopted(state, event, seq))
        case OrderLegAdded():
            return _put_order(state, order_state.order_from_leg(event, state.orders.get(event.parent_id), seq))
        case OrderFilled():
            return _with_report(_moved(state, event.symbol, _change_of(event), event.price, None), event.symbol, seq)
        case _:
            return state


def _with_report(state: AccountState, symbol: Symbol, seq: int) -> AccountState:
    return replace(state, changes=after_report(state.changes, symbol, seq))


def _change_of(fill: OrderFilled) -> Decimal:
    return positions.signed(fill.side, fill.qty)


def _with_corrections(state: AccountState, order: OrderState, event: AnyOrderEvent) -> AccountState:
    """Move the position by what was undone, or turned out to be otherwise."""
    match event:
        case OrderBusted():
            return _undone(state, order, event)
        case OrderCorrected(qty=qty, price=price):
            change = positions.signed(order.terms.side, qty)
            return _moved(_undone(state, order, event), order.terms.symbol, change, price, order)
        case _:
            return state


def _adopted(state: AccountState, event: OrderAdopted, seq: int) -> OrderState:
    """Begin an adopted order's life; one without a price counts at the last mark, if there is one."""
    order = order_state.order_from_adoption(event, seq)
    return replace(order, worst_price=order.worst_price or state.exposure.of(event.terms.symbol).mark_price)


def _put_order(
    state: AccountState, order: OrderState, mark_price: Decimal | None = None, fill: OrderFilled | None = None
) -> AccountState:
    """Store an order and move everything that is derived from orders by the difference it makes.

    A fill moves what works and what is held in one step, because both are most of what a journal says.
    """
    old = state.orders.get(order.order_id)
    with_order_in = state.orders.set(order.order_id, order)
    if order.group_id is None:
        was, now = alone(old), alone(order)
    else:
        was, now = counted(state.orders, order), counted(with_order_in, order)
    opened = (not order.is_terminal) - (old is not None and not old.is_terminal)
    qty, notional_usd = now.qty - was.qty, now.notional_usd - was.notional_usd
    more = Working(order.terms.symbol, order.terms.side, qty, notional_usd, opened)
    rests = resting.after_order(state.resting, old, order)
    spent = spending.after_order(state.spent, old, order, notional_usd if more.side is Side.BUY else ZERO)
    counts, moved = state.open_orders + opened, after_order(state.changes, old, order)
    state = replace(state, orders=with_order_in, open_orders=counts, resting=rests, spent=spent, changes=moved)
    if (old is not None and old.status is OrderStatus.UNKNOWN) != (order.status is OrderStatus.UNKNOWN):
        state = replace(state, unknown_orders=_unknowns(state, order))
    if fill is not None:
        return _moved(state, fill.symbol, _change_of(fill), fill.price, order, more)
    if was == now and not opened and mark_price is None:
        return state  # most reports move no quantity, and so no exposure
    return _with_working(state, order, more, mark_price)


def _with_working(state: AccountState, order: OrderState, more: Working, mark_price: Decimal | None) -> AccountState:
    one = with_working(state.exposure.of(more.symbol), more.side, more.qty, more.notional_usd)
    if mark_price is not None:
        one = with_position(one, one.position_qty, mark_price)
    agent, strategy = names_of(order)
    return replace(
        state,
        exposure=with_symbol(state.exposure, more.symbol, one),
        agents=state.agents if agent is None else books.with_order(state.agents, agent, more),
        strategies=state.strategies if strategy is None else books.with_order(state.strategies, strategy, more),
    )


def _unknowns(state: AccountState, order: OrderState) -> Map[Symbol, int]:
    symbol, change = order.terms.symbol, 1 if order.status is OrderStatus.UNKNOWN else -1
    return state.unknown_orders.set(symbol, state.unknown_orders.get(symbol, 0) + change)


def _moved(
    state: AccountState,
    symbol: Symbol,
    change: Decimal,
    price: Decimal,
    order: OrderState | None,
    more: Working | None = None,
) -> AccountState:
    """Move the account's position, and that of whoever stated the order, together with what works less."""
    position = state.positions.get(symbol) or Position(symbol=symbol)
    new = positions.after_fill(position, change, price)
    agent, strategy = (None, None) if order is None else names_of(order)
    fill = Fill(symbol, change, price, position.qty, more)
    one = state.exposure.of(symbol)
    if more is not None:
        one = with_working(one, more.side, more.qty, more.notional_usd)
    return replace(
        state,
        positions=state.positions.set(symbol, new),
        exposure=with_symbol(state.exposure, symbol, with_position(one, new.qty, price)),
        agents=books.after_fill(state.agents, agent, fill),
        strategies=books.after_fill(state.strategies, strategy, fill),
        spent=spending.after_fill(state.spent, change, price),
        cash_usd=None if state.cash_usd is None else state.cash_usd + new.cash_usd - position.cash_usd,
    )


def _undone(state: AccountState, order: OrderState, event: OrderBusted | OrderCorrected) -> AccountState:
    """Take an execution back; the mark stays where it is, the undone price says nothing of the market."""
    gone, symbol = orders.undone_execution(order, event), order.terms.symbol
    position = state.positions.get(symbol) or Position(symbol=symbol)
    change = positions.signed(order.terms.side, gone.qty)
    new = positions.undone(position, change, gone.price)
    agent, strategy = names_of(order)
    state = replace(
        state,
        agents=books.undone(state.agents, agent, symbol, change, gone.price),
        strategies=books.undone(state.strategies, strategy, symbol, change, gone.price),
        cash_usd=None if state.cash_usd is None else state.cash_usd + new.cash_usd - position.cash_usd,
    )
    return _put_position(state, new, ZERO)


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


def _marked(state: AccountState, prices: dict[Symbol, Decimal]) -> AccountState:
    exposure = state.exposure
    for symbol, price in prices.items():
        one = exposure.of(symbol)
        exposure = with_symbol(exposure, symbol, with_position(one, one.position_qty, price))
    return replace(
        state,
        exposure=exposure,
        agents=books.marked(state.agents, prices),
        strategies=books.marked(state.strategies, prices),
    )


def _after_observation(state: AccountState, seen: AccountObserved, _seq: int) -> AccountState:
    state = replace(state, observed=seen, listing=listing.evolve(state.listing, seen))
    state = _in_day(state, seen.trading_day)
    state = replace(state, spent=spending.after_report(state.spent))
    if seen.equity_usd.is_finite():
        peak = (
            seen.equity_usd if state.day.peak_equity_usd is None else max(state.day.peak_equity_usd, seen.equity_usd)
        )
        state = replace(state, day=replace(state.day, peak_equity_usd=peak))
    prices = {one.symbol: one.current_price for one in seen.positions if one.current_price is not None}
    held = {symbol: price for symbol, price in prices.items() if symbol in state.positions}
    return _marked(state, held) if held else state


def _in_day(state: AccountState, trading_day: date) -> AccountState:
    """Begin a new exchange day: counters start over, and orders that ended on an earlier day are let go."""
    if state.day.trading_day is not None and trading_day <= state.day.trading_day:
        return state
    still_open = Map({order_id: order for order_id, order in state.orders.items() if not order.is_terminal})
    return replace(
        state,
        orders=still_open,
        day=Day(trading_day=trading_day),
        spent=spending.in_day(state.spent),
        guard=guard.in_day(state.guard, trading_day),
        agents=books.in_day(state.agents),
        strategies=books.in_day(state.strategies),
    )


_FOLDS: dict[type[Event], Callable[[AccountState, Any, int], AccountState]] = {
    Decision: _after_decision,
    LimitsSet: _after_limits,
    LayerSet: _after_operator,
    MandateGranted: _after_operator,
    MandateRevoked: _after_operator,
    KillEngaged: _after_operator,
    KillReleased: _after_operator,
    KillVerified: _after_operator,
    AccountObserved: _after_observation,
    BrokerLinkChanged: _after_bookkeeping,
    PositionAdopted: _after_bookkeeping,
    CashMoved: _after_bookkeeping,
    BreakFound: _after_bookkeeping,
    BreakHealed: _after_bookkeeping,
    AssetsObserved: _after_listing,
    SessionsObserved: _after_listing,
    Reconciled: _after_guarding,
    WatchReported: _after_guarding,
    ClockCompared: _after_guarding,
    TripReset: _after_guarding,
    EpochTaken: _unchanged,
    ChainCheckpoint: _unchanged,
    BreakAccepted: _unchanged,
    LimitsProposed: _unchanged,
    Throttled: _unchanged,
}
"""How each kind of event that is no report on an order is folded."""
