"""The journal read the naive way: from scratch, with lists and dictionaries, and none of the folds under test."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from contracts.codec import JournalEvent
from contracts.controls import EpochTaken
from contracts.decisions import Decision
from contracts.enums import Side
from services.runtime.ports import Recorded

ZERO = Decimal(0)
ENDINGS = {"order.canceled": "canceled", "order.expired": "expired", "order.rejected": "rejected"}
WRITERS = {"decision": "risk", "order": "oms", "broker": "oms", "audit": "audit"}


def tag(recorded: Recorded) -> str:
    """Read the wire name off the bytes, without its version."""
    return recorded.body.split(b'"', 4)[3].decode().rsplit(".", 1)[0]


@dataclass(slots=True)
class Entry:
    """One journal message that counts."""

    seq: int
    tag: str
    event: JournalEvent


def valid(journal: list[Recorded]) -> Iterator[Entry]:
    """Leave out what was written under an epoch that was over: its role's next owner stood in the journal before."""
    epochs = {"risk": 0, "oms": 0, "audit": 0, "gateway": 0}
    for recorded in journal:
        name, event = tag(recorded), recorded.event
        if isinstance(event, EpochTaken):
            epochs[event.role] = max(epochs[event.role], event.epoch)
        writer = WRITERS.get(name.split(".")[0])
        if writer is None or event.epoch >= epochs[writer]:
            yield Entry(recorded.seq, name, event)


@dataclass(slots=True)
class NaiveOrder:
    """One order as its events leave it."""

    order_id: str
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    reduces: bool
    is_foreign: bool = False
    fills: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    ended: str | None = None
    held: bool = False
    group: str | None = None
    wanted: tuple[Decimal, Decimal] | None = None
    """Quantity and price of an approved replacement that is not answered."""
    filled_qty: Decimal = ZERO
    filled_usd: Decimal = ZERO

    def put_fill(self, fill_id: str, qty: Decimal, price: Decimal) -> None:
        """Put an execution in the place of what stood under its id, and sum everything up again."""
        self.fills[fill_id] = (qty, price)
        self.filled_qty = sum((one for one, _ in self.fills.values()), ZERO)
        self.filled_usd = sum((one * at for one, at in self.fills.values()), ZERO)

    @property
    def status(self) -> str:
        """Say how it ended, from quantities first."""
        return "filled" if self.filled_qty >= self.qty else self.ended or "open"

    @property
    def open_qty(self) -> Decimal:
        if self.status != "open" or self.held:
            return ZERO
        wanted = self.qty if self.wanted is None else max(self.qty, self.wanted[0])
        return wanted - self.filled_qty

    @property
    def worst_price(self) -> Decimal:
        return self.price if self.wanted is None else max(self.price, self.wanted[1])

    @property
    def sign(self) -> int:
        return 1 if self.side is Side.BUY else -1


class NaiveBook:
    """Orders and positions, one event after the other."""

    def __init__(self) -> None:
        self.orders: dict[str, NaiveOrder] = {}
        self.adopted: dict[str, Decimal] = {}
        self.marks: dict[str, Decimal] = {}
        self.strange: list[int] = []
        """Sequences of fills of orders that no valid message began."""

    def take(self, entry: Entry) -> None:
        """Apply one event that counts."""
        event = entry.event
        match entry.tag:
            case "decision":
                self._decided(event)
            case "order.adopted" | "order.leg_added":
                self._begun(entry)
            case "order.filled":
                self._filled(entry)
            case "broker.position_adopted":
                self.adopted[event.symbol] = self.adopted.get(event.symbol, ZERO) + event.qty
                self._mark(event.symbol, event.price)
            case "broker.account_observed":
                self._observed(event)
            case _ if entry.tag.startswith("order."):
                self._moved(entry)
            case _:
                pass

    def position(self, symbol: str) -> Decimal:
        filled = sum((o.sign * o.filled_qty for o in self.orders.values() if o.symbol == symbol), ZERO)
        return filled + self.adopted.get(symbol, ZERO)

    def symbols(self) -> set[str]:
        """Name the symbols in which anything was ever executed or adopted."""
        return {order.symbol for order in self.orders.values() if order.fills}.union(self.adopted)

    def _observed(self, event: JournalEvent) -> None:
        for position in event.positions:
            if position.current_price is not None and position.symbol in self.symbols():
                self._mark(position.symbol, position.current_price)

    def _decided(self, event: JournalEvent) -> None:
        if not isinstance(event, Decision) or event.outcome != "approved":
            return
        if event.terms is None or event.reservation is None or event.order_id is None:
            return
        if event.action == "replace":
            if (known := self.orders.get(event.order_id)) is not None and known.status == "open":
                known.wanted = (event.terms.qty, event.reservation.price_usd)
            return
        self.orders[event.order_id] = NaiveOrder(
            order_id=event.order_id,
            symbol=event.terms.symbol,
            side=event.terms.side,
            qty=event.terms.qty,
            price=event.reservation.price_usd,
            reduces=event.reservation.reduces,
            group=event.order_id if event.terms.order_class == "oco" else None,
        )
        quote = event.evidence.quote
        if quote is not None and not event.reservation.reduces:
            self._mark(event.terms.symbol, (quote.bid_price + quote.ask_price) / 2)

    def _begun(self, entry: Entry) -> None:
        event, is_leg = entry.event, entry.tag == "order.leg_added"
        terms = event.terms
        prices = [price for price in (terms.limit_price, terms.stop_price) if price is not None]
        self.orders[event.order_id] = NaiveOrder(
            order_id=event.order_id,
            symbol=terms.symbol,
            side=terms.side,
            qty=terms.qty,
            price=max(prices, default=self.marks.get(terms.symbol, ZERO)),
            reduces=is_leg,
            is_foreign=not is_leg,
            held=is_leg,
            group=event.parent_id if is_leg else None,
        )

    def _filled(self, entry: Entry) -> None:
        event, order = entry.event, self.orders.get(entry.event.order_id)
        if order is None:
            self.strange.append(entry.seq)
            return
        if event.fill_id in order.fills:
            return
        order.put_fill(event.fill_id, event.qty, event.price)
        self._mark(order.symbol, event.price)

    def _moved(self, entry: Entry) -> None:
        event, order = entry.event, self.orders.get(entry.event.order_id)
        if order is None:
            return
        match entry.tag:
            case "order.canceled" | "order.expired" | "order.rejected":
                order.ended = order.ended or (None if order.status != "open" else ENDINGS[entry.tag])
            case "order.working":
                order.held = False
            case "order.replaced":
                order.price = self._replaced_price(order, event)
                order.qty, order.wanted = event.terms.qty, None
            case "order.replace_rejected":
                order.wanted = None
            case "order.busted":
                self._busted(order, event)
            case "order.corrected":
                order.put_fill(event.fill_id, ZERO, event.old_price)
                order.put_fill(event.new_fill_id, event.qty, event.price)
            case _:
                pass

    def _busted(self, order: NaiveOrder, event: JournalEvent) -> None:
        """Take an execution out; one that was never told on its own is taken out of the totals."""
        known = event.fill_id in order.fills
        order.put_fill(event.fill_id, ZERO if known else -event.qty, event.price)

    def _replaced_price(self, order: NaiveOrder, event: JournalEvent) -> Decimal:
        if order.wanted is not None and order.wanted[0] == event.terms.qty:
            return order.wanted[1]
        return max(order.worst_price, event.terms.limit_price or ZERO)

    def _mark(self, symbol: str, price: Decimal) -> None:
        if price.is_finite() and price > 0:
            self.marks[symbol] = price
