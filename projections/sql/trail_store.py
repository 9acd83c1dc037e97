"""The trail in SQLite, as its one writer sees it: rows and the position move together, or not at all.

The position follows the tracking contract of the `eventsourcing` library: one row for each upstream log, strictly
increasing, and `IntegrityError` for anybody who would fold the same stretch twice.
"""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec.structs import asdict

from contracts import subjects
from contracts.audit import ChainCheckpoint
from contracts.codec import decode_event
from contracts.ids import AccountId
from projections.chain import Chain, genesis
from projections.fence import OPEN_FENCE, Fence, raise_fence
from projections.sql.sqlite import open_writer
from projections.sql.statements import statements
from projections.trail import TrailRow, TrailState

_TRAIL = statements("trail")
_TRACKING = statements("tracking")


class IntegrityError(Exception):
    """Another writer has folded this stretch already, or the rows and the position do not belong together."""


class ForeignTrailError(Exception):
    """The database holds the trail of another account."""


class TrailStore:
    """One open trail database; `identity` is that of the file it was opened on."""

    def __init__(self, path: Path, account: AccountId) -> None:
        """Open or make the database; raise `ForeignTrailError` when it belongs to another account."""
        self.path = path
        self._account = account
        self._application = subjects.journal_stream(account)
        self._connection = open_writer(path)
        self._identity = _identity(path)
        others = self._connection.execute(_TRACKING["others"], {"application_name": self._application}).fetchone()
        if others is not None:
            self.close()
            raise ForeignTrailError(f"{path} holds the trail of {others[0]}, not of {self._application}")

    def close(self) -> None:
        """Let the database go."""
        self._connection.close()

    def is_in_place(self) -> bool:
        """Say whether the path still leads to the file that is open here."""
        return _identity(self.path) == self._identity

    def position(self) -> int:
        """Give the last journal sequence that is folded, 0 when there is none."""
        row = self._connection.execute(_TRACKING["position"], {"application_name": self._application}).fetchone()
        return 0 if row is None else int(row[0])

    def digest_at(self, seq: int) -> str | None:
        """Give the chain's digest (hex) up to a sequence; None when the trail does not reach it."""
        if seq == 0:
            return genesis(self._account).digest.hex()
        row = self._connection.execute(_TRAIL["digest_at"], {"seq": seq}).fetchone()
        return None if row is None else str(row[0])

    def state_at(self, seq: int) -> TrailState:
        """Give the fold's state as it stood after a sequence; raise `IntegrityError` when that row is missing."""
        digest = self.digest_at(seq)
        if digest is None:
            raise IntegrityError(f"{self.path} has no row {seq}, yet claims to stand at {self.position()}")
        return TrailState(chain=Chain(seq=seq, digest=bytes.fromhex(digest)), fence=self._fence_at(seq))

    def checkpoint_at(self, seq: int) -> ChainCheckpoint | None:
        """Give the last valid checkpoint at or before a sequence."""
        row = self._connection.execute(_TRAIL["checkpoint_upto"], {"seq": seq}).fetchone()
        event = None if row is None else decode_event(row["body"])
        return event if isinstance(event, ChainCheckpoint) else None

    def last_fact_at(self, seq: int) -> int:
        """Give the sequence of the last event at or before a sequence that is no checkpoint, 0 when there is none."""
        row = self._connection.execute(_TRAIL["fact_upto"], {"seq": seq}).fetchone()
        return 0 if row is None else int(row["seq"])

    def apply(self, rows: Sequence[TrailRow]) -> None:
        """Store rows and move the position to the last of them, in one transaction.

        Raises `IntegrityError`, and changes nothing, when the first row is not the very next one.
        """
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._advance(rows[0].seq, rows[-1].seq)
            connection.executemany(_TRAIL["insert"], (_parameters(row) for row in rows))
        except sqlite3.IntegrityError as error:
            connection.execute("ROLLBACK")
            raise IntegrityError(f"{self.path}: {error}") from error
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def _advance(self, first: int, last: int) -> None:
        position = self.position()
        if first != position + 1:
            raise IntegrityError(f"{self.path} stands at {position}: rows from {first} cannot follow")
        moved = {"application_name": self._application, "notification_id": last}
        if self._connection.execute(_TRACKING["advance"], moved).fetchone() is None:
            raise IntegrityError(f"{self.path} stands at or beyond {last} already")

    def _fence_at(self, seq: int) -> Fence:
        fence = OPEN_FENCE
        for (body,) in self._connection.execute(_TRAIL["epochs_upto"], {"seq": seq}):
            fence = raise_fence(fence, decode_event(body))
        return fence


def time_text(at: datetime) -> str:
    """Write a UTC moment in the one form that the trail uses, so that text order is time order."""
    return at.isoformat(timespec="microseconds")


def _parameters(row: TrailRow) -> dict[str, Any]:
    return asdict(row) | {"at": time_text(row.at), "event_at": time_text(row.event_at), "admitted": int(row.admitted)}


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
