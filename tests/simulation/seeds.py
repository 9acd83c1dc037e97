"""Many seeds, on as many cores as there are."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.simulation.mutants import planted
from tests.simulation.runner import Outcome, run_seed

SEEDS_AT_A_TIME = 4


def outcomes(seeds: range, plant: str | None, jobs: int) -> Iterator[Outcome]:
    """Give outcomes in the order of their seeds, however many processes work on them."""
    if jobs <= 1:
        yield from (outcome(plant, seed) for seed in seeds)
        return
    pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield from pool.map(partial(outcome, plant), seeds, chunksize=SEEDS_AT_A_TIME)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def outcome(plant: str | None, seed: int) -> Outcome:
    """Run one seed, with one transition broken if so wished."""
    with planted(plant):
        return run_seed(seed)
