"""What the OMS remembers: the account as its journal tells it, orders that ended lately, and cancels still owed.

The account lets ended orders go at the end of their day; a broker may still speak of them, so the OMS keeps them
two exchange days longer. What is older than that and has ended is nobody's news any more.
"""

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from immutables import Map
from msgspec.structs import replace

from contracts.base import Value
from contracts.broker import AccountObserved, CashMoved, Reconciled
from contracts.codec import JournalEvent
from contracts.decisions import Decision
from contracts.enums import Action, OrderStatus, Outcome
from contracts.ids import AgentId, OrderId, is_token
from contracts.orders import (
    OrderAcknowledged,
    OrderAdopted,
    OrderCancelRejected,
    OrderCancelRequested,
    OrderEvent,
    OrderLegAdded,
    OrderReplaced,
)
from projections import account, orders
from projections.account import AccountState
from projections.order_state import OrderState, with_replacement
from services.oms import ledger
from services.oms.brokers.port import BrokerOrder
from services.oms.fills import broker_ids
from services.oms.ledger import Ledger

ENDED_AT_BROKER = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})
LOOK_BACK = timedelta(hours=24)
"""How long ago a foreign order may have been submitted and still be adopted after it ended."""
OVERLAP = timedelta(minutes=10)
"""How much further back than the last comparison a full one asks, for clocks that differ and reports that lag."""
_OUR_ID = re.compile(r"^(lg-[0-9a-f]{30})(?:-r[0-9]+)?$")
"""What we send under: an order's id, and that with the decision that replaced its terms."""


class CancelWish(Value, frozen=True, kw_only=True):
    """An approved cancel that has no answer of the broker yet."""

    requested_by: AgentId
    decision_seq: int


class OmsState(Value, frozen=True, kw_only=True):
    """One account, as far as sending and following orders needs it."""

    account: AccountState = account.EMPTY
    ended_yesterday: Map[OrderId, OrderState] = Map()
    ended_before: Map[OrderId, OrderState] = Map()
    cancels: Map[OrderId, CancelWish] = Map()
    names: Map[str, OrderId] = Map()
    """Our name for each of the broker's orders, by the id that the broker gave it."""
    ledger: Ledger = ledger.EMPTY
    opened_at: datetime | None = None
    """When our books were first opened: what had ended by then shows in the positions taken over."""
    compared_at: datetime | None = None
    """When our orders were last compared with the broker's: what happened since may be unheard."""

    def order(self, order_id: OrderId) -> OrderState | None:
        """Find an order, ended ones included for two days."""
        for known in (self.account.orders, self.ended_yesterday, self.ended_before):
            if (found := known.get(order_id)) is not None:
                return found
        return None

    def all_orders(self) -> tuple[OrderState, ...]:
        """List every order still remembered, oldest decision first."""
        known = (self.account.orders, self.ended_yesterday, self.ended_before)
        return _by_age(order for orders in known for order in orders.values())

    def open_orders(self) -> tuple[OrderState, ...]:
        """List the orders whose life goes on, oldest decision first."""
        return _by_age(order for order in self.account.orders.values() if not order.is_terminal)

    def open_replacements(self) -> tuple[OrderId, ...]:
        """Name the orders of which new terms were approved that the broker has not answered."""
        return tuple(order.order_id for order in self.all_orders() if order.replacement is not None)

    def unknown_orders(self) -> int:
        """Count the orders of which nobody knows whether the broker has them."""
        return sum(self.account.unknown_orders.values())


EMPTY = OmsState()


def evolve(state: OmsState, event: JournalEvent, seq: int) -> OmsState:
    """Fold one journal event that the fence admits."""
    booked = ledger.evolve(state.ledger, event, state.account.breaks)
    if booked is not state.ledger:
        state = replace(state, ledger=booked)
    state = _with_account(state, account.evolve(state.account, event, seq))
    match event:
        case Decision():
            return _after_decision(state, event, seq)
        case AccountObserved(at=at) | Reconciled(at=at):
            return replace(state, compared_at=at)
        case CashMoved(kind="opening", at=at):
            return replace(state, opened_at=state.opened_at or at)
        case OrderEvent():
            return _after_order_event(_with_ended(state, event, seq), event)
        case _:
            return state


def key_of(report: BrokerOrder, state: OmsState) -> OrderId:
    """Name the order that a report speaks of: our own id, or one derived from the broker's for a foreign order."""
    known = state.names.get(report.broker_order_id) or _sent_as(report, state)
    if known is None and report.replaces is not None:
        known = state.names.get(report.replaces)
    if known is not None:
        return known
    token = f"ext-{report.broker_order_id}"
    return OrderId(token if is_token(token) else f"ext-{report.broker_order_id.encode().hex()[:56]}")


