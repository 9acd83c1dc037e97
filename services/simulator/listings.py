"""What a listing may ask for, and the SQL that answers it."""

from datetime import datetime
from typing import Any

import msgspec

MICROSECONDS = 1_000_000


class OrderFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders to list; before and after are exclusive, on submission time or on another order."""

    status: str = "open"
    limit: int = 50
    after: datetime | None = None
    until: datetime | None = None
    after_order_id: str | None = None
    before_order_id: str | None = None
    ascending: bool = False
    symbols: tuple[str, ...] = ()
    side: str | None = None


class ActivityFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which activities to list; the page token is the last id seen."""

    kinds: tuple[str, ...] = ()
    category: str | None = None
    order_id: str | None = None
    after: datetime | None = None
    until: datetime | None = None
    ascending: bool = False
    page_size: int = 100
    page_token: str | None = None


def micros(moment: datetime) -> int:
    """Return whole microseconds since 1970."""
    return round(moment.timestamp() * MICROSECONDS)


class Where:
    """Conditions and their values, joined with `and`."""

    def __init__(self) -> None:
        """Start without conditions."""
        self._terms: list[str] = []
        self.values: list[Any] = []

    def add(self, term: str, *values: Any) -> None:
        """Add one condition."""
        self._terms.append(term)
        self.values += values

    def one_of(self, column: str, values: tuple[str, ...]) -> None:
        """Require a column to be one of some values, when there are any."""
        if values:
            self.add(f"{column} in ({','.join('?' * len(values))})", *values)

    def between(self, column: str, after: datetime | None, until: datetime | None) -> None:
        """Require a time to lie strictly after one and strictly before another, where they are given."""
        if after is not None:
            self.add(f"{column} > ?", micros(after))
        if until is not None:
            self.add(f"{column} < ?", micros(until))

    def __str__(self) -> str:
        """Return the SQL condition."""
        return " and ".join(self._terms) or "true"


def order_query(wanted: OrderFilter) -> tuple[str, list[Any]]:
    """Return the query for the bodies of orders, newest first unless ascending."""
    where = Where()
    if wanted.status != "all":
        where.add("is_open = ?", wanted.status == "open")
    where.between("submitted_us", wanted.after, wanted.until)
    if wanted.after_order_id is not None:
        where.add("rank > (select rank from orders where id = ?)", wanted.after_order_id)
    if wanted.before_order_id is not None:
        where.add("rank < (select rank from orders where id = ?)", wanted.before_order_id)
    if wanted.side is not None:
        where.add("side = ?", wanted.side)
    where.one_of("symbol", wanted.symbols)
    way = "asc" if wanted.ascending else "desc"
    query = f"select body from orders where {where} order by rank {way} limit ?"  # noqa: S608  # values are bound
    return query, [*where.values, wanted.limit]


def activity_query(wanted: ActivityFilter) -> tuple[str, list[Any]]:
    """Return the query for kinds and bodies of activities, newest first unless ascending."""
    where = Where()
    where.one_of("kind", wanted.kinds)
    if wanted.category is not None:
        where.add("kind = 'FILL'" if wanted.category == "trade_activity" else "kind <> 'FILL'")
    if wanted.order_id is not None:
        where.add("order_id = ?", wanted.order_id)
    where.between("at_us", wanted.after, wanted.until)
    if wanted.page_token is not None:
        last_seen = "(select rank from activities where id = ?)"
        where.add(f"rank {'>' if wanted.ascending else '<'} {last_seen}", wanted.page_token)
    way = "asc" if wanted.ascending else "desc"
    query = f"select kind, body from activities where {where} order by rank {way} limit ?"  # noqa: S608  # as above
    return query, [*where.values, wanted.page_size]
