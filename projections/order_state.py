"""One order as the journal tells it, and the three ways in which an order's life begins."""

from datetime import datetime
from decimal import Decimal

from immutables import Map
from msgspec.structs import replace

from contracts.base import Value
from contracts.decisions import Decision
from contracts.enums import Action, EndCause, LegRole, OrderClass, OrderStatus, Outcome
from contracts.ids import AgentId, FillId, IntentId, OrderId, leg_id_for
from contracts.market import is_sane
from contracts.orders import OrderAdopted, OrderLegAdded, OrderTerms
from contracts.values import ZERO

S = OrderStatus

TERMINAL = frozenset({S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED, S.REPLACED})
"""Nothing more is expected here; a late fill is accepted all the same."""
PENDING = frozenset({S.PENDING_CANCEL, S.PENDING_REPLACE})
"""A request of ours is at the broker; the order still works under it."""


class Execution(Value, frozen=True, kw_only=True):
    """Shares and their price (USD per share); no shares once the venue took the execution back."""

    qty: Decimal
    price: Decimal


class BrokerPart(Value, frozen=True, kw_only=True):
    """What one of the broker's own orders contributed to a chain of replacements.

    `carried_qty`, worth `carried_usd`, stands in that order's totals though earlier ones filled it.
    """

    broker_order_id: str
    carried_qty: Decimal = ZERO
    carried_usd: Decimal = ZERO
    filled_qty: Decimal = ZERO
    filled_usd: Decimal = ZERO


class Replacement(Value, frozen=True, kw_only=True):
    """New terms that risk approved and the broker has not answered; both may fill, so the worse of both counts."""

    terms: OrderTerms
    worst_price: Decimal
    requested_by: AgentId
    decision_seq: int
    valid_until: datetime | None


class OrderState(Value, frozen=True, kw_only=True):
    """One order as the journal tells it; `worst_price` is what its reservation was sized at (USD per share)."""

    order_id: OrderId
    agent: AgentId
    intent_id: IntentId | None
    terms: OrderTerms
    worst_price: Decimal
    reduces: bool
    status: OrderStatus
    resting: OrderStatus
    """The status to fall back to when a cancel or replace is refused."""
    decision_seq: int
    valid_until: datetime | None
    last_seq: int = 0
    """Last journal sequence on the order's own subject: what a writer must expect."""
    broker_order_id: str | None = None
    filled_qty: Decimal = ZERO
    filled_notional_usd: Decimal = ZERO
    fills: Map[FillId, Execution] = Map()
    parts: tuple[BrokerPart, ...] = ()
    """One for each of the broker's orders, oldest first, once there has been more than one."""
    replacement: Replacement | None = None
    group_id: OrderId | None = None
    """The exits that cancel one another share it, so only the largest of them counts."""
    role: LegRole | None = None
    strategy: str | None = None
    """The strategy that its agent named."""
    quoted_mid: Decimal | None = None
    """The middle of the quote on which its risk was approved (USD per share); none where no control looked at one."""
    approved_at: datetime | None = None
    """When risk approved it; none for an order that we did not send."""
    ending: EndCause | None = None
    """Why the OMS asked for the order's end by itself, while it waits for it."""
    detail: str = ""

    @property
    def is_terminal(self) -> bool:
        """Say whether the order's life is over."""
        return self.status in TERMINAL

    @property
    def most_qty(self) -> Decimal:
        """Give the most shares the order is for, under its terms or those that are asked for."""
        return self.terms.qty if self.replacement is None else max(self.terms.qty, self.replacement.terms.qty)

    @property
    def working_qty(self) -> Decimal:
        """Give the shares that may still fill; an exit held back by its entry has none yet."""
        if self.is_terminal or self.status is S.HELD:
            return ZERO
        return max(self.most_qty - self.filled_qty, ZERO)

    @property
    def reserved_price(self) -> Decimal:
        """Give the worst price at which working shares may fill (USD per share)."""
        return self.worst_price if self.replacement is None else max(self.worst_price, self.replacement.worst_price)

    @property
    def avg_price(self) -> Decimal | None:
        """Give the average fill price (USD per share): filled notional ÷ filled quantity."""
        return self.filled_notional_usd / self.filled_qty if self.filled_qty else None

    def part(self, broker_order_id: str) -> BrokerPart:
        """Give what one of the broker's orders contributed, nothing when it is not known."""
        if not self.parts and broker_order_id == self.broker_order_id:
            return BrokerPart(
                broker_order_id=broker_order_id, filled_qty=self.filled_qty, filled_usd=self.filled_notional_usd
            )
        known = (part for part in self.parts if part.broker_order_id == broker_order_id)
        return next(known, BrokerPart(broker_order_id=broker_order_id))


