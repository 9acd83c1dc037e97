"""The fold behind the read models: journal messages in, rows out, and the same rows whoever folds them, and when.

Orders and positions are the ledger's; here what an event changed in them is written down.
"""

from collections.abc import Callable
from datetime import date, datetime

from immutables import Map

from contracts.base import Value
from contracts.broker import AccountObserved
from contracts.codec import JournalEvent
from contracts.decisions import Decision
from contracts.ids import OrderId, Symbol
from contracts.market import NEW_YORK
from contracts.orders import OrderEvent
from contracts.values import ZERO
from projections import orders
from projections.chain import Link
from projections.order_state import OrderState
from projections.positions import Position
from projections.sql import rows, tables
from projections.sql.ledger import Ledger, LedgerState, Moved
from projections.sql.rows import DayPnl, Execution, TrailCells
from projections.sql.tables import Changes
from projections.trail import TrailState, subject_of
from projections.trail import evolve as evolve_trail

_KIND_TOKEN = 2
_CONTROL_KINDS = frozenset({"control", "epoch"})


class FoldState(Value, frozen=True, kw_only=True):
    """Where the fold stands beside the trail: the account's ledger, and the day's own sums."""

    ledger: LedgerState = LedgerState()
    day: date | None = None
    pnl: Map[Symbol, DayPnl] = Map()


type History = Callable[[OrderId], OrderState | None]
"""Gives an order that the account let go when a day ended, as its stored rows tell it."""
type SymbolOf = Callable[[OrderId], Symbol | None]
"""Gives the symbol that stands first among an order's stored rows."""


def place(trail: TrailState, link: Link, event: JournalEvent, at: datetime) -> tuple[TrailState, TrailCells]:
    """Give a message its place on the trail; this part needs nothing but the trail before it, so it may run ahead."""
    trail, placed = evolve_trail(trail, link, event, subject_of(event, link.subject))
    return trail, rows.of_trail(placed, event, at)


