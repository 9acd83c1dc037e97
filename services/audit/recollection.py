"""What a rebuild knows of orders that were let go: it has no indexes yet, and looking through all rows is slow."""

from collections.abc import Callable

from contracts.ids import OrderId, Symbol
from projections.order_state import OrderState
from projections.sql.rows import TrailCells
from projections.sql.statements import index
from projections.sql.store import Store

ORDERS_REMEMBERED_MAX = 500_000
"""About 100 MB; a journal with more orders than this is asked by index for what is not known of an order."""
_BY_ORDER = "trail_by_order"

type Settle = Callable[[], None]
"""Waits until all that was folded before this batch is stored."""


class Recollection:
    """Answers the fold: from memory while it lasts, then from the stored rows, by an index made when it is needed."""

    def __init__(self, store: Store, settle: Settle, remembered_max: int = ORDERS_REMEMBERED_MAX) -> None:
        """Begin with nothing, before the first event."""
        self._store = store
        self._settle = settle
        self._remembered_max = remembered_max
        self._symbols: dict[OrderId, Symbol] | None = {}
        self._has_index = False

    def note(self, cells: TrailCells) -> None:
        """Remember an order's first symbol."""
        if cells.symbol is None or cells.order_id is None or self._symbols is None:
            return
        self._symbols.setdefault(OrderId(cells.order_id), Symbol(cells.symbol))
        if len(self._symbols) > self._remembered_max:
            self._symbols = None

    def symbol_of(self, order_id: OrderId) -> Symbol | None:
        """Give the symbol that stands first among an order's rows."""
        if self._symbols is not None:
            return self._symbols.get(order_id)
        return self._indexed().symbol_of(order_id)

    def order(self, order_id: OrderId) -> OrderState | None:
        """Give an order as its stored rows tell it."""
        return self._indexed().order(order_id)

    def _indexed(self) -> Store:
        self._settle()
        if not self._has_index:
            self._store.database.execute(index(_BY_ORDER))
            self._has_index = True
        return self._store
