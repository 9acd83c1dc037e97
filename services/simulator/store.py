"""What the broker never forgets: one SQLite file, written before anybody is told."""

import sqlite3
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from services.simulator.core.book import AccountState, Book
from services.simulator.core.cash import CashActivity
from services.simulator.core.events import Changes
from services.simulator.core.orders import Ticket
from services.simulator.core.positions import FillActivity, Position
from services.simulator.listings import ActivityFilter, OrderFilter, activity_query, micros, order_query

SCHEMA = """
create table if not exists meta (key text primary key, value blob not null) without rowid;
create table if not exists orders (
  id text primary key, client_order_id text not null, rank integer not null, submitted_us integer not null,
  symbol text not null, side text not null, is_open integer not null, body blob not null);
create index if not exists orders_by_client_id on orders (client_order_id);
create table if not exists legs (id text primary key, parent_id text not null) without rowid;
create index if not exists legs_by_parent on legs (parent_id);
create index if not exists orders_by_rank on orders (rank);
create index if not exists orders_open on orders (rank) where is_open;
create table if not exists positions (symbol text primary key, body blob not null) without rowid;
create table if not exists activities (
  rank integer primary key, id text not null unique, at_us integer not null, kind text not null,
  order_id text, body blob not null);
create index if not exists activities_by_order on activities (order_id);
create table if not exists equity (minute integer primary key, equity_usd text not null);
"""