def _sent_as(report: BrokerOrder, state: OmsState) -> OrderId | None:
    """Find the order that was sent under a report's client order id, as a replacement of its terms too."""
    ours = _OUR_ID.match(report.client_order_id)
    named = OrderId(report.client_order_id if ours is None else ours[1])
    return named if state.order(named) is not None else None


def _by_age(known: Iterable[OrderState]) -> tuple[OrderState, ...]:
    """Sort orders: a map gives them in the order of hashes, which differs from run to run."""
    return tuple(sorted(known, key=lambda order: (order.decision_seq, order.order_id)))


def names_of(known: Iterable[OrderState]) -> Map[str, OrderId]:
    """Name the broker's orders that are remembered."""
    return Map({broker_id: order.order_id for order in known for broker_id in broker_ids(order)})


def adopts_since(state: OmsState, now: datetime) -> datetime:
    """Say since when an ended foreign order counts: for a day, or since open books were last compared, if longer."""
    a_day_ago = now - LOOK_BACK
    if state.account.cash_usd is None or state.compared_at is None:
        return a_day_ago
    return min(a_day_ago, state.compared_at - OVERLAP)


def is_adoptable(report: BrokerOrder, state: OmsState, now: datetime) -> bool:
    """Say whether an order that the journal does not know must count from now on.

    An open one always. An ended one only while it is fresh and was not sent under an id of ours: those ended in
    an earlier life of this account, and what they left shows in its positions. So does what any order left that
    ended before our books were opened.
    """
    if report.status not in ENDED_AT_BROKER:
        return True
    if state.opened_at is not None and report.updated_at is not None and report.updated_at <= state.opened_at:
        return False
    fresh = report.submitted_at is not None and report.submitted_at > adopts_since(state, now)
    return fresh and _OUR_ID.match(report.client_order_id) is None


def _with_account(state: OmsState, new: AccountState) -> OmsState:
    """Take the account's next state, and keep what it let go at the end of a day."""
    if new.day.trading_day == state.account.day.trading_day:
        return replace(state, account=new)
    dropped = {order_id: order for order_id, order in state.account.orders.items() if order_id not in new.orders}
    aged = replace(state, account=new, ended_yesterday=Map(dropped), ended_before=state.ended_yesterday)
    return replace(aged, names=names_of(aged.all_orders()))


def to_cancel(decision: Decision) -> tuple[OrderId, ...]:
    """Name the orders that a decision wants canceled."""
    if decision.outcome is not Outcome.APPROVED:
        return ()
    if decision.action is Action.CANCEL and decision.order_id is not None:
        return (decision.order_id,)
    return decision.order_ids if decision.action is Action.CANCEL_ALL else ()


def _after_decision(state: OmsState, decision: Decision, seq: int) -> OmsState:
    if decision.action is Action.REPLACE and decision.outcome is Outcome.APPROVED and decision.order_id is not None:
        return _with_ended_order(state, decision.order_id, lambda order: with_replacement(order, decision, seq))
    cancels = state.cancels
    for order_id in to_cancel(decision):
        order = state.order(order_id)
        if order is not None and not order.is_terminal:
            cancels = cancels.set(order_id, CancelWish(requested_by=decision.agent, decision_seq=seq))
    return state if cancels is state.cancels else replace(state, cancels=cancels)


def _with_ended(state: OmsState, event: OrderEvent, seq: int) -> OmsState:
    """Fold an event of an order that the account let go already."""
    return _with_ended_order(state, event.order_id, lambda order: orders.evolve(order, event, seq))  # pyright: ignore[reportArgumentType] - every OrderEvent is one of the union


def _with_ended_order(state: OmsState, order_id: OrderId, change: Callable[[OrderState], OrderState]) -> OmsState:
    """Change an order that the account let go, wherever it is remembered; others stay as they are."""
    if (order := state.ended_yesterday.get(order_id)) is not None:
        return replace(state, ended_yesterday=state.ended_yesterday.set(order_id, change(order)))
    if (order := state.ended_before.get(order_id)) is not None:
        return replace(state, ended_before=state.ended_before.set(order_id, change(order)))
    return state


def _after_order_event(state: OmsState, event: OrderEvent) -> OmsState:
    """Learn the broker's name of an order; a cancel is answered by its record, or by the order's end."""
    if isinstance(event, (OrderAcknowledged, OrderReplaced, OrderLegAdded, OrderAdopted)):
        state = replace(state, names=state.names.set(event.broker_order_id, event.order_id))
    if event.order_id not in state.cancels:
        return state
    order = state.order(event.order_id)
    answered = isinstance(event, (OrderCancelRequested, OrderCancelRejected)) or order is None or order.is_terminal
    return replace(state, cancels=state.cancels.delete(event.order_id)) if answered else state


def is_unsent(order: OrderState) -> bool:
    """Say whether the journal knows nothing of this order but its approval."""
    return order.status is OrderStatus.PENDING_SUBMIT and not order.last_seq
