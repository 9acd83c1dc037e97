"""Whether what the broker shows traces to what risk approved: a count that shares no fold with risk or the OMS.

Every order the broker shows must be an approved decision's, an exit that such an order brought with it, or a
replacement that was approved too; in symbol and side as approved, and for no more shares. What is none of these is an
orphan: nobody here allowed it.
"""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from contracts.codec import JournalEvent
from contracts.controls import EpochTaken
from contracts.decisions import Decision
from contracts.enums import Action, OrderClass, Outcome, Side
from contracts.ids import OrderId, Symbol
from contracts.orders import OrderAcknowledged, OrderLegAdded, OrderReplaced, OrderTerms
from contracts.values import ZERO

REMEMBERED = timedelta(days=100)
"""How long an approval explains an order: longer than the 90 days that a gtc order can stand at Alpaca."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One order as the broker shows it to the watch; `parent_id` is the broker's id of the order that brought it."""

    broker_order_id: str
    client_order_id: str
    symbol: str
    side: str
    qty: Decimal | None
    filled_qty: Decimal
    status: str
    submitted_at: datetime | None
    replaces: str | None = None
    parent_id: str | None = None


class ShownFill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution as the broker's activities show it."""

    activity_id: str
    broker_order_id: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    at: datetime


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What does not trace, as somebody reads it who must act: what was approved, and what the broker shows."""

    broker_order_id: str
    approved: str
    shown: str


class _Approval(msgspec.Struct, kw_only=True):
    """What may be at the broker under one order's name."""

    order_id: OrderId
    symbol: Symbol
    side: Side
    exit_side: Side | None
    """Which way its exits go; none when it brings none."""
    most_qty: Decimal
    replaces_left: int = 0
    broker_order_ids: list[str]
    at: datetime


