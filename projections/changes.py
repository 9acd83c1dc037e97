"""When something last happened, by symbol and by the account's controls: what conditions are held against."""

from immutables import Map

from contracts.base import Value
from contracts.enums import OrderStatus
from contracts.ids import Symbol
from projections.order_state import OrderState


class Changes(Value, frozen=True, kw_only=True):
    """The newest journal sequences of what others than risk wrote, and what they have yet to answer.

    A decision has no sequence while it is on its way into the journal, so none counts: instead `awaited` counts, by
    symbol, the approvals of orders and of new terms to which the OMS and the broker have not answered.
    """

    controls_seq: int = 0
    symbols: Map[Symbol, int] = Map()
    awaited: Map[Symbol, int] = Map()

    def newest_seq(self, symbol: Symbol) -> int:
        """Give the sequence after which nothing happened in a symbol or to what binds every order."""
        return max(self.controls_seq, self.symbols.get(symbol, 0))


NO_CHANGES = Changes()


def after_control(changes: Changes, seq: int) -> Changes:
    """Note that limits, mandates or switches were moved."""
    return Changes(controls_seq=seq, symbols=changes.symbols, awaited=changes.awaited)


def after_report(changes: Changes, symbol: Symbol, seq: int) -> Changes:
    """Note that something was reported of a symbol."""
    if seq <= changes.symbols.get(symbol, 0):
        return changes
    return Changes(
        controls_seq=changes.controls_seq, symbols=changes.symbols.set(symbol, seq), awaited=changes.awaited
    )


def after_order(changes: Changes, old: OrderState | None, order: OrderState) -> Changes:
    """Note what an order's new state says: its newest report, and whether an answer to it is awaited."""
    symbol, more = order.terms.symbol, _is_awaited(order) - (old is not None and _is_awaited(old))
    changes = after_report(changes, symbol, order.last_seq)
    if not more:
        return changes
    left = changes.awaited.get(symbol, 0) + more
    awaited = changes.awaited.set(symbol, left) if left else changes.awaited.delete(symbol)
    return Changes(controls_seq=changes.controls_seq, symbols=changes.symbols, awaited=awaited)


def _is_awaited(order: OrderState) -> bool:
    return order.status is OrderStatus.PENDING_SUBMIT or order.replacement is not None