class Store:
    """The broker's file; a commit survives the death of the process (WAL, synchronous=normal)."""

    def __init__(self, path: Path | str) -> None:
        """Open or create the file."""
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("pragma locking_mode=exclusive")  # a second simulator on this file stops at once
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=normal")
        self._db.executescript(SCHEMA)
        self._encode = msgspec.msgpack.Encoder().encode
        self._ticket = msgspec.msgpack.Decoder(Ticket).decode
        self._position = msgspec.msgpack.Decoder(Position).decode
        self._fill = msgspec.msgpack.Decoder(FillActivity).decode
        self._cash = msgspec.msgpack.Decoder(CashActivity).decode

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def account(self) -> AccountState | None:
        """Return the stored account, or None in a new file."""
        raw = self.note("account")
        return None if raw is None else msgspec.msgpack.decode(raw, type=AccountState)

    def book(self, fresh: Callable[[], AccountState]) -> Book:
        """Return the book as it was left, with a new account in a new file."""
        account = self.account()
        if account is None:
            account = fresh()
            self.keep("account", self._encode(account))
        tickets = self._tickets("select body from orders where is_open order by rank", ())
        positions = [self._position(row[0]) for row in self._db.execute("select body from positions")]
        return Book(account, positions, tickets)

    def note(self, key: str) -> bytes | None:
        """Return a stored note."""
        row = self._db.execute("select value from meta where key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def keep(self, key: str, value: bytes) -> None:
        """Store a note."""
        self._db.execute("insert or replace into meta values (?, ?)", (key, value))

    def last_rank(self) -> int:
        """Return the rank of the newest order."""
        return self._db.execute("select coalesce(max(rank), 0) from orders").fetchone()[0]

    def last_event_id(self) -> str | None:
        """Return the id of the newest trade update, or None in a new file."""
        kept = self.note("last_event_id")
        return None if kept is None else kept.decode()

    def save(self, changes: Changes, book: Book) -> None:
        """Store all changes of one action in one transaction."""
        self._db.execute("begin immediate")
        try:
            self._save(changes, book)
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def _save(self, changes: Changes, book: Book) -> None:
        self._db.executemany(
            "insert into orders values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (id) do update set"
            " submitted_us = excluded.submitted_us, is_open = excluded.is_open, body = excluded.body",
            [self._order_row(ticket) for ticket in changes.tickets.values()],
        )
        self._db.executemany(
            "insert or replace into legs values (?, ?)",
            [(ticket.order.id, ticket.parent_id) for ticket in changes.tickets.values() if ticket.parent_id],
        )
        for symbol in changes.symbols:
            position = book.positions.get(symbol)
            if position is None:
                self._db.execute("delete from positions where symbol = ?", (symbol,))
            else:
                row = (symbol, self._encode(position))
                self._db.execute("insert or replace into positions values (?, ?)", row)
        self._db.executemany(
            "insert into activities (id, at_us, kind, order_id, body) values (?, ?, ?, ?, ?)",
            [self._activity_row(activity) for activity in changes.activities],
        )
        if changes.updates:
            self.keep("last_event_id", changes.updates[-1].event_id.encode())
        if changes.account:
            self.keep("account", self._encode(book.account))

    def _activity_row(self, activity: FillActivity | CashActivity) -> tuple[Any, ...]:
        is_fill = isinstance(activity, FillActivity)
        at = activity.transaction_time if is_fill else activity.created_at
        order_id = activity.order_id if is_fill else None
        return (activity.id, micros(at), activity.activity_type, order_id, self._encode(activity))

    def _order_row(self, ticket: Ticket) -> tuple[Any, ...]:
        order = ticket.order
        us = micros(order.submitted_at)
        identity = (order.id, order.client_order_id, ticket.rank, us, order.symbol, order.side)
        return (*identity, ticket.is_open, self._encode(ticket))

    def find(self, order_id: str) -> Ticket | None:
        """Return the order with this id."""
        return next(iter(self._tickets("select body from orders where id = ?", (order_id,))), None)

    def find_client(self, client_order_id: str) -> Ticket | None:
        """Return the newest order with this client order id."""
        query = "select body from orders where client_order_id = ? order by rank desc limit 1"
        return next(iter(self._tickets(query, (client_order_id,))), None)

    def legs(self, order_id: str) -> list[Ticket]:
        """Return the orders that hang on this one, oldest first."""
        query = "select body from orders join legs using (id) where parent_id = ? order by rank"
        return self._tickets(query, (order_id,))

    def orders(self, wanted: OrderFilter) -> list[Ticket]:
        """Return the orders a listing asks for, newest first unless ascending."""
        return self._tickets(*order_query(wanted))

    def activities(self, wanted: ActivityFilter) -> list[FillActivity]:
        """Return the executions a listing asks for, newest first unless ascending."""
        fills = msgspec.structs.replace(wanted, kinds=("FILL",))
        return [self._fill(body) for _, body in self._db.execute(*activity_query(fills))]

    def every_activity(self, wanted: ActivityFilter) -> list[FillActivity | CashActivity]:
        """Return the activities of all kinds a listing asks for, newest first unless ascending."""
        rows = self._db.execute(*activity_query(wanted))
        return [self._fill(body) if kind == "FILL" else self._cash(body) for kind, body in rows]

    def has_activity(self, activity_id: str) -> bool:
        """Say whether there is an activity with this id."""
        row = self._db.execute("select 1 from activities where id = ?", (activity_id,)).fetchone()
        return row is not None

    def order_counts(self, limit: int) -> dict[str, int]:
        """Return how many orders carry each client order id, newest first, for checkers of duplicates."""
        query = "select client_order_id, count(*) from orders group by 1 order by max(rank) desc limit ?"
        return dict(self._db.execute(query, (limit,)).fetchall())

    def total_orders(self) -> int:
        """Return how many orders were ever taken."""
        return self._db.execute("select count(*) from orders").fetchone()[0]

    def sample_equity(self, minute: datetime, equity_usd: Decimal) -> None:
        """Remember the account's equity at a minute, in dollars."""
        row = (int(minute.timestamp()), str(equity_usd))
        self._db.execute("insert or replace into equity values (?, ?)", row)

    def equity(self, start: datetime, end: datetime) -> list[tuple[int, Decimal]]:
        """Return the remembered equity between two times, as (unix seconds, dollars)."""
        bounds = (int(start.timestamp()), int(end.timestamp()))
        query = "select minute, equity_usd from equity where minute between ? and ? order by minute"
        return [(minute, Decimal(text)) for minute, text in self._db.execute(query, bounds)]

    def _tickets(self, query: str, values: Iterable[Any]) -> list[Ticket]:
        return [self._ticket(row[0]) for row in self._db.execute(query, tuple(values))]
