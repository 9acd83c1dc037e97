"""Orders, prices and holdings as the simulated broker keeps them."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from contracts.enums import LegRole, OrderClass, OrderType, Side, TimeInForce
from contracts.ids import OrderId, leg_id_for
from contracts.orders import OrderTerms
from services.oms.brokers.port import BrokerOrder, Changes

ZERO = Decimal(0)
ENDED = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})
ASKED = frozenset({"pending_cancel", "pending_replace"})
AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})
STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})


@dataclass(slots=True, eq=False)
class VenueOrder:
    """One order as the broker has it."""

    number: int
    client_order_id: str
    terms: OrderTerms
    submitted_at: datetime
    updated_at: datetime
    status: str = "pending_new"
    filled_qty: Decimal = ZERO
    filled_usd: Decimal = ZERO
    filled_at: datetime | None = None
    replaced_at: datetime | None = None
    cancel_asked: bool = False
    triggered: bool = False
    old: "VenueOrder | None" = None
    """The order whose place this one takes, or was to take."""
    new: "VenueOrder | None" = None
    """The order that took this one's place."""
    carried: tuple[Decimal, Decimal] = (ZERO, ZERO)
    """Shares, and USD, that it shows as filled though the order before it filled them."""
    parent: "VenueOrder | None" = None
    role: LegRole | None = None
    legs: list["VenueOrder"] = field(default_factory=list)

    @property
    def broker_order_id(self) -> str:
        return f"venue-{self.number:05}"

    @property
    def is_open(self) -> bool:
        return self.status not in ENDED

    @property
    def is_waiting(self) -> bool:
        return self.status == "held"

    @property
    def is_ours(self) -> bool:
        return self.root.client_order_id.startswith("lg-") or (self.root.parent is not None)

    @property
    def root(self) -> "VenueOrder":
        """Give the first order of a chain of replacements."""
        return self if self.old is None else self.old.root

    @property
    def name(self) -> str:
        """Give the name that the journal must have for the order, or for the chain that it is part of."""
        root = self.root
        if root.parent is not None and root.role is not None:
            return leg_id_for(OrderId(root.parent.name), root.role)
        return root.client_order_id if self.is_ours else f"ext-{root.broker_order_id}"

    @property
    def own_fills(self) -> tuple[Decimal, Decimal]:
        """Give shares and USD that this very order filled."""
        return self.filled_qty - self.carried[0], self.filled_usd - self.carried[1]

    def price_for(self, quoted: "Quoted") -> Decimal | None:
        """Give the price at which the market meets the order now; a stop must have been reached first."""
        terms, price = self.terms, quoted.ask if self.terms.side is Side.BUY else quoted.bid
        buys = terms.side is Side.BUY
        if terms.order_type in STOPS and terms.stop_price is not None and not self.triggered:
            self.triggered = price >= terms.stop_price if buys else price <= terms.stop_price
            if not self.triggered:
                return None
        if terms.limit_price is None:
            return price
        return price if (terms.limit_price >= price if buys else terms.limit_price <= price) else None

    def shown(self, *, nested: bool = False) -> BrokerOrder:
        """Show it as an answer or an update does; only a look-up shows its exits."""
        return BrokerOrder(
            broker_order_id=self.broker_order_id,
            client_order_id=self.client_order_id,
            status=self.status,
            symbol=self.terms.symbol,
            side=self.terms.side,
            terms=replace(self.terms, take_profit=None, stop_loss=None),
            filled_qty=self.filled_qty,
            filled_avg_price=self.filled_usd / self.filled_qty if self.filled_qty else None,
            submitted_at=self.submitted_at,
            updated_at=self.updated_at,
            filled_at=self.filled_at,
            replaced_at=self.replaced_at,
            replaces=None if self.old is None else self.old.broker_order_id,
            replaced_by=None if self.new is None else self.new.broker_order_id,
            order_class=self.terms.order_class,
            role=self.role,
            legs=tuple(leg.shown() for leg in self.legs) if nested else (),
        )


def changed(terms: OrderTerms, changes: Changes) -> OrderTerms:
    """Give terms with what a replacement asks for."""
    given = {name: getattr(changes, name) for name in ("qty", "limit_price", "stop_price", "time_in_force")}
    return replace(terms, **{name: value for name, value in given.items() if value is not None})


def exits_of(terms: OrderTerms) -> list[tuple[LegRole, OrderTerms]]:
    """Write the exits that an order brings; those of an OCO are on its own side."""
    other = Side.SELL if terms.side is Side.BUY else Side.BUY
    is_oco = terms.order_class is OrderClass.OCO
    bare = OrderTerms(
        symbol=terms.symbol,
        side=terms.side if is_oco else other,
        order_type=OrderType.LIMIT,
        qty=terms.qty,
        time_in_force=terms.time_in_force,
        order_class=terms.order_class,
    )
    found: list[tuple[LegRole, OrderTerms]] = []
    if terms.take_profit is not None and not is_oco:
        found.append((LegRole.TAKE_PROFIT, replace(bare, limit_price=terms.take_profit.limit_price)))
    if terms.stop_loss is not None:
        limit = terms.stop_loss.limit_price
        kind = OrderType.STOP if limit is None else OrderType.STOP_LIMIT
        stop = replace(bare, order_type=kind, stop_price=terms.stop_loss.stop_price, limit_price=limit)
        found.append((LegRole.STOP_LOSS, stop))
    return found


@dataclass(slots=True)
class Quoted:
    """What the market bids and asks, USD per share."""

    bid: Decimal
    ask: Decimal


@dataclass(slots=True)
class Holding:
    """Shares held (negative: short) and what they cost in all, by average cost."""

    qty: Decimal = ZERO
    average: Decimal = ZERO


def move(held: Holding, change: Decimal, price: Decimal) -> None:
    """Apply an execution by average cost; a fill through zero opens the rest at its own price."""
    qty = held.qty + change
    if not qty:
        held.average = ZERO
    elif held.qty * change >= 0:
        held.average = (held.qty * held.average + change * price) / qty
    elif held.qty * qty < 0:
        held.average = price
    held.qty = qty
