"""The read models as their one writer sees them: rows and position move together, or not at all."""

from datetime import date

import msgspec
from immutables import Map

from contracts import subjects
from contracts.audit import ChainCheckpoint
from contracts.codec import decode_event
from contracts.ids import AccountId, OrderId, Symbol
from contracts.market import RegimeChanged
from projections import state_codec
from projections.chain import Chain, genesis
from projections.fence import OPEN_FENCE, Fence, raise_fence
from projections.order_state import OrderState
from projections.sql import rows, tables
from projections.sql.database import Database, IntegrityError
from projections.sql.fold import FoldState
from projections.sql.ledger import LedgerState
from projections.sql.rows import DayPnl
from projections.sql.statements import statements
from projections.sql.story import order_at
from projections.sql.tables import Changes, Row
from projections.sql.tracking import advance, other_journal, position_of
from projections.trail import TrailState

_TRAIL = statements("trail")
_FOLD = statements("fold_state")
_NAME = "journal"
SCHEMA = f"{state_codec.SCHEMA}/fold-2"
"""Change this with the shape of `FoldState` or with what its fold makes of events."""


class ForeignJournalError(Exception):
    """The database holds the read models of another account."""


class _Saved(msgspec.Struct):
    ledger: LedgerState
    day: date | None
    pnl: dict[Symbol, DayPnl]


_encoder = msgspec.json.Encoder(enc_hook=state_codec.to_plain, order="deterministic")
_decoder = msgspec.json.Decoder(_Saved, dec_hook=state_codec.from_plain)


class Store:
    """One account's open read models."""

    def __init__(self, database: Database, account: AccountId) -> None:
        """Use an open database; raise `ForeignJournalError` when it belongs to another account."""
        self.database = database
        self._account = account
        self._stream = subjects.journal_stream(account)
        other = other_journal(database, self._stream)
        if other is not None:
            database.close()
            raise ForeignJournalError(f"{database.name} holds the trail of {other}, not of {self._stream}")

    @property
    def name(self) -> str:
        """Say which database this is."""
        return self.database.name

    def close(self) -> None:
        """Let the database go."""
        self.database.close()

    def is_in_place(self) -> bool:
        """Say whether what is open here is still what others find."""
        return self.database.is_in_place()

    def position(self) -> int:
        """Give the last journal sequence that is folded, 0 when there is none."""
        return position_of(self.database, self._stream) or 0

    def digest_at(self, seq: int) -> str | None:
        """Give the chain's digest (hex) up to a sequence; None when the trail does not reach it."""
        if seq == 0:
            return genesis(self._account).digest.hex()
        row = self.database.execute(_TRAIL["digest_at"], {"seq": seq}).fetchone()
        return None if row is None else str(row[0])

    def trail_at(self, seq: int) -> TrailState:
        """Give the trail's state as it stood after a sequence; raise `IntegrityError` when that row is missing."""
        digest = self.digest_at(seq)
        if digest is None:
            raise IntegrityError(f"{self.name} has no row {seq}, yet claims to stand at {self.position()}")
        return TrailState(chain=Chain(seq=seq, digest=bytes.fromhex(digest)), fence=self._fence_at(seq))

    def saved_fold(self) -> tuple[int, FoldState]:
        """Give the fold's last saved state and the sequence it stood at; the beginning when there is none."""
        row = self.database.execute(_FOLD["load"], {"name": _NAME}).fetchone()
        if row is None or row["schema"] != SCHEMA or row["seq"] > self.position():
            return 0, FoldState()
        return int(row["seq"]), decode_fold(bytes(row["state"]))

    def checkpoint_at(self, seq: int) -> ChainCheckpoint | None:
        """Give the last valid checkpoint at or before a sequence."""
        row = self.database.execute(_TRAIL["checkpoint_upto"], {"seq": seq}).fetchone()
        event = None if row is None else decode_event(row["body"])
        return event if isinstance(event, ChainCheckpoint) else None

    def last_fact_at(self, seq: int) -> int:
        """Give the sequence of the last event at or before a sequence that is no checkpoint, 0 when there is none."""
        row = self.database.execute(_TRAIL["fact_upto"], {"seq": seq}).fetchone()
        return 0 if row is None else int(row["seq"])

    def order(self, order_id: OrderId) -> OrderState | None:
        """Give an order as its stored rows tell it."""
        return order_at(self.database, order_id)

    def symbol_of(self, order_id: OrderId) -> Symbol | None:
        """Give the first symbol among an order's stored rows."""
        row = self.database.execute(_TRAIL["symbol_of_order"], {"order_id": order_id}).fetchone()
        return None if row is None else Symbol(row[0])

    def save_fold(self, seq: int, state: FoldState) -> None:
        """Keep the fold's state as it stood after a sequence, which must be stored already."""
        saved = {"name": _NAME, "seq": seq, "schema": SCHEMA, "state": encode_fold(state)}
        with self.database.transaction():
            self.database.execute(_FOLD["save"], saved)

    def apply(self, changes: Changes) -> None:
        """Store what a batch changed and move the position to its end, in one transaction.

        Raises `IntegrityError`, and changes nothing, when the batch is not the very next one.
        """
        trail = changes.added[tables.TRAIL]
        first, last = _seq(trail[0]), _seq(trail[-1])
        with self.database.transaction():
            position = self.position()
            if first != position + 1:
                raise IntegrityError(f"{self.name} stands at {position}: rows from {first} cannot follow")
            advance(self.database, self._stream, last)
            for table, added in changes.added.items():
                if added:
                    self.database.add(table, added)
            for table, replaced in changes.replaced.items():
                if replaced:
                    self.database.replace(table, replaced)

    def regime_position(self) -> int:
        """Give the last sequence of the stream of regimes that is folded."""
        return position_of(self.database, subjects.REGIME_STREAM) or 0

    def apply_regimes(self, changes: list[tuple[int, RegimeChanged]]) -> None:
        """Store regime changes with their place in the stream of regimes."""
        with self.database.transaction():
            advance(self.database, subjects.REGIME_STREAM, changes[-1][0])
            self.database.add(tables.REGIME_CHANGES, [rows.of_regime(change, seq) for seq, change in changes])

    def _fence_at(self, seq: int) -> Fence:
        fence = OPEN_FENCE
        for (body,) in self.database.execute(_TRAIL["epochs_upto"], {"seq": seq}):
            fence = raise_fence(fence, decode_event(body))
        return fence


def encode_fold(state: FoldState) -> bytes:
    """Write a fold's state."""
    return _encoder.encode(_Saved(state.ledger, state.day, dict(state.pnl)))


def decode_fold(body: bytes) -> FoldState:
    """Read a fold's state back."""
    saved = _decoder.decode(body)
    return FoldState(ledger=saved.ledger, day=saved.day, pnl=Map(saved.pnl))


def _seq(row: Row) -> int:
    seq = row[0]
    assert isinstance(seq, int)  # noqa: S101 - the type checker cannot see that a trail's first column is its sequence
    return seq
