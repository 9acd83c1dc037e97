"""The OMS's memory: the state, the fence, and how far the journal is read. Nothing here waits or asks the clock.

There is one way for anything to become state: it stands in the journal and is read from there, in stream order,
our own events included. So what lives equals what is replayed, by construction.
"""

from datetime import datetime

import msgspec
from immutables import Map

from contracts.codec import JournalEvent
from contracts.controls import EpochTaken
from contracts.enums import Role
from contracts.ids import OrderId
from contracts.orders import OrderEvent
from projections.fence import OPEN_FENCE, Fence, admits, raise_fence
from projections.order_state import OrderState
from projections.state_codec import SCHEMA as ACCOUNT_SCHEMA
from projections.state_codec import decode_state, encode_state, from_plain, to_plain
from services.oms.ledger import Ledger
from services.oms.state import EMPTY, CancelWish, OmsState, evolve, names_of

SNAPSHOT_SCHEMA = f"oms-3/{ACCOUNT_SCHEMA}"


class FencedError(Exception):
    """Another OMS has taken over: this one must stop at once."""


class _Saved(msgspec.Struct, frozen=True, kw_only=True):
    """Where the journal was read to, the fence there, and the state, the account by its own codec."""

    read_seq: int
    fence: dict[Role, int]
    account: bytes
    ended_yesterday: list[OrderState]
    ended_before: list[OrderState]
    cancels: dict[OrderId, CancelWish]
    opened_at: datetime | None
    compared_at: datetime | None
    ledger: Ledger
    void_seqs: dict[OrderId, int] = msgspec.field(default_factory=dict[OrderId, int])


_saved_encoder = msgspec.json.Encoder(enc_hook=to_plain, order="deterministic")
_saved_decoder = msgspec.json.Decoder(_Saved, dec_hook=from_plain)


class OmsCore:
    """Folds the journal of one account."""

    def __init__(self) -> None:
        """Begin before the first event."""
        self.state: OmsState = EMPTY
        self.read_seq = 0
        self.epoch = 0
        self._fence: Fence = OPEN_FENCE
        self._void_seqs: dict[OrderId, int] = {}
        """The newest void event on an order's subject: it changes nothing, and the next one must stand after it."""

    def seq_on(self, order: OrderState) -> int:
        """Give the last sequence on an order's own subject, of events that do not count too."""
        return max(order.last_seq, self.void_seq(order.order_id))

    def void_seq(self, order_id: OrderId) -> int:
        """Give the sequence of the newest event of an order that came from a fenced writer, 0 when there is none."""
        return self._void_seqs.get(order_id, 0)

    def take(self, seq: int, event: JournalEvent) -> bool:
        """Take the next event of the journal; say whether it counts. Raise `FencedError` when we were replaced."""
        self.read_seq = seq
        if not admits(self._fence, event):
            if isinstance(event, OrderEvent):
                self._void_seqs[event.order_id] = seq
            return False
        self._fence = raise_fence(self._fence, event)
        if self.epoch and isinstance(event, EpochTaken) and event.role is Role.OMS and event.epoch > self.epoch:
            raise FencedError(f"epoch {event.epoch} was taken by {event.owner}")
        self.state = evolve(self.state, event, seq)
        return True

    def save(self) -> bytes:
        """Write everything down."""
        return _saved_encoder.encode(
            _Saved(
                read_seq=self.read_seq,
                fence=dict(self._fence.items()),
                account=encode_state(self.state.account),
                ended_yesterday=_listed(self.state.ended_yesterday),
                ended_before=_listed(self.state.ended_before),
                cancels=dict(self.state.cancels.items()),
                opened_at=self.state.opened_at,
                compared_at=self.state.compared_at,
                ledger=self.state.ledger,
                void_seqs=self._void_seqs,
            )
        )

    def load(self, body: bytes) -> None:
        """Begin from a snapshot instead of from the first event."""
        saved = _saved_decoder.decode(body)
        self.read_seq = saved.read_seq
        self._fence = OPEN_FENCE.update(saved.fence)
        self._void_seqs = saved.void_seqs
        state = OmsState(
            account=decode_state(saved.account),
            ended_yesterday=_by_id(saved.ended_yesterday),
            ended_before=_by_id(saved.ended_before),
            cancels=Map(saved.cancels),
            opened_at=saved.opened_at,
            compared_at=saved.compared_at,
            ledger=saved.ledger,
        )
        self.state = msgspec.structs.replace(state, names=names_of(state.all_orders()))


def _listed(known: Map[OrderId, OrderState]) -> list[OrderState]:
    return [known[order_id] for order_id in sorted(known)]


def _by_id(known: list[OrderState]) -> Map[OrderId, OrderState]:
    return Map({order.order_id: order for order in known})
