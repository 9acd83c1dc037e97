"""What we ask the broker to do, and what became of it. Quantities are shares, prices USD per share."""

from decimal import Decimal

from contracts.base import Event, Moment, Value
from contracts.enums import EndCause, OrderType, Side, TimeInForce
from contracts.ids import AgentId, FillId, OrderId, Symbol
from contracts.reasons import RejectionCode


class OrderTerms(Value, frozen=True, kw_only=True):
    """What exactly is asked of the broker."""

    symbol: Symbol
    side: Side
    order_type: OrderType
    qty: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    extended_hours: bool = False


class OrderEvent(Event, frozen=True, kw_only=True):
    """A step in one order's life."""

    order_id: OrderId


class OrderAcknowledged(OrderEvent, frozen=True, kw_only=True, tag="order.acknowledged.v1"):
    """The broker has the order under its own id."""

    broker_order_id: str
    broker_status: str


class OrderWorking(OrderEvent, frozen=True, kw_only=True, tag="order.working.v1"):
    """The order stands at the venue."""

    broker_status: str


class OrderUnknown(OrderEvent, frozen=True, kw_only=True, tag="order.unknown.v1"):
    """The submit was sent and its fate is not known; nothing is assumed until the broker says."""

    detail: str


class OrderFilled(OrderEvent, frozen=True, kw_only=True, tag="order.filled.v1"):
    """One execution; `fill_id` is the broker's execution id, or derived from the cumulative quantity."""

    fill_id: FillId
    symbol: Symbol
    side: Side
    qty: Decimal
    price: Decimal
    cum_qty: Decimal
    filled_at: Moment
    recovered: bool = False


class OrderCancelRequested(OrderEvent, frozen=True, kw_only=True, tag="order.cancel_requested.v1"):
    """We asked the broker to cancel; fills may still come."""

    requested_by: AgentId


class OrderCancelRejected(OrderEvent, frozen=True, kw_only=True, tag="order.cancel_rejected.v1"):
    """The broker would not cancel; the order stands as it was."""

    detail: str


class OrderCanceled(OrderEvent, frozen=True, kw_only=True, tag="order.canceled.v1"):
    """The order is canceled; what was filled before stays filled."""

    cause: EndCause = EndCause.BROKER


class OrderExpired(OrderEvent, frozen=True, kw_only=True, tag="order.expired.v1"):
    """The order's time ran out: at the broker, or before it was ever sent."""

    cause: EndCause = EndCause.BROKER


class OrderRejected(OrderEvent, frozen=True, kw_only=True, tag="order.rejected.v1"):
    """The broker refused the order."""

    code: RejectionCode
    broker_code: str
    message: str


class OrderReplaced(OrderEvent, frozen=True, kw_only=True, tag="order.replaced.v1"):
    """The broker gave the order new terms and a new id of its own; for us it stays one order."""

    broker_order_id: str
    terms: OrderTerms


class OrderReported(OrderEvent, frozen=True, kw_only=True, tag="order.reported.v1"):
    """The broker reported something that moves no quantity and that we keep on the record as it came."""

    broker_event: str
    broker_status: str
    detail: str = ""


class OrderAdopted(OrderEvent, frozen=True, kw_only=True, tag="order.adopted.v1"):
    """An order that we did not send stands at the broker; from now on it counts in our exposure."""

    agent: AgentId
    client_order_id: str
    broker_order_id: str
    broker_status: str
    terms: OrderTerms


type AnyOrderEvent = (
    OrderAcknowledged
    | OrderWorking
    | OrderUnknown
    | OrderFilled
    | OrderCancelRequested
    | OrderCancelRejected
    | OrderCanceled
    | OrderExpired
    | OrderRejected
    | OrderReplaced
    | OrderReported
    | OrderAdopted
)
