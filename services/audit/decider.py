"""When the hash chain gets a checkpoint: after so many events, or so long after the first one that has none."""

from datetime import datetime

from msgspec.structs import replace

from contracts.audit import ChainCheckpoint
from contracts.base import Value
from contracts.codec import JournalEvent
from projections.chain import Chain


class Cadence(Value, frozen=True, kw_only=True):
    """How many events, and how many milliseconds, may pass before they are covered by a checkpoint."""

    events_max: int = 1_000
    age_max_ms: int = 60_000


class Coverage(Value, frozen=True, kw_only=True):
    """What the last checkpoint covers, and what has come since.

    `bare_since` is the time from which events that are no checkpoints wait to be covered; without any there is
    nothing to do, so checkpoints never call for checkpoints.
    """

    covered_seq: int = 0
    fact_seq: int = 0
    bare_since: datetime | None = None


def decide(
    coverage: Coverage, chain: Chain, now: datetime, *, epoch: int, cadence: Cadence
) -> ChainCheckpoint | None:
    """Say whether the chain as it stands is due for a checkpoint."""
    if coverage.bare_since is None:
        return None
    age_ms = (now - coverage.bare_since).total_seconds() * 1000
    if chain.seq - coverage.covered_seq < cadence.events_max and age_ms < cadence.age_max_ms:
        return None
    return ChainCheckpoint(
        epoch=epoch, at=now, upto_seq=chain.seq, digest=chain.digest.hex(), causation_seq=chain.seq
    )


def evolve(coverage: Coverage, event: JournalEvent, seq: int) -> Coverage:
    """Fold one valid event, in journal order; our own checkpoint may be folded as soon as it is stored."""
    if not isinstance(event, ChainCheckpoint):
        return replace(coverage, fact_seq=seq, bare_since=coverage.bare_since or event.at)
    if event.upto_seq <= coverage.covered_seq:
        return coverage
    still_bare = coverage.fact_seq > event.upto_seq
    return replace(coverage, covered_seq=event.upto_seq, bare_since=event.at if still_bare else None)
