"""Trade updates as the broker tells them, and the changes one action leaves to be stored and sent."""

from datetime import date, datetime
from decimal import Decimal

import msgspec
from msgspec import UNSET, UnsetType

from services.simulator.core.cash import CashActivity
from services.simulator.core.orders import Order, Ticket
from services.simulator.core.positions import FillActivity


class StreamOrder(Order, frozen=True, kw_only=True):
    """The order inside a trade update: the REST form and when a cancel was asked for."""

    cancel_requested_at: datetime | None = None


class TradeUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """The data of one trade_updates frame; fields an event does not have are absent, not null."""

    at: datetime
    event_id: str
    event: str
    timestamp: datetime
    order: StreamOrder
    execution_id: str | UnsetType = UNSET
    previous_execution_id: str | UnsetType = UNSET
    price: Decimal | UnsetType = UNSET
    qty: Decimal | UnsetType = UNSET
    position_qty: Decimal | UnsetType = UNSET
    settle_date: date | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class Changes(msgspec.Struct):
    """Everything an action touched: the shell stores it in one transaction, then sends the updates."""

    tickets: dict[str, Ticket] = msgspec.field(default_factory=dict[str, Ticket])
    symbols: set[str] = msgspec.field(default_factory=set[str])
    activities: list[FillActivity | CashActivity] = msgspec.field(default_factory=list[FillActivity | CashActivity])
    updates: list[TradeUpdate] = msgspec.field(default_factory=list[TradeUpdate])
    account: bool = False

    def __bool__(self) -> bool:
        """Say whether there is anything to store or send."""
        return bool(self.tickets or self.symbols or self.activities or self.updates or self.account)


def stream_order(ticket: Ticket) -> StreamOrder:
    """Return the order of a ticket in the form trade updates carry."""
    return StreamOrder(**msgspec.structs.asdict(ticket.order), cancel_requested_at=ticket.cancel_requested_at)
