"""`lockgate trips`: where trading stopped by itself, and a person's word that lets it go on."""

import asyncio
from datetime import datetime
from typing import Literal

from contracts import subjects
from contracts.controls import TripReset
from contracts.ids import AccountId
from contracts.scopes import ACCOUNT
from projections import account
from projections.account import EMPTY, AccountState
from projections.guard import Trip, TripEnd
from projections.health import Ailment, ailments
from services.cli.controls import given_reason, person
from services.cli.lines import BAD
from services.cli.link import linked, operator_at
from services.cli.outcome import OK, UsageError
from services.cli.source import events_of
from services.cli.terminal import AsJson, Home, chosen_home, console, say, say_json
from services.runtime.clock import SystemClock
from services.runtime.jetstream import JetStreamJournal


def trips(
    what: Literal["list", "reset"],
    scope: str | None = None,
    trip: str | None = None,
    /,
    *,
    reason: str | None = None,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Show where trading stopped by itself (`list`), or let it go on (`reset SCOPE TRIP`).

    Where something tripped only orders that reduce a position pass. A loss lets go by itself once it is back by the
    hysteresis, what happened too often after the cool-down; repeated execution waits for a person. A loss that was
    reset trips again as soon as it is next seen at its limit. `list` also tells which gate of safety health is closed
    (old books, a blind watch, a wrong clock); such a gate opens by itself once it has been well for a while.

    ```
    lockgate trips list
    lockgate trips reset agent.demo reject_streak --reason "the broker had its limits wrong, and has put them right"
    ```

    Args:
        what: list or reset.
        scope: For reset: account, agent.NAME, strategy.NAME or symbol.NAME.
        trip: For reset: the trip's name, as list shows it.
        reason: Why trading may go on, for the record; needed to reset.
        home: The instance's folder.
        as_json: Print JSON for programs.
    """
    if what == "reset":
        return asyncio.run(_reset(scope or ACCOUNT, trip or "", given_reason(reason or ""), home))
    state, now = asyncio.run(_list(home))
    standing, gates = standing_in(state, now), closed_gates(state, now)
    if as_json:
        say_json((*standing, *({"scope": ACCOUNT} | one._asdict() for one in gates)))
        return OK
    lines = (*map(line_of, standing), *map(line_of_gate, gates))
    terminal = console()
    for line in lines:
        terminal.tell(line, BAD)
    if not lines:
        say("nothing has tripped")
    return OK


def line_of(trip: Trip) -> str:
    """Tell one trip in a line: whose, what, since when, and what ends it."""
    since = f"since {trip.since.isoformat(timespec='seconds')}, journal {trip.seq}"
    until = "" if trip.until is None else f", not before {trip.until.isoformat(timespec='seconds')}"
    ends = {
        TripEnd.PERSON: "a person must reset it",
        TripEnd.COOLDOWN: f"it ends by itself{until}",
        TripEnd.RECOVERY: f"it ends when the figure is back{until}",
    }
    return f"{trip.scope} {trip.name}: {trip.detail} ({since}); {ends[trip.ends]}"


def line_of_gate(closed: Ailment) -> str:
    """Tell one closed gate of safety health in a line: which, why, and since when."""
    since = "" if closed.since is None else f" (since {closed.since.isoformat(timespec='seconds')})"
    return f"{ACCOUNT} {closed.name}: {closed.detail}{since}; it opens by itself once it has been well for a while"


def closed_gates(state: AccountState, now: datetime) -> tuple[Ailment, ...]:
    """Give the gates of safety health that keep new risk out at a moment."""
    return () if state.limits is None else tuple(ailments(state.guard.health, state.limits, now))


def standing_in(state: AccountState, now: datetime) -> tuple[Trip, ...]:
    """Give the trips that stand at a moment, in the order of scopes."""
    return tuple(trip for _, trips in sorted(state.guard.trips.items()) for trip in trips if trip.stands(now))


def chosen(standing: tuple[Trip, ...], scope: str, name: str) -> Trip:
    """Find the trip that somebody means; raise `UsageError` naming those that stand when it is none of them."""
    found = next((trip for trip in standing if trip.scope == scope and trip.name == name), None)
    if found is not None:
        return found
    named = ", ".join(f"{trip.scope} {trip.name}" for trip in standing) or "none"
    raise UsageError(f"{scope} {name or '(no trip named)'} has not tripped; these have: {named}")


async def _list(home: Home) -> tuple[AccountState, datetime]:
    who = operator_at(chosen_home(home))
    async with linked(who) as link:
        return await _folded(JetStreamJournal(link, AccountId(who.account))), SystemClock().now()


async def _reset(scope: str, name: str, reason: str, home: Home) -> int:
    who, now = operator_at(chosen_home(home)), SystemClock().now()
    async with linked(who) as link:
        journal = JetStreamJournal(link, AccountId(who.account))
        found = chosen(standing_in(await _folded(journal), now), scope, name)
        event = TripReset(epoch=0, at=now, scope=found.scope, trip=found.name, by=person(), reason=reason)
        seq = await journal.append(subjects.control(journal.account), event)
    say(f"{found.name} of {found.scope} is reset (journal sequence {seq})")
    return OK


async def _folded(journal: JetStreamJournal) -> AccountState:
    """Fold the journal up to now."""
    folded = EMPTY
    async for told in events_of(journal, "folding"):
        if told.admitted:
            folded = account.evolve(folded, told.event, told.seq)
    return folded