class Ledger:
    """The approvals of one journal, and which of the broker's orders are known to be theirs."""

    def __init__(self) -> None:
        """Begin with a journal that approved nothing."""
        self._approvals: dict[str, _Approval] = {}
        self._owner_of: dict[str, _Approval] = {}
        self._exits: set[str] = set()
        self.began_at: datetime | None = None
        """When this journal's first writer began: what the broker had before was nobody's to approve."""

    def take(self, event: JournalEvent) -> None:
        """Count one journal event."""
        match event:
            case Decision(outcome=Outcome.APPROVED):
                self._approve(event)
            case OrderAcknowledged(order_id=order_id, broker_order_id=broker_order_id):
                self._own(broker_order_id, order_id)
            case OrderReplaced(order_id=order_id, broker_order_id=broker_order_id):
                self._own_replacement(broker_order_id, order_id)
            case OrderLegAdded():
                self._own(event.broker_order_id, event.parent_id)
                self._exits.add(event.broker_order_id)
            case EpochTaken(at=at):
                self.began_at = self.began_at or at
            case _:
                return

    def fault_of(self, shown: Shown) -> Fault | None:
        """Say what is wrong with an order at the broker; one that traces is known by its id from then on."""
        approval = self._approval_of(shown)
        if approval is None:
            return _fault(shown, "nothing: no decision, exit or replacement of ours explains this order")
        side = (approval.exit_side if shown.broker_order_id in self._exits else None) or approval.side
        if shown.symbol != approval.symbol or not shown.side.startswith(side):
            return _fault(shown, f"{side} {approval.symbol} as {approval.order_id}")
        if max(shown.qty or ZERO, shown.filled_qty) > approval.most_qty:
            return _fault(shown, f"{approval.most_qty} shares at most as {approval.order_id}")
        return None

    def explains(self, fill: ShownFill) -> bool:
        """Say whether an execution belongs to an order that traces."""
        return self.owns(fill.broker_order_id)

    def owns(self, broker_order_id: str) -> bool:
        """Say whether one of the broker's orders is known to be an approval's."""
        return broker_order_id in self._owner_of

    def forget_before(self, moment: datetime) -> None:
        """Let approvals go whose orders can no longer stand."""
        for approval in [known for known in self._approvals.values() if known.at < moment - REMEMBERED]:
            del self._approvals[approval.order_id]
            for broker_order_id in approval.broker_order_ids:
                self._owner_of.pop(broker_order_id, None)
                self._exits.discard(broker_order_id)

    def _approve(self, decision: Decision) -> None:
        terms, order_id = decision.terms, decision.order_id
        if terms is None or order_id is None:
            return
        if decision.action is Action.REPLACE and (known := self._approvals.get(order_id)) is not None:
            known.replaces_left += 1
            known.most_qty = max(known.most_qty, terms.qty)
        elif decision.action is Action.SUBMIT:
            self._approvals[order_id] = _Approval(
                order_id=order_id,
                symbol=terms.symbol,
                side=terms.side,
                exit_side=_exit_side(terms),
                most_qty=terms.qty,
                broker_order_ids=[],
                at=decision.at,
            )

    def _own(self, broker_order_id: str, order_id: OrderId) -> None:
        approval = self._approvals.get(order_id)
        if approval is not None:
            self._remember(broker_order_id, approval)

    def _own_replacement(self, broker_order_id: str, order_id: OrderId) -> None:
        """Believe that this replaces its order only as often as risk approved it; exits resize on their own."""
        approval = self._approvals.get(order_id)
        if approval is None:
            parent = self._approvals.get(OrderId(order_id.rpartition("-")[0]))
            if parent is not None and parent.exit_side is not None:
                self._exits.add(broker_order_id)
                self._remember(broker_order_id, parent)
        elif broker_order_id not in self._owner_of:
            self._use_replacement(broker_order_id, approval)

    def _use_replacement(self, broker_order_id: str, approval: _Approval) -> _Approval | None:
        if not approval.replaces_left:
            return None
        approval.replaces_left -= 1
        return self._remember(broker_order_id, approval)

    def _approval_of(self, shown: Shown) -> _Approval | None:
        known = self._owner_of.get(shown.broker_order_id)
        return known or self._by_name(shown) or self._by_parent(shown) or self._by_chain(shown)

    def _by_name(self, shown: Shown) -> _Approval | None:
        approval = self._approvals.get(OrderId(shown.client_order_id))
        return None if approval is None else self._remember(shown.broker_order_id, approval)

    def _by_parent(self, shown: Shown) -> _Approval | None:
        parent = None if shown.parent_id is None else self._owner_of.get(shown.parent_id)
        if parent is None or parent.exit_side is None:
            return None
        self._exits.add(shown.broker_order_id)
        return self._remember(shown.broker_order_id, parent)

    def _by_chain(self, shown: Shown) -> _Approval | None:
        """Follow a replacement back; each needs an approval, except that the broker itself resizes exits."""
        replaced = None if shown.replaces is None else self._owner_of.get(shown.replaces)
        if replaced is None:
            return None
        if shown.replaces in self._exits:
            self._exits.add(shown.broker_order_id)
            return self._remember(shown.broker_order_id, replaced)
        return self._use_replacement(shown.broker_order_id, replaced)

    def _remember(self, broker_order_id: str, approval: _Approval) -> _Approval:
        self._owner_of[broker_order_id] = approval
        approval.broker_order_ids.append(broker_order_id)
        return approval


def _exit_side(terms: OrderTerms) -> Side | None:
    """Give the way an order's exits go: against it, but with it where the order is itself one of two exits."""
    if terms.order_class is OrderClass.SIMPLE:
        return None
    if terms.order_class is OrderClass.OCO:
        return terms.side
    return Side.SELL if terms.side is Side.BUY else Side.BUY


def _fault(shown: Shown, approved: str) -> Fault:
    qty = "an amount" if shown.qty is None else str(shown.qty)
    told = f"{shown.side} {qty} {shown.symbol}, {shown.filled_qty} filled, {shown.status}, {shown.client_order_id!r}"
    return Fault(broker_order_id=shown.broker_order_id, approved=approved, shown=told)
