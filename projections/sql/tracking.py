"""How far a database has folded which stream: the tracking contract of the `eventsourcing` library, in SQL.

One row for each upstream stream, moved in the transaction that stores what was folded, and strictly upwards: whoever
would fold a stretch twice gets an `IntegrityError`, and nothing of his batch is stored.
"""

from projections.sql.database import Database, IntegrityError, Reader
from projections.sql.statements import statements

_TRACKING = statements("tracking")


def position_of(reader: Reader | Database, stream: str) -> int | None:
    """Give the last sequence of a stream that is folded, None when nothing is."""
    row = reader.execute(_TRACKING["position"], {"application_name": stream}).fetchone()
    return None if row is None else int(row[0])


def other_journal(reader: Reader | Database, stream: str) -> str | None:
    """Name another journal that this database belongs to."""
    row = reader.execute(_TRACKING["others"], {"application_name": stream}).fetchone()
    return None if row is None else str(row[0])


def advance(database: Database, stream: str, seq: int) -> None:
    """Move a position, inside the transaction of what it stands for."""
    moved = database.execute(_TRACKING["advance"], {"application_name": stream, "notification_id": seq})
    if moved.fetchone() is None:
        raise IntegrityError(f"{database.name} has folded {stream} to {seq} or beyond already")