def order_from_decision(decision: Decision, seq: int) -> OrderState | None:
    """Begin an order's life from its approval; other decisions begin none."""
    approved = decision.outcome is Outcome.APPROVED and decision.action is Action.SUBMIT
    if not approved or decision.order_id is None or decision.terms is None or decision.reservation is None:
        return None
    return OrderState(
        order_id=decision.order_id,
        agent=decision.on_behalf_of or decision.agent,
        intent_id=_begun_by(decision),
        terms=decision.terms,
        worst_price=decision.reservation.price_usd,
        reduces=decision.reservation.reduces,
        status=S.PENDING_SUBMIT,
        resting=S.PENDING_SUBMIT,
        decision_seq=seq,
        valid_until=decision.valid_until,
        group_id=decision.order_id if decision.terms.order_class is OrderClass.OCO else None,
        role=LegRole.TAKE_PROFIT if decision.terms.order_class is OrderClass.OCO else None,
        strategy=decision.strategy,
        quoted_mid=_quoted_mid(decision),
        approved_at=decision.evidence.decided_at,
    )


def _begun_by(decision: Decision) -> IntentId:
    """Name the intent of the order's agent; the one that an operator let go, where that is what was decided."""
    if decision.on_behalf_of is None:
        return decision.intent_id
    return IntentId(decision.correlation_id or decision.intent_id)


def order_from_adoption(event: OrderAdopted, seq: int) -> OrderState:
    """Begin the life of an order that we did not send; market orders are sized at zero until they fill."""
    return OrderState(
        order_id=event.order_id,
        agent=event.agent,
        intent_id=None,
        terms=event.terms,
        worst_price=event.terms.limit_price or event.terms.stop_price or ZERO,
        reduces=False,
        status=S.WORKING,
        resting=S.WORKING,
        decision_seq=seq,
        valid_until=None,
        last_seq=seq,
        broker_order_id=event.broker_order_id,
    )


def order_from_leg(event: OrderLegAdded, parent: OrderState | None, seq: int) -> OrderState:
    """Begin the life of an exit that its parent brought; it is held until the broker says that it works."""
    prices = (event.terms.limit_price, event.terms.stop_price, parent.worst_price if parent else None)
    return OrderState(
        order_id=event.order_id,
        agent=event.agent,
        intent_id=parent.intent_id if parent else None,
        terms=event.terms,
        worst_price=max((price for price in prices if price is not None), default=ZERO),
        reduces=True,
        status=S.HELD,
        resting=S.HELD,
        decision_seq=parent.decision_seq if parent else seq,
        valid_until=None,
        last_seq=seq,
        broker_order_id=event.broker_order_id,
        group_id=event.parent_id,
        role=event.role,
        strategy=parent.strategy if parent else None,
    )


def group_ids(group_id: OrderId) -> tuple[OrderId, ...]:
    """Name every order that may belong to a group of exits."""
    return (group_id, *(leg_id_for(group_id, role) for role in LegRole))


def with_replacement(order: OrderState, decision: Decision, seq: int) -> OrderState:
    """Reserve for new terms that risk approved, beside those that stand.

    An order may have ended before the approval stood in the journal, which risk had not read when it decided: there
    the new terms reserve nothing, but they still want their answer, for risk counts on them until it comes.
    """
    if decision.terms is None or decision.reservation is None:
        return order
    approved = Replacement(
        terms=decision.terms,
        worst_price=decision.reservation.price_usd,
        requested_by=decision.agent,
        decision_seq=seq,
        valid_until=decision.valid_until,
    )
    return replace(order, replacement=approved, quoted_mid=_quoted_mid(decision) or order.quoted_mid)


def _quoted_mid(decision: Decision) -> Decimal | None:
    quote, reservation = decision.evidence.quote, decision.reservation
    if quote is None or reservation is None or reservation.reduces or not is_sane(quote):
        return None
    return (quote.bid_price + quote.ask_price) / 2
