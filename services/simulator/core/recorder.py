"""The three things that happen to orders: they change, the world is told, and they execute."""

from datetime import datetime
from decimal import Decimal

from msgspec import UNSET
from msgspec.structs import replace

from services.simulator.core.book import Book
from services.simulator.core.cash import CashActivity
from services.simulator.core.events import Changes, TradeUpdate, stream_order
from services.simulator.core.ids import Ids
from services.simulator.core.numbers import ZERO, nanos
from services.simulator.core.orders import Execution, Ticket, filled
from services.simulator.core.positions import FillActivity
from services.simulator.core.sessions import NEW_YORK, new_york_day, settlement_day


class Recorder:
    """Applies changes to the book and collects what must be stored and sent."""

    def __init__(self, book: Book, ids: Ids) -> None:
        """Write to this book with ids from this source."""
        self.book = book
        self.ids = ids
        self.changes = Changes()

    def take(self) -> Changes:
        """Hand over what has changed since the last call."""
        changes, self.changes = self.changes, Changes()
        return changes

    def put(self, ticket: Ticket) -> Ticket:
        """Record the newest form of a ticket."""
        self.book.put(ticket)
        self.changes.tickets[ticket.order.id] = ticket
        return ticket

    def move(self, ticket: Ticket, now: datetime, **fields: object) -> Ticket:
        """Change fields of the order itself and record it."""
        return self.put(replace(ticket, order=replace(ticket.order, updated_at=now, **fields)))

    def tell(self, event: str, ticket: Ticket, now: datetime, *, reason: str | None = None) -> None:
        """Send a trade update that is not a fill."""
        self.changes.updates.append(
            TradeUpdate(
                at=now,
                event_id=self.ids.ulid(now),
                event=event,
                timestamp=now,
                order=stream_order(ticket),
                execution_id=self.ids.uuid() if event == "new" else UNSET,
                reason=UNSET if reason is None else reason,
            )
        )

    def execute(self, ticket: Ticket, execution: Execution, now: datetime) -> Ticket:
        """Book one execution: order, position, cash, activity and trade update."""
        done = self.put(filled(ticket, execution, now))
        day = new_york_day(now)
        position = self.book.fill(done, execution, day)
        self.changes.symbols.add(done.order.symbol)
        self.changes.account = True
        self.changes.activities.append(self._activity(done, execution, now))
        self.changes.updates.append(
            TradeUpdate(
                at=now,
                event_id=self.ids.ulid(now),
                event="partial_fill" if done.is_open else "fill",
                timestamp=now,
                order=stream_order(done),
                execution_id=self.ids.uuid(),
                price=execution.price,
                qty=nanos(execution.qty),
                position_qty=nanos(position.qty),
                settle_date=settlement_day(day),
            )
        )
        return done

    def _activity(self, ticket: Ticket, execution: Execution, now: datetime) -> FillActivity:
        order = ticket.order
        leaves: Decimal = ZERO if order.qty is None else order.qty - order.filled_qty
        return FillActivity(
            id=self.activity_id(now),
            transaction_time=now,
            type="partial_fill" if ticket.is_open else "fill",
            price=execution.price,
            qty=nanos(execution.qty),
            side=order.side,
            symbol=order.symbol,
            leaves_qty=nanos(leaves),
            order_id=order.id,
            cum_qty=order.filled_qty,
            order_status=order.status,
        )

    def activity_id(self, now: datetime) -> str:
        """Return an id whose clock part is New York's."""
        stamp = now.astimezone(NEW_YORK).strftime("%Y%m%d%H%M%S") + f"{now.microsecond // 1000:03d}"
        return f"{stamp}::{self.ids.uuid()}"

    def move_cash(self, activity: CashActivity) -> None:
        """Book money that moved without a trade."""
        account = self.book.account
        self.book.account = replace(account, cash_usd=account.cash_usd + activity.net_amount)
        self.changes.account = True
        self.changes.activities.append(activity)
