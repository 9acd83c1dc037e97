"""Questions to the trail: the whole story of one intent or order, and lists of events by what they are about.

Everything here takes a reader (`projections.sql.location`) and answers with structs.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from contracts.base import Value
from contracts.codec import JournalEvent, decode_event
from contracts.ids import AgentId, IntentId, OrderId, Symbol
from projections.sql.database import Reader
from projections.sql.rows import time_text
from projections.sql.statements import statements
from projections.trail import TrailRow

EVENTS_MAX = 10_000
"""How many events one question may bring back; ask again after the last sequence for more."""

_TRAIL = statements("trail")
_CONDITIONS = {
    "type": "type = :type",
    "agent": "agent = :agent",
    "intent_id": "intent_id = :intent_id",
    "order_id": "order_id = :order_id",
    "symbol": "symbol = :symbol",
    "correlation_id": "correlation_id = :correlation_id",
    "admitted": "admitted = :admitted",
    "since": "at >= :since",
    "until": "at < :until",
    "after_seq": "seq > :after_seq",
    "upto_seq": "seq <= :upto_seq",
}


class TrailEvent(TrailRow, frozen=True, kw_only=True):
    """One row of the trail and the event in it, brought to its current version."""

    event: JournalEvent


class EventFilter(Value, frozen=True, kw_only=True):
    """Which events are wanted; what is left out does not matter.

    `type` is a tag with or without version (`order.filled`, `decision.v1`); `since` (included) and `until` (not
    included) are server times in UTC.
    """

    type: str | None = None
    agent: AgentId | None = None
    intent_id: IntentId | None = None
    order_id: OrderId | None = None
    symbol: Symbol | None = None
    correlation_id: str | None = None
    admitted: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    after_seq: int | None = None
    upto_seq: int | None = None


EVERYTHING = EventFilter()


def events(
    connection: Reader,
    wanted: EventFilter = EVERYTHING,
    *,
    limit: int = EVENTS_MAX,
    newest_first: bool = False,
) -> tuple[TrailEvent, ...]:
    """List events in journal order (or the newest first), at most `limit` and never more than `EVENTS_MAX`."""
    asked = _asked(wanted)
    where = " AND ".join(_CONDITIONS[name] for name in asked) or "1 = 1"
    order = "DESC" if newest_first else "ASC"
    sql = f"SELECT * FROM trail WHERE {where} ORDER BY seq {order} LIMIT :rows"  # noqa: S608 - fixed words only
    return read(connection, sql, asked | {"rows": min(limit, EVENTS_MAX)})


def named(connection: Reader, name: str, parameters: dict[str, Any]) -> tuple[TrailEvent, ...]:
    """Run one of the named statements of `queries/trail.sql` that give whole rows."""
    return read(connection, _TRAIL[name], parameters)


def read(connection: Reader, sql: str, parameters: dict[str, Any]) -> tuple[TrailEvent, ...]:
    """Run a statement that gives whole rows of the trail."""
    return tuple(_event(row) for row in connection.execute(sql, parameters))


def position(connection: Reader) -> int:
    """Give the last journal sequence on the trail, 0 when it is empty."""
    row = connection.execute(_TRAIL["position"]).fetchone()
    return int(row[0])


def digests(connection: Reader, after_seq: int, rows: int) -> Sequence[tuple[int, str]]:
    """List sequences with their digests (hex) after a sequence, at most so many."""
    found = connection.execute(_TRAIL["digests_after"], {"seq": after_seq, "rows": rows})
    return [(int(seq), str(digest)) for seq, digest in found]


def _asked(wanted: EventFilter) -> dict[str, Any]:
    given = {name: getattr(wanted, name) for name in _CONDITIONS}
    asked = {name: value for name, value in given.items() if value is not None}
    for name in {"since", "until"} & asked.keys():
        asked[name] = time_text(asked[name])
    if wanted.type is not None:
        stem, _, version = wanted.type.rpartition(".v")
        asked["type"] = stem if version.isdecimal() else wanted.type
    return asked


def _event(row: Any) -> TrailEvent:
    fields: dict[str, Any] = dict(row)
    fields["at"] = moment_of(fields["at"])
    fields["event_at"] = moment_of(fields["event_at"])
    fields["body"] = bytes(fields["body"])
    fields["admitted"] = bool(fields["admitted"])
    fields["event"] = decode_event(fields["body"])
    return TrailEvent(**fields)


def moment_of(stored: str | datetime) -> datetime:
    """Read a time as SQLite (text) or PostgreSQL (in the session's zone) gives it."""
    return datetime.fromisoformat(stored) if isinstance(stored, str) else stored.astimezone(UTC)
