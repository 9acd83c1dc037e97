"""Runs one seed and judges it."""

import gc
import hashlib
from dataclasses import dataclass

from tests.simulation.checks import answers, exposure, folds, sending, truth
from tests.simulation.checks.reading import valid
from tests.simulation.world import World

FAULTS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one seed: what was wrong, how much happened, and a digest of all of it."""

    seed: int
    faults: tuple[str, ...]
    events: int
    orders: int
    fills: int
    digest: str


def run_seed(seed: int) -> Outcome:
    """Run one seed and check everything."""
    return judged(ran(seed))


def ran(seed: int) -> World:
    """Run one seed; no garbage is collected meanwhile, whose time nobody could foretell."""
    gc.disable()
    try:
        world = World(seed)
        world.run()
    finally:
        gc.enable()
    return world


def judged(world: World) -> Outcome:
    """Hold every check against a run."""
    entries = list(valid(world.server.journal.events))
    faults = [
        *answers.nothing_broke(world),
        *sending.every_order_was_approved(world, entries),
        *sending.nothing_goes_twice(world),
        *exposure.approvals_within_limits(entries),
        *exposure.nothing_else_raises_it(world, entries),
        *answers.every_intent_is_decided_once(world),
        *truth.the_books_agree(world, entries),
        *folds.live_equals_replayed(world),
        *folds.nothing_is_reserved(world),
        *folds.decisions_rederive(world),
        *folds.the_chain_holds(world),
    ]
    return Outcome(
        seed=world.seed,
        faults=tuple(faults[:FAULTS_SHOWN]),
        events=len(world.server.journal.events),
        orders=len(world.venue.orders),
        fills=len(world.venue.fills),
        digest=digest(world),
    )


def digest(world: World) -> str:
    """Give one hash of every byte that the run left and of everything that happened on the way."""
    sha = hashlib.sha256()
    for recorded in world.server.journal.events:
        sha.update(recorded.body + recorded.at.isoformat().encode())
    for line in world.server.story.lines([]):
        sha.update(line.encode())
    return sha.hexdigest()[:16]


def story(world: World) -> list[str]:
    """Tell what happened in a run."""
    return world.server.story.lines(world.server.journal.events)
