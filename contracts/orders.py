"""What we ask the broker to do, and what became of it. Quantities are shares, prices USD per share."""

from decimal import Decimal

from contracts.base import Event, Moment, Value
from contracts.enums import EndCause, LegRole, OrderClass, OrderType, Side, TimeInForce
from contracts.ids import AgentId, FillId, OrderId, Symbol
from contracts.intents import StopLoss, TakeProfit
from contracts.reasons import RejectionCode
from contracts.values import ZERO


class OrderTerms(Value, frozen=True, kw_only=True):
    """What exactly is asked of the broker.

    Where `notional_usd` is given, the broker is asked for that amount, and `qty` is the most shares it can become.
    """

    symbol: Symbol
    side: Side
    order_type: OrderType
    qty: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    extended_hours: bool = False
    notional_usd: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    order_class: OrderClass = OrderClass.SIMPLE
    take_profit: TakeProfit | None = None
    stop_loss: StopLoss | None = None


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
    """One execution; `fill_id` is the broker's execution id, or derived from the cumulative quantity.

    `broker_order_id` tells which of the broker's orders filled, where replacements have made more than one.
    """

    fill_id: FillId
    symbol: Symbol
    side: Side
    qty: Decimal
    price: Decimal
    cum_qty: Decimal
    filled_at: Moment
    recovered: bool = False
    broker_order_id: str | None = None


class OrderCancelRequested(OrderEvent, frozen=True, kw_only=True, tag="order.cancel_requested.v1"):
    """We asked the broker to cancel; fills may still come. `cause` says why, where no agent and no person asked."""

    requested_by: AgentId
    cause: EndCause | None = None


class OrderCancelRejected(OrderEvent, frozen=True, kw_only=True, tag="order.cancel_rejected.v1"):
    """The broker would not cancel; the order stands as it was."""

    detail: str


class OrderReplaceRequested(OrderEvent, frozen=True, kw_only=True, tag="order.replace_requested.v1"):
    """We ask the broker for new terms; until it answers either terms may fill."""

    requested_by: AgentId
    decision_seq: int


class OrderReplaceRejected(OrderEvent, frozen=True, kw_only=True, tag="order.replace_rejected.v1"):
    """The new terms were never asked for, or the broker would not have them; the order stands as it was."""

    detail: str


class OrderHeld(OrderEvent, frozen=True, kw_only=True, tag="order.held.v1"):
    """The order waits at the broker for its entry to fill."""

    broker_status: str


class OrderSuspended(OrderEvent, frozen=True, kw_only=True, tag="order.suspended.v1"):
    """The order stands at the broker but may not trade now."""

    broker_status: str


class OrderDoneForDay(OrderEvent, frozen=True, kw_only=True, tag="order.done_for_day.v1"):
    """The order will not trade again today."""

    broker_status: str


class OrderCompleted(OrderEvent, frozen=True, kw_only=True, tag="order.completed.v1"):
    """The broker says that nothing is left to fill, though fewer shares were filled than the order could become."""

    cum_qty: Decimal


class OrderBusted(OrderEvent, frozen=True, kw_only=True, tag="order.busted.v1"):
    """An execution was undone by the venue; `qty` and `price` are those of the fill that no longer counts.

    `broker_order_id` tells out of whose totals it went, where replacements have made more than one.
    """

    fill_id: FillId
    qty: Decimal
    price: Decimal
    detail: str = ""
    broker_order_id: str | None = None


class OrderCorrected(OrderEvent, frozen=True, kw_only=True, tag="order.corrected.v1"):
    """An execution was corrected by the venue: the old fill no longer counts, the new one does in its place."""

    fill_id: FillId
    old_qty: Decimal
    old_price: Decimal
    new_fill_id: FillId
    qty: Decimal
    price: Decimal
    detail: str = ""
    broker_order_id: str | None = None


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
    """The broker gave the order new terms and a new id of its own; for us it stays one order.

    `terms` are the whole order's; `carried_qty` of its shares were filled before and count in the new one's totals.
    """

    broker_order_id: str
    terms: OrderTerms
    carried_qty: Decimal = ZERO


class OrderReported(OrderEvent, frozen=True, kw_only=True, tag="order.reported.v1"):
    """The broker reported something that moves no quantity and that we keep on the record as it came."""

    broker_event: str
    broker_status: str
    detail: str = ""


class OrderLegAdded(OrderEvent, frozen=True, kw_only=True, tag="order.leg_added.v1"):
    """The broker made an exit that our order brought with it; it begins a life of its own under a name of ours."""

    agent: AgentId
    parent_id: OrderId
    role: LegRole
    client_order_id: str
    broker_order_id: str
    broker_status: str
    terms: OrderTerms


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
    | OrderReplaceRequested
    | OrderReplaceRejected
    | OrderReplaced
    | OrderHeld
    | OrderSuspended
    | OrderDoneForDay
    | OrderCompleted
    | OrderBusted
    | OrderCorrected
    | OrderReported
    | OrderLegAdded
    | OrderAdopted
)
