"""Runs many seeds of the whole-system simulation, or tells the story of one."""

import argparse
import os
import sys
import time
from pathlib import Path

from tests.simulation.long_journal import write_journal
from tests.simulation.mutants import MUTANTS, planted
from tests.simulation.runner import Outcome, judged, ran, story
from tests.simulation.seeds import outcomes

SHOW_EVERY_S = 5.0


def main() -> int:
    """Run, print, and give the exit code: 0 when every seed is clean, 1 at the first violation."""
    parser = argparse.ArgumentParser(prog="lockgate simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds to run (default 200)")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed (default 0)")
    parser.add_argument("--seed", type=int, help="run this one seed only")
    parser.add_argument("--story", action="store_true", help="with --seed: tell everything that happened")
    parser.add_argument("--plant", choices=sorted(MUTANTS), help="break one transition, to see that it is found")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes to use (default: every core)"
    )
    parser.add_argument("--journal", type=int, metavar="N", help="write a realistic journal of N events instead")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="with --journal: an empty folder for the export")
    chosen = parser.parse_args()
    if chosen.journal is not None:
        return _journal(parser, chosen)
    if chosen.seed is not None:
        with planted(chosen.plant):
            return _one(chosen.seed, tell=chosen.story)
    return _many(range(chosen.first, chosen.first + chosen.seeds), chosen.plant, chosen.jobs)


def _journal(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> int:
    """Write a journal as an export: JSON Lines and their manifest."""
    if chosen.into is None or chosen.journal < 1:
        parser.error("--journal takes how many events to write, and needs --into FOLDER")
    began = time.monotonic()
    manifest = write_journal(chosen.journal, chosen.into, chosen.seed or 0)
    took_s = time.monotonic() - began
    say(f"wrote {manifest.count} events to {chosen.into / manifest.file} in {took_s:.1f} s, unsigned")
    say(f"into an empty account: lockgate import {chosen.into}")
    return 0


def _one(seed: int, *, tell: bool) -> int:
    world = ran(seed)
    outcome = judged(world)
    if tell:
        say("\n".join(story(world)))
    say(
        f"seed {seed}: {outcome.events} events, {outcome.orders} orders, {outcome.fills} fills, "
        f"{world.loop.time():.0f} s of virtual time, digest {outcome.digest}"
    )
    _show_faults(outcome)
    return 1 if outcome.faults else 0


def _many(seeds: range, plant: str | None, jobs: int) -> int:
    began = shown = time.monotonic()
    events = done = 0
    for outcome in outcomes(seeds, plant, jobs):
        done, events = done + 1, events + outcome.events
        if outcome.faults:
            _show_violation(outcome, plant, done - 1)
            return 1
        if time.monotonic() - shown >= SHOW_EVERY_S:
            shown = time.monotonic()
            say(f"{done} of {len(seeds)} seeds, {done / (shown - began):.1f} seeds/s, {events} events")
    took_s = time.monotonic() - began
    say(f"{done} seeds clean in {took_s:.1f} s: {done / took_s:.1f} seeds/s, {events} events, {jobs} jobs")
    return 0


def _show_violation(outcome: Outcome, plant: str | None, clean: int) -> None:
    """Run the seed again for its story: it is the same one."""
    with planted(plant):
        say("\n".join(story(ran(outcome.seed))))
    say(f"seed {outcome.seed} is the first violation, after {clean} clean seeds; its story is above")
    _show_faults(outcome)
    again = f" --plant {plant}" if plant else ""
    say(f"again: lockgate simulate --seed {outcome.seed} --story{again}")


def say(text: str) -> None:
    """Print one piece of text at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _show_faults(outcome: Outcome) -> None:
    for fault in outcome.faults:
        say(f"  violated: {fault}")


if __name__ == "__main__":
    sys.exit(main())