class Fold:
    """A fold in progress; what its events do to the tables gathers until somebody takes it."""

    def __init__(self, trail: TrailState, state: FoldState, history: History, symbol_of: SymbolOf) -> None:
        """Go on from a state."""
        self.trail = trail
        self._ledger = Ledger(state.ledger)
        self._day, self._sums = state.day, state.pnl
        self._changes = Changes()
        self._history = history
        self._symbol_of = symbol_of
        self._symbols: dict[OrderId, Symbol] = {}
        self._orders: dict[OrderId, tuple[OrderState, datetime]] = {}
        self._positions: dict[tuple[date, Symbol], tuple[Position, int]] = {}
        self._pnl: dict[tuple[date, Symbol], tuple[DayPnl, int]] = {}

    @property
    def state(self) -> FoldState:
        """Say where the fold stands beside the trail."""
        return FoldState(ledger=self._ledger.state, day=self._day, pnl=self._sums)

    def take_changes(self) -> Changes:
        """Give what has gathered, and begin anew; the caller stores it before the next event is folded.

        However often a batch changed an order, a position or a sum, only the last of it is written down.
        """
        taken, self._changes = self._changes, Changes()
        taken.replaced[tables.ORDERS] = [rows.of_order(order, at) for order, at in self._orders.values()]
        positions, sums = self._positions.items(), self._pnl.items()
        taken.replaced[tables.POSITIONS_BY_DAY] = [rows.of_position(d, p, seq) for (d, _), (p, seq) in positions]
        taken.replaced[tables.PNL_BY_DAY] = [rows.of_pnl(d, symbol, pnl, seq) for (d, symbol), (pnl, seq) in sums]
        for gathered in (self._orders, self._positions, self._pnl, self._symbols):
            gathered.clear()
        return taken

    def take(self, link: Link, event: JournalEvent, at: datetime) -> TrailCells:
        """Fold one message that the server stored at a moment; a void one leaves its row on the trail, no more."""
        self.trail, cells = place(self.trail, link, event, at)
        self.take_placed(cells, event)
        return cells

    def take_placed(self, cells: TrailCells, event: JournalEvent) -> None:
        """Fold one message that has its place on the trail already."""
        before: OrderState | None = None
        if cells.order_id is not None:
            order_id = OrderId(cells.order_id)
            before = self._ledger.orders.get(order_id)
            cells = self._with_symbol(cells, order_id, before)
        self._changes.add(tables.TRAIL, cells)
        if cells.admitted:
            moved = self._ledger.fold(event, cells.seq)
            self._model(cells, event, before, moved)

    def _model(self, cells: TrailCells, event: JournalEvent, before: OrderState | None, moved: Moved | None) -> None:
        if isinstance(event, Decision):
            self._changes.add(tables.DECISIONS, rows.of_decision(event, cells.seq, cells.symbol))
        elif isinstance(event, AccountObserved):
            self._changes.add(tables.ACCOUNT_SNAPSHOTS, rows.of_account(event, cells.seq))
        elif cells.subject.split(".", 3)[_KIND_TOKEN] in _CONTROL_KINDS:
            self._changes.add(tables.CONTROL_CHANGES, rows.of_control(event, cells.seq, cells.type, cells.body))
            return
        self._begin_day(event, cells.seq)
        if cells.order_id is not None:
            self._order(OrderId(cells.order_id), event, cells.seq, before)
        if moved is not None:
            self._execution(event, cells, moved)

    def _with_symbol(self, cells: TrailCells, order_id: OrderId, order: OrderState | None) -> TrailCells:
        """Give an order's later events the symbol that the order is for; they do not repeat it themselves."""
        if cells.symbol is not None:
            self._symbols.setdefault(order_id, Symbol(cells.symbol))
            return cells
        symbol = order.terms.symbol if order else self._symbol_of(order_id) or self._symbols.get(order_id)
        return cells if symbol is None else rows.with_symbol(cells, symbol)

    def _order(self, order_id: OrderId, event: JournalEvent, seq: int, before: OrderState | None) -> None:
        now = self._ledger.orders.get(order_id)
        if now is None and isinstance(event, OrderEvent):
            now = self._revive(order_id, event, seq)
        if now is not None and now is not before:
            self._orders[order_id] = now, event.at

    def _revive(self, order_id: OrderId, event: OrderEvent, seq: int) -> OrderState | None:
        """Follow an order that the account let go: its late events change its row all the same."""
        recent = self._orders.get(order_id)
        order = recent[0] if recent else self._history(order_id)
        if order is None:
            return None
        return orders.evolve(order, event, seq)  # pyright: ignore[reportArgumentType] - the union of order events

    def _begin_day(self, event: JournalEvent, seq: int) -> None:
        """Follow the account's own day; what was held when it ended is held when the next one begins."""
        counted, known = self._ledger.trading_day, self._day
        day = counted or known or event.at.astimezone(NEW_YORK).date()
        if known is not None and day <= known:
            return
        self._day, self._sums = day, Map()
        for position in self._ledger.positions.values():
            if position.qty:
                self._put_position(day, position, seq)

    def _execution(self, event: JournalEvent, cells: TrailCells, moved: Moved) -> None:
        day, (old, new) = self._day, moved
        if day is None:
            raise AssertionError("a day begins before its first event is counted")
        change = Execution(new.qty - old.qty, new.cash_usd - old.cash_usd, new.realized_usd - old.realized_usd)
        self._changes.add(tables.FILLS, rows.of_execution(day, event, cells, change, new))
        self._put_position(day, new, cells.seq)
        if cells.order_id is not None:
            pnl = _after(self._sums.get(new.symbol, _NOTHING), change)
            self._sums = self._sums.set(new.symbol, pnl)
            self._pnl[day, new.symbol] = pnl, cells.seq

    def _put_position(self, day: date, position: Position, seq: int) -> None:
        self._positions[day, position.symbol] = position, seq


_NOTHING = DayPnl()


def _after(pnl: DayPnl, change: Execution) -> DayPnl:
    """Add one execution to a day's sums; what cost money was bought, what brought money in was sold."""
    qty, cash, realized = change
    bought = qty > 0 or (not qty and cash < 0)
    return DayPnl(
        realized_usd=pnl.realized_usd + realized,
        bought_qty=pnl.bought_qty + (qty if bought else ZERO),
        bought_usd=pnl.bought_usd - (cash if bought else ZERO),
        sold_qty=pnl.sold_qty - (ZERO if bought else qty),
        sold_usd=pnl.sold_usd + (ZERO if bought else cash),
        fills=pnl.fills + 1,
    )
