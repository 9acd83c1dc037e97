"""Trades that the venue takes back or corrects: what the order, the position, the cash and the stream then show."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from services.simulator.core.broker import Broker
from services.simulator.core.events import TradeUpdate, stream_order
from services.simulator.core.numbers import ZERO, nanos, plain
from services.simulator.core.orders import Execution, Ticket
from services.simulator.core.positions import FillActivity, Position, after_fill, signed
from services.simulator.core.sessions import NEW_YORK, new_york_day
from services.simulator.faults import Fault, FaultError, Occasion
from services.simulator.store import ActivityFilter, Store

MOST_REMEMBERED = 20_000
EVERY_ACTIVITY = 10**9
FILLS = frozenset({"fill", "partial_fill"})
BUST, CORRECT = "trade_bust", "trade_correct"
CHANGED_NOTE = "trades_changed"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One execution as it was told; its activity has the same order, time and total."""

    execution_id: str
    order_id: str
    client_order_id: str
    symbol: str
    at: datetime
    cum_qty: Decimal
    qty: Decimal
    price: Decimal

    def occasion(self) -> Occasion:
        """Return what faults match on."""
        return Occasion(
            symbol=self.symbol,
            client_order_id=self.client_order_id,
            order_id=self.order_id,
            execution_id=self.execution_id,
        )


class Trades:
    """The executions of this run, and the verbs that take one back or correct it."""

    def __init__(self, store: Store) -> None:
        """Look activities up in this store."""
        self._store = store
        self._told: deque[Told] = deque(maxlen=MOST_REMEMBERED)

    def hear(self, update: TradeUpdate) -> None:
        """Remember an execution."""
        if update.event not in FILLS or not isinstance(update.execution_id, str):
            return
        if isinstance(update.qty, Decimal) and isinstance(update.price, Decimal):
            order = update.order
            self._told.append(
                Told(
                    execution_id=update.execution_id,
                    order_id=order.id,
                    client_order_id=order.client_order_id,
                    symbol=order.symbol,
                    at=update.timestamp,
                    cum_qty=order.filled_qty,
                    qty=update.qty,
                    price=update.price,
                )
            )

    def newest(self, fault: Fault) -> Told:
        """Return the newest execution a fault matches, or raise `FaultError`."""
        found = next((told for told in reversed(self._told) if told.occasion().matches(fault)), None)
        if found is None:
            raise FaultError(f"{fault.fault}: no execution of this run matches")
        return found

    def change(self, broker: Broker, fault: Fault, now: datetime) -> Told:
        """Take the execution a fault names back, or correct it, everywhere at once; return it as it was."""
        told = self.newest(fault)
        is_bust = fault.fault == "bust_trade"
        counts = Execution(ZERO if is_bust else fault.qty or told.qty, fault.price or told.price)
        ticket = _changed_ticket(broker.find(told.order_id), told, counts, now)
        activity = self._activity(told)
        held = self._rebuild(broker, activity, counts)
        broker.recorder.put(ticket)
        if fault.activities == "record":
            broker.recorder.changes.activities.append(_record(broker, activity, ticket, counts, now))
        new_id = broker.recorder.ids.uuid()
        self._told.remove(told)
        if not is_bust:
            self._told.append(replace(told, execution_id=new_id, qty=counts.qty, price=counts.price))
        broker.recorder.changes.updates.append(
            TradeUpdate(
                at=now,
                event_id=broker.recorder.ids.ulid(now),
                event=BUST if is_bust else CORRECT,
                timestamp=now,
                order=stream_order(ticket),
                execution_id=new_id,
                previous_execution_id=told.execution_id,
                price=plain(counts.price),
                qty=nanos(-told.qty if is_bust else counts.qty),
                position_qty=nanos(held),
            )
        )
        return told

    def _activity(self, told: Told) -> FillActivity:
        rows = self._store.activities(ActivityFilter(order_id=told.order_id, page_size=EVERY_ACTIVITY))
        same = (row for row in rows if row.type in FILLS and row.transaction_time == told.at)
        return next(row for row in same if row.cum_qty == told.cum_qty)

    def _rebuild(self, broker: Broker, changed: FillActivity, counts: Execution) -> Decimal:
        """Put cash and position to where they stood had the execution been what counts now; return the shares."""
        changes = self._changes()
        before = changes.get(changed.id, Execution(changed.qty, changed.price))
        changes[changed.id] = counts
        self._store.keep(CHANGED_NOTE, msgspec.json.encode(changes))
        book = broker.book
        cash = signed(changed.side, before.qty) * before.price - signed(changed.side, counts.qty) * counts.price
        book.account = replace(book.account, cash_usd=book.account.cash_usd + cash)
        position = _folded(self._fills(changed.symbol), changes)
        if position is None:
            book.positions.pop(changed.symbol, None)
        else:
            book.positions[changed.symbol] = position
        broker.recorder.changes.symbols.add(changed.symbol)
        broker.recorder.changes.account = True
        return book.qty(changed.symbol)

    def _fills(self, symbol: str) -> list[FillActivity]:
        rows = self._store.activities(ActivityFilter(ascending=True, page_size=EVERY_ACTIVITY))
        return [row for row in rows if row.symbol == symbol and row.type in FILLS]

    def _changes(self) -> dict[str, Execution]:
        raw = self._store.note(CHANGED_NOTE)
        return {} if raw is None else msgspec.json.decode(raw, type=dict[str, Execution])


def _folded(fills: Iterable[FillActivity], changes: dict[str, Execution]) -> Position | None:
    """Fold a symbol's executions, each as it counts now."""
    position: Position | None = None
    for fill in fills:
        counts = changes.get(fill.id, Execution(fill.qty, fill.price))
        if counts.qty:
            day = new_york_day(fill.transaction_time)
            position = after_fill(position, fill.symbol, fill.side, counts, day)
            position = position if position.qty else None
    return position


def _changed_ticket(ticket: Ticket, told: Told, counts: Execution, now: datetime) -> Ticket:
    """Return an order with other totals; an ended one keeps its status, an open one has more or less to do."""
    order = ticket.order
    qty = order.filled_qty - told.qty + counts.qty
    if order.qty is not None and qty > order.qty:
        raise FaultError(f"correct_trade: qty would fill {qty} of {order.qty}")
    value = ticket.filled_value - told.qty * told.price + counts.qty * counts.price
    status = order.status
    if status in {"new", "partially_filled"}:
        status = "partially_filled" if qty else "new"
    average = nanos(value / qty) if qty else None
    changed = replace(order, filled_qty=nanos(qty), filled_avg_price=average, updated_at=now, status=status)
    return replace(ticket, order=changed, filled_value=value)


def _record(broker: Broker, changed: FillActivity, ticket: Ticket, counts: Execution, now: datetime) -> FillActivity:
    """Return the further activity that tells of the change; the first one stays in the list."""
    order = ticket.order
    stamp = now.astimezone(NEW_YORK).strftime("%Y%m%d%H%M%S") + f"{now.microsecond // 1000:03d}"
    return replace(
        changed,
        id=f"{stamp}::{broker.recorder.ids.uuid()}",
        transaction_time=now,
        type=CORRECT if counts.qty else BUST,
        price=counts.price,
        qty=nanos(counts.qty or changed.qty),
        leaves_qty=nanos(ZERO if order.qty is None else order.qty - order.filled_qty),
        cum_qty=order.filled_qty,
        order_status=order.status,
    )
