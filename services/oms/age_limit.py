"""Entries that work for longer than the limits allow: the OMS asks the broker for their end by itself.

Exits stay, however old: they protect what is held. What the broker has not confirmed ends with its decision's time.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from contracts.enums import OrderStatus
from contracts.ids import AgentId, OrderId
from projections.account import AccountState
from projections.order_state import OrderState

ITSELF = AgentId("_oms")
"""Who asked, on the record, where no agent and no person did."""
ASK_AGAIN_AFTER = timedelta(seconds=30)
"""A cancel that came to nothing is asked for again, but not at once."""
AT_ONCE_MAX = 200
"""So many are asked for in one look; the next look takes the rest."""
_MS = timedelta(milliseconds=1)


def too_old(account: AccountState, now: datetime) -> Iterator[OrderId]:
    """Name the entries of ours that were approved longer ago than the limit allows, none where there is none."""
    limits = account.limits
    if limits is None or limits.open_order_age_max_ms is None:
        return
    edge = now - limits.open_order_age_max_ms * _MS
    for order in account.orders.values():
        if order.approved_at is not None and order.approved_at < edge and _is_entry_at_broker(order):
            yield order.order_id


def _is_entry_at_broker(order: OrderState) -> bool:
    if order.reduces or order.is_terminal or order.status is OrderStatus.PENDING_CANCEL:
        return False
    return order.broker_order_id is not None


class AgeLimit:
    """Remembers which entries the broker was asked to end, and when."""

    def __init__(self) -> None:
        """Begin with nothing asked."""
        self._asked: dict[OrderId, datetime] = {}

    def due(self, account: AccountState, now: datetime) -> list[OrderId]:
        """Give the entries whose end is to be asked for now, oldest id first."""
        old = sorted(too_old(account, now))
        asked = {order_id: self._asked[order_id] for order_id in old if order_id in self._asked}
        due = [one for one in old if one not in asked or now - asked[one] >= ASK_AGAIN_AFTER][:AT_ONCE_MAX]
        self._asked = asked | dict.fromkeys(due, now)
        return due
