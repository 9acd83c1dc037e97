"""Read models of a test's own, in SQLite or PostgreSQL, filled from events."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from contracts.codec import decode_event, encode
from contracts.ids import AccountId
from projections.chain import Link
from projections.sql.fold import Fold, FoldState
from projections.sql.location import Location
from projections.sql.store import Store
from projections.sql.tables import JOURNAL_TABLES, Changes, Table
from tests.story_events import ACCOUNT, OPEN, Written

KINDS = ("sqlite", "postgresql")


def location_of(kind: str, folder: Path, url: str | None, account: AccountId | None = None) -> Location:
    """Give a place that nobody has used: in PostgreSQL each account has a schema of its own."""
    if kind == "sqlite":
        return Location(account=account or ACCOUNT, path=folder / "trail.sqlite3")
    fresh = AccountId(f"t{uuid.uuid4().hex[:12]}")
    return Location(account=account or fresh, path=folder / "trail.sqlite3", url=url)


def opened(location: Location) -> Store:
    return Store(location.open_writer(), location.account)


def links_of(day: Sequence[Written]) -> Iterator[tuple[Link, Any]]:
    for seq, (subject, event) in enumerate(day, start=1):
        body = encode(event)
        yield Link(seq=seq, subject=subject, body=body), decode_event(body)


def fold_of(store: Store, after_seq: int = 0, state: FoldState | None = None) -> Fold:
    return Fold(store.trail_at(after_seq), state or FoldState(), store.order, store.symbol_of)


def stretch(store: Store, day: Sequence[Written], cuts: Sequence[int] = ()) -> Fold:
    """Fold a day into an empty store, cut into batches."""
    fold, ends = fold_of(store), {*cuts, len(day)}
    for link, event in links_of(day):
        fold.take(link, event, OPEN)
        if link.seq in ends:
            store.apply(fold.take_changes())
    return fold


def changes_of(store: Store, day: Sequence[Written], first: int, last: int) -> Changes:
    """Give what the events from one to another change, as a fold gives it that has seen the ones before."""
    fold = Fold(store.trail_at(0), FoldState(), store.order, store.symbol_of)
    for link, event in links_of(day):
        if link.seq == first:
            fold.take_changes()
        if link.seq <= last:
            fold.take(link, event, OPEN)
    return fold.take_changes()


def content(location: Location) -> dict[str, list[tuple[Any, ...]]]:
    """Give all rows of all tables, in a form that both databases share."""
    with closing(location.open_reader()) as reader:
        found = {
            table.name: [tuple(plain(cell) for cell in row) for row in reader.execute(everything(table))]
            for table in JOURNAL_TABLES
        }
        found["tracking"] = [tuple(row) for row in reader.execute("SELECT notification_id FROM tracking")]
    return found


def everything(table: Table) -> str:
    return f"SELECT * FROM {table.name} ORDER BY {', '.join(table.key)}"  # noqa: S608 - our own tables' names


def plain(cell: Any) -> Any:
    """Write one stored value as SQLite would: PostgreSQL gives numbers, times, flags and JSON their own types."""
    match cell:
        case bool():
            return int(cell)
        case datetime():
            return cell.astimezone(UTC).isoformat(timespec="microseconds")
        case Decimal() | date():
            return str(cell)
        case dict() | list():
            return msgspec.json.encode(cell).decode()
        case _:
            return cell
