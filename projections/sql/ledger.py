"""Orders, positions and the account's day, kept in place: what of an account the read models show.

Each is what `projections.account` says, which every process folds; exposure, limits, pace and all else that risk
decides by is left out here, because a rebuild folds a whole journal and shows none of it.
"""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from msgspec import field
from msgspec.structs import replace

from contracts.base import Value
from contracts.broker import AccountObserved, PositionAdopted
from contracts.codec import JournalEvent
from contracts.decisions import Decision
from contracts.enums import Action, Outcome
from contracts.ids import OrderId, Symbol
from contracts.market import is_sane
from contracts.orders import (
    AnyOrderEvent,
    OrderAdopted,
    OrderBusted,
    OrderCorrected,
    OrderEvent,
    OrderFilled,
    OrderLegAdded,
)
from contracts.values import ZERO
from projections import order_state, orders, positions
from projections.order_state import OrderState
from projections.positions import Position


class LedgerState(Value, frozen=True, kw_only=True):
    """Where a ledger stands; `marks` are the prices (USD per share) that adopted orders without one are sized at."""

    orders: dict[OrderId, OrderState] = field(default_factory=dict)
    positions: dict[Symbol, Position] = field(default_factory=dict)
    marks: dict[Symbol, Decimal] = field(default_factory=dict)
    trading_day: date | None = None


class Moved(NamedTuple):
    """What an event did to one position."""

    old: Position
    new: Position


class Ledger:
    """A fold in progress."""

    def __init__(self, state: LedgerState) -> None:
        """Go on from a state."""
        self.orders = dict(state.orders)
        self.positions = dict(state.positions)
        self.trading_day = state.trading_day
        self._marks = dict(state.marks)

    @property
    def state(self) -> LedgerState:
        """Say where the fold stands."""
        return LedgerState(
            orders=dict(self.orders),
            positions=dict(self.positions),
            marks=dict(self._marks),
            trading_day=self.trading_day,
        )

    def fold(self, event: JournalEvent, seq: int) -> Moved | None:
        """Fold one valid event; tell what it did to a position."""
        match event:
            case OrderEvent():
                return self._order_event(event, seq)
            case Decision():
                return self._decision(event, seq)
            case AccountObserved():
                return self._observation(event)
            case PositionAdopted():
                return self._adopted_position(event)
            case _:
                return None

    def _decision(self, decision: Decision, seq: int) -> None:
        if decision.outcome is not Outcome.APPROVED:
            return
        if decision.action is Action.REPLACE:
            self._replacement(decision, seq)
            return
        order = order_state.order_from_decision(decision, seq)
        if order is None:
            return
        self._in_day(decision.evidence.trading_day)
        self.orders[order.order_id] = order
        if not order.reduces:
            self._mark_by_quote(order, decision)

    def _replacement(self, decision: Decision, seq: int) -> None:
        order = None if decision.order_id is None else self.orders.get(decision.order_id)
        if order is None or decision.reservation is None:
            return
        self.orders[order.order_id] = order_state.with_replacement(order, decision, seq)
        if not decision.reservation.reduces:
            self._mark_by_quote(order, decision)

    def _mark_by_quote(self, order: OrderState, decision: Decision) -> None:
        quote = decision.evidence.quote
        if quote is not None and is_sane(quote):
            self._mark(order.terms.symbol, (quote.bid_price + quote.ask_price) / 2)

    def _observation(self, seen: AccountObserved) -> None:
        self._in_day(seen.trading_day)
        for position in seen.positions:
            if position.current_price is not None and position.symbol in self.positions:
                self._mark(position.symbol, position.current_price)

    def _in_day(self, trading_day: date) -> None:
        """Begin a new exchange day: orders that ended on an earlier one are let go."""
        if self.trading_day is not None and trading_day <= self.trading_day:
            return
        self.orders = {order_id: order for order_id, order in self.orders.items() if not order.is_terminal}
        self.trading_day = trading_day

    def _order_event(self, event: AnyOrderEvent, seq: int) -> Moved | None:
        known = self.orders.get(event.order_id)
        if known is None:
            return self._unknown_order(event, seq)
        self.orders[event.order_id] = orders.evolve(known, event, seq)
        if orders.is_known_fill(known, event):
            return None
        match event:
            case OrderFilled():
                return self._filled(event)
            case OrderBusted():
                return self._undone(known, event)
            case OrderCorrected(qty=qty, price=price):
                undone = self._undone(known, event)
                again = self._executed(known.terms.symbol, positions.signed(known.terms.side, qty), price)
                return Moved(undone.old, again.new)
            case _:
                return None

    def _unknown_order(self, event: AnyOrderEvent, seq: int) -> Moved | None:
        """Begin a life that the broker began, or count what became of an order that was let go."""
        match event:
            case OrderAdopted():
                order = order_state.order_from_adoption(event, seq)
                sized_at = order.worst_price or self._marks.get(event.terms.symbol, ZERO)
                self.orders[event.order_id] = replace(order, worst_price=sized_at)
            case OrderLegAdded():
                parent = self.orders.get(event.parent_id)
                self.orders[event.order_id] = order_state.order_from_leg(event, parent, seq)
            case OrderFilled():
                return self._filled(event)
            case _:
                pass
        return None

    def _filled(self, fill: OrderFilled) -> Moved:
        return self._executed(fill.symbol, positions.signed(fill.side, fill.qty), fill.price)

    def _executed(self, symbol: Symbol, change: Decimal, price: Decimal) -> Moved:
        old = self._position(symbol)
        self._mark(symbol, price)
        return self._moved(old, positions.after_fill(old, change, price))

    def _undone(self, order: OrderState, event: OrderBusted | OrderCorrected) -> Moved:
        """Take an execution back; its price says nothing of the market."""
        gone, old = orders.undone_execution(order, event), self._position(order.terms.symbol)
        return self._moved(old, positions.undone(old, positions.signed(order.terms.side, gone.qty), gone.price))

    def _adopted_position(self, event: PositionAdopted) -> Moved:
        old = self._position(event.symbol)
        self._mark(event.symbol, event.price)
        return self._moved(old, positions.adopted(old, event.qty, event.price))

    def _position(self, symbol: Symbol) -> Position:
        return self.positions.get(symbol) or Position(symbol=symbol)

    def _moved(self, old: Position, new: Position) -> Moved:
        self.positions[new.symbol] = new
        return Moved(old, new)

    def _mark(self, symbol: Symbol, price: Decimal) -> None:
        if price.is_finite() and price > 0:
            self._marks[symbol] = price
