"""Signed checkpoints as a chain of their own: when one is due, what the next says, whether a row of them holds."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from contracts.audit import SignedCheckpoint
from contracts.base import Value
from contracts.codec import encode
from contracts.ids import AccountId
from projections.chain import FINGERPRINT_BYTES, Chain, Link, extend, fingerprint, genesis
from services.audit.signing import is_signed_by

NONE_BEFORE = ""


class Schedule(Value, frozen=True, kw_only=True):
    """How many messages, and how many milliseconds, may pass before a checkpoint covers them."""

    messages_max: int = 10_000
    every_ms: int = 10_000


class CheckpointFaultError(Exception):
    """A checkpoint is not what was signed, or one is missing; `seq` is the first sequence it leaves unproved."""

    def __init__(self, seq: int, told: str) -> None:
        """Remember where proof ends."""
        super().__init__(told)
        self.seq = seq


class Coverage(Value, frozen=True, kw_only=True):
    """How far the chain is followed, what the last checkpoint covers, and fingerprints of what came since."""

    chain: Chain
    number: int = 0
    previous: str = NONE_BEFORE
    covered_seq: int = 0
    fingerprints: tuple[bytes, ...] = ()


def begin(account: AccountId, last: SignedCheckpoint | None) -> Coverage:
    """Begin before the first message, or where the last checkpoint stands."""
    if last is None:
        return Coverage(chain=genesis(account))
    chain = Chain(seq=last.upto_seq, digest=bytes.fromhex(last.digest))
    return Coverage(chain=chain, number=last.number, previous=name_of(last), covered_seq=last.upto_seq)


def follow(coverage: Coverage, links: Iterable[Link]) -> Coverage:
    """Fold the next messages; raise `projections.chain.ChainGapError` when one is missing."""
    chain, marks = coverage.chain, list(coverage.fingerprints)
    for link in links:
        chain = extend(chain, link)
        marks.append(fingerprint(link))
    return Coverage(
        chain=chain,
        number=coverage.number,
        previous=coverage.previous,
        covered_seq=coverage.covered_seq,
        fingerprints=tuple(marks),
    )


def is_due(coverage: Coverage, waited_ms: int, schedule: Schedule) -> bool:
    """Say whether uncovered messages have become too many, or the oldest has waited too long.

    The first is due with the first message: a record without any signature can be rewritten as a whole.
    """
    bare = len(coverage.fingerprints)
    if coverage.number == 0:
        return bare > 0
    return bare >= schedule.messages_max or (bare > 0 and waited_ms >= schedule.every_ms)


def draft(coverage: Coverage, account: AccountId, at: datetime, code_version: str) -> SignedCheckpoint:
    """Write the next checkpoint, yet unsigned."""
    return SignedCheckpoint(
        account=account,
        number=coverage.number + 1,
        previous=coverage.previous,
        after_seq=coverage.covered_seq,
        upto_seq=coverage.chain.seq,
        digest=coverage.chain.digest.hex(),
        fingerprints=b"".join(coverage.fingerprints),
        at=at,
        code_version=code_version,
        public_key="",
    )


def name_of(checkpoint: SignedCheckpoint) -> str:
    """Give the SHA-256 (hex) by which the next checkpoint names this one."""
    return hashlib.sha256(encode(checkpoint)).hexdigest()


def check(row: Sequence[SignedCheckpoint], account: AccountId, public_key: str) -> None:
    """Raise `CheckpointFaultError` unless each was signed with this key, and each follows the one before.

    A row may begin anywhere, because older ones may have been put elsewhere; it may not have a hole.
    """
    before: SignedCheckpoint | None = None
    for one in row:
        fault = _fault_alone(one, account, public_key) or (None if before is None else _fault_after(before, one))
        if fault is not None:
            raise CheckpointFaultError(one.after_seq + 1, f"signed checkpoint {one.number} {fault}")
        before = one


def _fault_alone(one: SignedCheckpoint, account: AccountId, public_key: str) -> str | None:
    if one.account != account:
        return f"is of account {one.account}, not of {account}"
    if one.public_key != public_key:
        return f"was signed with another key ({one.public_key[:16]}…) than the trusted one ({public_key[:16]}…)"
    if not is_signed_by(one, public_key):
        return "was changed after it was signed"
    if len(one.fingerprints) != (one.upto_seq - one.after_seq) * FINGERPRINT_BYTES:
        return "does not hold a fingerprint for each message"
    return None


def _fault_after(before: SignedCheckpoint, one: SignedCheckpoint) -> str | None:
    if one.number != before.number + 1:
        return f"follows number {before.number}: those between are missing"
    if one.previous != name_of(before) or one.after_seq != before.upto_seq:
        return f"does not follow the checkpoint {before.number} that is there"
    return None
