"""When the chain gets a checkpoint."""

from datetime import timedelta

from contracts.audit import ChainCheckpoint
from projections.chain import Chain
from services.audit.decider import Cadence, Coverage, decide, evolve
from tests.story_events import OPEN, approved, kill

CADENCE = Cadence(events_max=3, age_max_ms=60_000)
_, FACT = kill()


def checkpoint(upto_seq):
    return ChainCheckpoint(epoch=1, at=OPEN, upto_seq=upto_seq, digest="00")


def due(coverage, seq, *, after_s=0):
    chain = Chain(seq=seq, digest=b"\x01" * 32)
    return decide(coverage, chain, OPEN + timedelta(seconds=after_s), epoch=7, cadence=CADENCE)


def test_nothing_is_due_without_events():
    assert due(Coverage(), 0, after_s=10_000) is None


def test_checkpoint_is_due_after_so_many_events():
    coverage = Coverage()
    for seq in (1, 2):
        coverage = evolve(coverage, FACT, seq)
        assert due(coverage, seq) is None
    coverage = evolve(coverage, FACT, 3)
    written = due(coverage, 3)
    assert (written.upto_seq, written.digest, written.epoch) == (3, "01" * 32, 7)


def test_checkpoint_is_due_when_the_oldest_event_has_waited_long_enough():
    coverage = evolve(Coverage(), FACT, 1)
    coverage = evolve(coverage, approved("i1", after_s=30)[1], 2)
    assert due(coverage, 2, after_s=59) is None
    assert due(coverage, 2, after_s=60).upto_seq == 2


def test_checkpoints_alone_never_call_for_another():
    coverage = evolve(evolve(Coverage(), FACT, 1), checkpoint(1), 2)
    assert due(coverage, 2, after_s=10_000) is None
    for seq in range(3, 20):
        coverage = evolve(coverage, checkpoint(seq - 1), seq)
        assert due(coverage, seq, after_s=10_000) is None


def test_our_own_checkpoint_counts_as_soon_as_it_is_stored_and_once():
    coverage = evolve(Coverage(), FACT, 1)
    known_early = evolve(coverage, checkpoint(1), 3)
    assert due(known_early, 1, after_s=60) is None
    between = evolve(known_early, FACT, 2)
    assert evolve(between, checkpoint(1), 3) == between
    assert due(between, 3, after_s=60).upto_seq == 3


def test_events_between_a_checkpoint_and_what_it_covers_still_wait():
    coverage = evolve(evolve(Coverage(), FACT, 1), FACT, 2)
    coverage = evolve(coverage, checkpoint(1), 3)
    assert due(coverage, 3, after_s=60).upto_seq == 3
