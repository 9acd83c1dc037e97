"""The book of the in-memory broker: orders, positions and cash of one account, matched against set quotes.

Orders are kept under their client order id. A replacement takes over at once, unless requests are told to linger;
it starts at zero with what the old order left, or carries the old totals on, as told.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

from msgspec.structs import replace

from contracts.broker import ObservedPosition
from contracts.enums import LegRole, OrderClass, OrderType, Side, TimeInForce
from contracts.ids import OrderId, Symbol
from contracts.orders import OrderTerms
from contracts.values import ZERO
from services.oms.brokers.memory_forms import bare, changed, exits
from services.oms.brokers.memory_matching import Holding, Quoted, is_triggered, met_at, peak_after
from services.oms.brokers.port import BrokerFill, BrokerOrder, BrokerUpdate, Changes
from services.runtime.ports import Clock

ENDED = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})
_ASKED = frozenset({"pending_cancel", "pending_replace"})
_IRREPLACEABLE = frozenset({"accepted", "pending_new", *_ASKED, *ENDED})
_MATCHABLE = frozenset({"new", "partially_filled", *_ASKED})
_NANO = Decimal("0.000000001")


@dataclass(slots=True)
class About:
    """What the book knows of an order beside what it shows."""

    terms: OrderTerms
    parent: OrderId | None = None
    waiting: bool = False
    triggered: bool = False
    peak: Decimal | None = None
    old: OrderId | None = None
    """The order whose place this one is to take, until it has."""


@dataclass(frozen=True, slots=True)
class Executed:
    """One execution as it counts now."""

    execution_id: str
    order_id: OrderId
    qty: Decimal
    price: Decimal


@dataclass(slots=True)
class MemoryBook:
    """Everything the broker knows; each method is one action and returns the updates that it causes."""

    clock: Clock
    cash_usd: Decimal
    carries_fills: bool = False
    orders: dict[OrderId, BrokerOrder] = field(default_factory=dict)
    fills: list[BrokerFill] = field(default_factory=list)
    executions: dict[str, Executed] = field(default_factory=dict)
    holdings: dict[Symbol, Holding] = field(default_factory=dict)
    quotes: dict[Symbol, Quoted] = field(default_factory=dict)
    about: dict[OrderId, About] = field(default_factory=dict)
    _count: int = 0

    # Requests.

    def open(self, order_id: OrderId, terms: OrderTerms) -> tuple[BrokerOrder, list[BrokerUpdate]]:
        """Put a new order in with its exits, and fill what the market already meets; give it as it was taken."""
        role = LegRole.TAKE_PROFIT if terms.order_class is OrderClass.OCO else None
        self._put_new(order_id, terms, "pending_new", About(terms), role=role)
        for leg in exits(terms):
            self._open_leg(order_id, *leg)
        taken = self.shown(order_id)
        updates = [self._told("held", leg) for leg in self._legs_of(order_id) if self.about[leg].waiting]
        awake = [each for each in (order_id, *self._legs_of(order_id)) if not self.about[each].waiting]
        updates += [self._moved(each, "new", "new") for each in awake]
        return taken, [*updates, *(told for each in awake for told in self._match(each))]

    def refusal_of_replace(self, order_id: OrderId, changes: Changes) -> str | None:
        """Say why an order cannot be replaced so."""
        order = self.orders[order_id]
        if order.status in _IRREPLACEABLE:
            return f"cannot replace order in {order.status} status"
        if self.about[order_id].terms.notional_usd is not None:
            return "notional orders cannot be replaced"
        if changes.qty is not None and changes.qty <= order.filled_qty:
            return "qty must be greater than filled_qty"
        return "order parameters are not changed" if changes == Changes() else None

    def ask_replace(self, order_id: OrderId, new_id: OrderId, changes: Changes) -> list[BrokerUpdate]:
        """Take a replacement; `settle` decides whether it comes about."""
        old, about = self.orders[order_id], self.about[order_id]
        terms = changed(about.terms, changes)
        facts = About(terms, parent=about.parent, waiting=about.waiting, peak=about.peak, old=order_id)
        self._put_new(new_id, terms, "pending_new", facts, replaces=old.broker_order_id, role=old.role)
        return [self._moved(order_id, "pending_replace", "pending_replace")]

    def settle(self, new_id: OrderId) -> list[BrokerUpdate]:
        """Let a replacement take over, or refuse it when it comes too late."""
        old_id = self.about[new_id].old
        if old_id is None or self.orders[new_id].status != "pending_new":
            return []
        old, terms = self.orders[old_id], self.about[new_id].terms
        if old.status != "pending_replace" or terms.qty <= old.filled_qty:
            return self.refuse_replace(new_id)
        self.about[new_id].old = None
        new_name, now = self.orders[new_id].broker_order_id, self.clock.now()
        self._change(old_id, status="replaced", replaced_at=now, replaced_by=new_name)
        for leg in self._legs_of(old_id):
            self.about[leg].parent = new_id
        if self.carries_fills:
            self._change(new_id, filled_qty=old.filled_qty, filled_avg_price=old.filled_avg_price)
        else:
            self.about[new_id].terms = rest = replace(terms, qty=terms.qty - old.filled_qty)
            self._change(new_id, terms=rest)
        resting = "held" if self.about[new_id].waiting else "new"
        return [self._told("replaced", old_id), self._moved(new_id, resting, resting), *self._match(new_id)]

    def refuse_replace(self, new_id: OrderId) -> list[BrokerUpdate]:
        """End a replacement that does not come about; the old order works on, unless it has ended."""
        old_id = self.about[new_id].old
        updates = [] if self.orders[new_id].status in ENDED else [self._moved(new_id, "rejected", "rejected")]
        if old_id is None:
            return updates
        self.about[new_id].old = None
        if self.orders[old_id].status == "pending_replace":
            self._change(old_id, status=self._working_status(old_id))
        return [*updates, self._told("order_replace_rejected", old_id, reason="TOO_LATE_TO_REPLACE")]

    def ask_cancel(self, order_id: OrderId) -> list[BrokerUpdate]:
        """Take a cancel that has not come true yet."""
        return [self._moved(order_id, "pending_cancel", "pending_cancel")]

    def refuse_cancel(self, order_id: OrderId) -> list[BrokerUpdate]:
        """Let an order work on against a cancel that was taken."""
        if self.orders[order_id].status == "pending_cancel":
            self._change(order_id, status=self._working_status(order_id))
        return [self._told("order_cancel_rejected", order_id, reason="TOO_LATE_TO_CANCEL")]

    def end(self, order_id: OrderId, event: str) -> list[BrokerUpdate]:
        """End an order that is still open, and its exits with it: canceled, expired or rejected."""
        if self.orders[order_id].status in ENDED:
            return []
        updates = [self._moved(order_id, event, event)]
        if event in ENDED:
            for other in self._family(order_id):
                updates += [] if self.orders[other].status in ENDED else [self._moved(other, event, event)]
        return updates

    # The market.

    def quote(self, symbol: Symbol, quoted: Quoted) -> list[BrokerUpdate]:
        """Set a quote and fill what it meets, oldest order first."""
        self.quotes[symbol] = quoted
        waiting = [order_id for order_id, order in self.orders.items() if order.symbol == symbol]
        return [update for order_id in waiting for update in self._match(order_id)]

    def fill(self, order_id: OrderId, qty: Decimal, price: Decimal) -> list[BrokerUpdate]:
        """Execute a part of an order, whatever its status: a late fill after a cancel included."""
        order, now = self.orders[order_id], self.clock.now()
        total = order.filled_qty + qty
        value = (order.filled_avg_price or ZERO) * order.filled_qty + qty * price
        whole = self._is_whole(order_id, total)
        if whole and order.status != "replaced":
            status = "filled"
        else:
            status = order.status if order.status in ENDED | _ASKED else "partially_filled"
        self._change(order_id, status=status, filled_qty=total, filled_avg_price=value / total, filled_at=now)
        self._show_notional(order_id)
        execution_id = f"mem-exec-{self._next():06}"
        self.executions[execution_id] = Executed(execution_id, order_id, qty, price)
        self._book(self.orders[order_id], qty, price)
        event = "fill" if whole else "partial_fill"
        told = self._told(event, order_id, execution_id=execution_id, qty=qty, price=price)
        return [told, *self._after_fill(order_id, was=order.status)]

    def bust(self, execution_id: str) -> list[BrokerUpdate]:
        """Take an execution back."""
        return self._recount(execution_id, ZERO, self.executions[execution_id].price)

    def correct(self, execution_id: str, qty: Decimal, price: Decimal) -> list[BrokerUpdate]:
        """Let an execution have been another one."""
        return self._recount(execution_id, qty, price)

    # What is asked about.

    def shown(self, order_id: OrderId) -> BrokerOrder:
        """Give an order with its exits."""
        legs = tuple(self.orders[leg] for leg in self._legs_of(order_id))
        return replace(self.orders[order_id], legs=legs)

    def by_broker_id(self, broker_order_id: str) -> OrderId | None:
        """Find the name of an order by the id that it was given here."""
        found = (name for name, order in self.orders.items() if order.broker_order_id == broker_order_id)
        return next(found, None)

    def positions(self) -> tuple[ObservedPosition, ...]:
        """List what is held."""
        return tuple(
            ObservedPosition(
                symbol=symbol, qty=held.qty, avg_entry_price=held.avg_price, current_price=self._mid(symbol)
            )
            for symbol, held in self.holdings.items()
            if held.qty
        )

    def equity_usd(self) -> Decimal:
        """Value cash and positions at the middle of the quote, at cost where there is none."""
        return self.cash_usd + sum(
            (held.qty * (self._mid(symbol) or held.avg_price) for symbol, held in self.holdings.items()), ZERO
        )

    # How it works.

    def _open_leg(self, parent: OrderId, role: LegRole, terms: OrderTerms) -> None:
        waiting = self.about[parent].terms.order_class is not OrderClass.OCO
        leg_id = OrderId(f"mem-leg-{self._next():06}")
        about = About(terms, parent=parent, waiting=waiting)
        self._put_new(leg_id, terms, "held" if waiting else "pending_new", about, role=role)

    def _put_new(self, order_id: OrderId, terms: OrderTerms, status: str, about: About, **facts: Any) -> None:
        now = self.clock.now()
        self.about[order_id] = about
        self.orders[order_id] = BrokerOrder(
            broker_order_id=f"mem-{self._next():06}",
            client_order_id=order_id,
            status=status,
            symbol=terms.symbol,
            side=terms.side,
            terms=None if terms.notional_usd is not None else bare(terms),
            submitted_at=now,
            updated_at=self._stamp(),
            order_class=terms.order_class,
            **facts,
        )

    def _match(self, order_id: OrderId) -> Iterator[BrokerUpdate]:
        order, about = self.orders[order_id], self.about[order_id]
        quoted = self.quotes.get(order.symbol)
        if order.status not in _MATCHABLE or about.waiting or quoted is None:
            return
        if about.terms.order_type is OrderType.TRAILING_STOP:
            about.peak = peak_after(about.terms, quoted, about.peak)
        about.triggered = about.triggered or is_triggered(about.terms, quoted, about.peak)
        price = met_at(about.terms, quoted, triggered=about.triggered)
        if price is not None:
            yield from self.fill(order_id, self._left(order_id, price), price)
        elif about.terms.time_in_force in {TimeInForce.IOC, TimeInForce.FOK}:
            yield from self.end(order_id, "canceled")

    def _left(self, order_id: OrderId, price: Decimal) -> Decimal:
        terms, order = self.about[order_id].terms, self.orders[order_id]
        if terms.notional_usd is None:
            return terms.qty - order.filled_qty
        spent = (order.filled_avg_price or ZERO) * order.filled_qty
        return ((terms.notional_usd - spent) / price).quantize(_NANO, ROUND_DOWN)

    def _is_whole(self, order_id: OrderId, total: Decimal) -> bool:
        terms = self.about[order_id].terms
        return terms.notional_usd is not None or total >= terms.qty

    def _show_notional(self, order_id: OrderId) -> None:
        terms = self.about[order_id].terms
        if terms.notional_usd is not None:
            self._change(order_id, terms=replace(bare(terms), qty=self.orders[order_id].filled_qty))

    def _after_fill(self, order_id: OrderId, *, was: str) -> Iterator[BrokerUpdate]:
        """Let what hangs on an order follow its execution: requests that came too late, exits that wake or end."""
        ended = self.orders[order_id].status == "filled"
        if ended and was == "pending_cancel":
            yield from self.refuse_cancel(order_id)
        for new_id, about in tuple(self.about.items()):
            if ended and about.old == order_id:
                yield from self.refuse_replace(new_id)
        for other in self._family(order_id):
            if self.orders[other].status in ENDED or self._is_entry(other):
                continue
            if self.about[other].waiting:
                yield from self._wake(other) if ended else ()
            elif ended:
                yield self._moved(other, "canceled", "canceled")
            else:
                yield self._shrunk(other, order_id)

    def _wake(self, leg: OrderId) -> Iterator[BrokerUpdate]:
        self.about[leg].waiting = False
        yield self._moved(leg, "new", "new")
        yield from self._match(leg)

    def _shrunk(self, exit_id: OrderId, other: OrderId) -> BrokerUpdate:
        """Cut an exit to what the other one, partly filled, still leaves."""
        left = self.about[other].terms.qty - self.orders[other].filled_qty
        about = self.about[exit_id]
        about.terms = replace(about.terms, qty=self.orders[exit_id].filled_qty + left)
        self._change(exit_id, terms=bare(about.terms))
        return self._told("restated", exit_id, reason="OTHER_EXIT_PARTIALLY_FILLED")

    def _family(self, order_id: OrderId) -> tuple[OrderId, ...]:
        """Name the others of an order's group."""
        top = self.about[order_id].parent or order_id
        return tuple(each for each in (top, *self._legs_of(top)) if each != order_id)

    def _legs_of(self, order_id: OrderId) -> tuple[OrderId, ...]:
        return tuple(name for name, about in self.about.items() if about.parent == order_id)

    def _is_entry(self, order_id: OrderId) -> bool:
        about = self.about[order_id]
        return about.parent is None and about.terms.order_class is not OrderClass.OCO

    def _working_status(self, order_id: OrderId) -> str:
        if self.about[order_id].waiting:
            return "held"
        return "partially_filled" if self.orders[order_id].filled_qty else "new"

    def _recount(self, execution_id: str, qty: Decimal, price: Decimal) -> list[BrokerUpdate]:
        before = self.executions.pop(execution_id)
        order_id = before.order_id
        order = self.orders[order_id]
        total = order.filled_qty - before.qty + qty
        value = (order.filled_avg_price or ZERO) * order.filled_qty - before.qty * before.price + qty * price
        status = order.status if order.status in ENDED | _ASKED else "partially_filled" if total else "new"
        average = value / total if total else None
        self._change(order_id, status=status, filled_qty=total, filled_avg_price=average)
        new_id = f"mem-exec-{self._next():06}"
        if qty:
            self.executions[new_id] = Executed(new_id, order_id, qty, price)
        self._rebuild(order, before, qty * price)
        told = self._told(
            "trade_correct" if qty else "trade_bust",
            order_id,
            execution_id=new_id,
            previous_execution_id=execution_id,
            qty=qty or -before.qty,
            price=price,
        )
        return [told]

    def _rebuild(self, order: BrokerOrder, before: Executed, value: Decimal) -> None:
        """Put cash and position to where they stood had the execution been what counts now."""
        sign = 1 if order.side is Side.BUY else -1
        self.cash_usd += sign * (before.qty * before.price - value)
        held = self.holdings[order.symbol] = Holding()
        for one in sorted(self.executions.values(), key=lambda one: one.execution_id):
            its = self.orders[one.order_id]
            if its.symbol == order.symbol:
                held.take(one.qty if its.side is Side.BUY else -one.qty, one.price)

    def _book(self, order: BrokerOrder, qty: Decimal, price: Decimal) -> None:
        side = order.side or Side.BUY
        change = qty if side is Side.BUY else -qty
        self.cash_usd -= change * price
        self.holdings.setdefault(order.symbol, Holding()).take(change, price)
        self.fills.append(
            BrokerFill(
                activity_id=f"mem-act-{len(self.fills) + 1:06}",
                broker_order_id=order.broker_order_id,
                symbol=order.symbol,
                side=side,
                qty=qty,
                price=price,
                cum_qty=order.filled_qty,
                at=self.clock.now(),
            )
        )

    def _moved(self, order_id: OrderId, event: str, status: str) -> BrokerUpdate:
        self._change(order_id, status=status)
        return self._told(event, order_id)

    def _change(self, order_id: OrderId, **facts: Any) -> None:
        self.orders[order_id] = replace(self.orders[order_id], updated_at=self._stamp(), **facts)

    def _told(self, event: str, order_id: OrderId, **facts: Any) -> BrokerUpdate:
        order = self.orders[order_id]
        held = self.holdings.get(order.symbol)
        return BrokerUpdate(
            event=event,
            order=order,
            at=self.clock.now(),
            event_id=f"mem-event-{self._next():06}",
            position_qty=held.qty if "qty" in facts and held is not None else None,
            **facts,
        )

    def _mid(self, symbol: Symbol) -> Decimal | None:
        quoted = self.quotes.get(symbol)
        return None if quoted is None else (quoted.bid + quoted.ask) / 2

    def _stamp(self) -> datetime:
        """Stamp a change; no two changes share a stamp, though the clock may stand still."""
        return self.clock.now() + timedelta(microseconds=self._next())

    def _next(self) -> int:
        self._count += 1
        return self._count
