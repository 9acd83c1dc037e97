"""Proves, or disproves, that journal, signed checkpoints and trail tell the same."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from contracts.audit import ChainCheckpoint, SignedCheckpoint
from contracts.base import Value
from contracts.codec import UndecodableError, decode_event
from projections.chain import (
    DIGEST_BYTES,
    FINGERPRINT_BYTES,
    Chain,
    ChainGapError,
    Link,
    extend,
    fingerprint,
    genesis,
)
from projections.fence import OPEN_FENCE, admits, raise_fence
from projections.sql.database import Reader
from projections.sql.trail import digests, position
from services.runtime.ports import JournalGapError, RawJournal, Received
from services.runtime.reading import catch_up_raw

DIGESTS_PER_READ = 5_000

type OnMessage = Callable[[int], object]


class Verdict(Value, frozen=True, kw_only=True):
    """What a verification found: how much was compared, and the first sequence at which something is wrong.

    `checkpoints` counts those inside the journal, `signed_checkpoints` those outside; up to `signed_upto_seq` nothing
    can have been changed since it was signed.
    """

    events: int
    checkpoints: int
    digest: str
    signed_checkpoints: int = 0
    signed_upto_seq: int = 0
    bad_seq: int | None = None
    fault: str = ""

    @property
    def is_clean(self) -> bool:
        """Say whether everything agrees."""
        return self.bad_seq is None


class Notarized:
    """Holds signed checkpoints, already checked for themselves, against the journal's messages as they come."""

    def __init__(self, row: Sequence[SignedCheckpoint]) -> None:
        """Take a row of checkpoints, oldest first."""
        self.passed = 0
        self.upto_seq = 0
        self.end_seq = row[-1].upto_seq if row else 0
        self._due = deque(row)

    def take(self, link: Link, chain: Chain) -> str | None:
        """Compare one message; give what is wrong with it."""
        if not self._due or link.seq <= self._due[0].after_seq:
            return None
        due = self._due[0]
        at = (link.seq - due.after_seq - 1) * FINGERPRINT_BYTES
        if due.fingerprints[at : at + FINGERPRINT_BYTES] != fingerprint(link):
            return f"this is not the message that was signed in checkpoint {due.number}"
        if link.seq < due.upto_seq:
            return None
        if chain.digest.hex() != due.digest:
            return (
                f"up to here signed checkpoint {due.number} has {due.digest}, the journal gives {chain.digest.hex()}"
            )
        self._due.popleft()
        self.passed, self.upto_seq = self.passed + 1, due.upto_seq
        return None


class _Comparison:
    """The state of one verification: the chain so far, and the digests that checkpoints may ask for."""

    def __init__(self, start: Chain, recorded: Iterator[tuple[int, str]], notarized: Notarized) -> None:
        self.chain = start
        self.checkpoints = 0
        self.notarized = notarized
        self._fence = OPEN_FENCE
        self._recorded = recorded
        self._digests = bytearray(start.digest)

    def take(self, received: Received) -> str | None:
        """Compare one message; give what is wrong with it."""
        link = link_of_raw(received)
        self.chain = extend(self.chain, link)
        self._digests += self.chain.digest
        return self.notarized.take(link, self.chain) or self._against_trail() or self._in_itself(received)

    def _against_trail(self) -> str | None:
        row = next(self._recorded, None)
        if row is None or row == (self.chain.seq, self.chain.digest.hex()):
            return None
        found = self.chain.digest.hex()
        return f"the trail has {row[1]} at {row[0]}, the journal gives {found} at {self.chain.seq}"

    def _in_itself(self, received: Received) -> str | None:
        try:
            event = decode_event(received.body)
        except UndecodableError as error:
            return f"this is no journal event: {error}"
        if not admits(self._fence, event):
            return None
        self._fence = raise_fence(self._fence, event)
        return self._against(event) if isinstance(event, ChainCheckpoint) else None

    def _against(self, checkpoint: ChainCheckpoint) -> str | None:
        self.checkpoints += 1
        if not 0 <= checkpoint.upto_seq < self.chain.seq:
            return f"a checkpoint speaks of sequence {checkpoint.upto_seq}, which does not stand before it"
        at = checkpoint.upto_seq * DIGEST_BYTES
        found = self._digests[at : at + DIGEST_BYTES].hex()
        if found == checkpoint.digest:
            return None
        return f"up to {checkpoint.upto_seq} a checkpoint has {checkpoint.digest}, the journal gives {found}"


async def verify(
    journal: RawJournal,
    trail: Reader | None = None,
    signed: Sequence[SignedCheckpoint] = (),
    on_message: OnMessage | None = None,
) -> Verdict:
    """Compute the chain again from the journal alone; compare it with every checkpoint and with the trail.

    `signed` are checkpoints kept outside, whose signatures were checked. Stops at the first fault. With signed
    checkpoints or a trail that is the very message that was changed; a checkpoint inside the journal only says that
    something at or before it was. The journal is read up to where it ends now; a trail that lags behind is compared
    as far as it goes.
    """
    comparison = _Comparison(genesis(journal.account), _recorded_digests(trail), Notarized(signed))
    last_seq = await journal.last_seq()
    try:
        async for received in catch_up_raw(journal, 0, last_seq):
            fault = comparison.take(received)
            if fault is not None:
                return _verdict(comparison, received.seq, fault)
            if on_message is not None:
                on_message(received.seq)
    except (JournalGapError, ChainGapError) as gap:
        return _verdict(comparison, comparison.chain.seq + 1, str(gap))
    ended = _ended_early(trail, comparison.notarized.end_seq, await journal.last_seq())
    return _verdict(comparison, None if ended is None else last_seq + 1, ended or "")


def link_of_raw(received: Received) -> Link:
    """Give a stored message as the chain sees it."""
    return Link(seq=received.seq, subject=received.subject, body=received.body, headers=received.headers)


def _ended_early(trail: Reader | None, signed_seq: int, last_seq: int) -> str | None:
    """Say by what the journal went on beyond its end, if it ever did."""
    if signed_seq > last_seq:
        return f"the journal ends before this, and messages up to {signed_seq} were signed: its tail was cut off"
    known_seq = 0 if trail is None else position(trail)
    return f"the trail goes on to {known_seq}, the journal ends before this" if known_seq > last_seq else None


def _recorded_digests(trail: Reader | None) -> Iterator[tuple[int, str]]:
    after_seq = 0
    while trail is not None and (found := digests(trail, after_seq, DIGESTS_PER_READ)):
        yield from found
        after_seq = found[-1][0]


def _verdict(comparison: _Comparison, bad_seq: int | None, fault: str) -> Verdict:
    return Verdict(
        events=comparison.chain.seq,
        checkpoints=comparison.checkpoints,
        digest=comparison.chain.digest.hex(),
        signed_checkpoints=comparison.notarized.passed,
        signed_upto_seq=comparison.notarized.upto_seq,
        bad_seq=bad_seq,
        fault=fault,
    )
