"""`lockgate reconcile`: the differences between our books and the broker's, and a person's word that settles one."""

import asyncio
from contextlib import aclosing

from immutables import Map

from contracts import subjects
from contracts.broker import BreakFound, BreakHealed
from contracts.controls import BreakAccepted
from contracts.ids import AccountId
from projections import account
from projections.account import EMPTY, break_name
from services.cli.controls import given_reason, person
from services.cli.lines import text_of
from services.cli.link import linked, operator_at
from services.cli.outcome import FAILED, OK, CommandError, UsageError
from services.cli.source import events_of
from services.cli.terminal import Home, chosen_home, console, say
from services.runtime.clock import SystemClock
from services.runtime.jetstream import JetStreamJournal

HEALED_WITHIN_S = 30
type Standing = Map[str, BreakFound]


def reconcile(*, accept: str | None = None, reason: str | None = None, home: Home = None) -> int:
    """Show where our books and the broker's differ; with --accept, take the broker's figure of one for true.

    While a difference stands only exits pass. It goes by itself when the books agree again; accepting it brings ours
    to the broker's figure, on the record and in your name. The exit code is 1 while differences stand.

    ```
    lockgate reconcile
    lockgate reconcile --accept AAPL --reason "shares were transferred in, checked with the broker"
    lockgate reconcile --accept cash --reason "wire fee, statement of today"
    ```

    Args:
        accept: A symbol, an order id, `cash`, or kind and key as this command shows them (`position:AAPL`).
        reason: Why, for the record; needed to accept.
        home: The instance's folder.
    """
    if accept is None:
        return asyncio.run(_show(home))
    return asyncio.run(_accept(accept, given_reason(reason or ""), home))


def chosen(standing: Standing, wanted: str) -> BreakFound:
    """Find the one difference that somebody means; raise `UsageError` when there is none or more than one."""
    means = [
        found
        for name, found in sorted(standing.items())
        if wanted in {name, found.key, found.kind} or wanted.lower() == found.kind
    ]
    if len(means) == 1:
        return means[0]
    named = ", ".join(sorted(standing)) or "none"
    raise UsageError(f"{wanted!r} means {'none' if not means else 'more than one'} of those that stand: {named}")


async def _show(home: Home) -> int:
    who = operator_at(chosen_home(home))
    async with linked(who) as link:
        standing, _ = await _standing(JetStreamJournal(link, AccountId(who.account)))
    terminal = console()
    for _, found in sorted(standing.items()):
        text, style = text_of(found)
        terminal.tell(f"{text} (since {found.since.isoformat(timespec='seconds')})", style)
    if not standing:
        say("our books and the broker's agree")
    return FAILED if standing else OK


async def _accept(wanted: str, reason: str, home: Home) -> int:
    who = operator_at(chosen_home(home))
    async with linked(who) as link:
        journal = JetStreamJournal(link, AccountId(who.account))
        standing, seq = await _standing(journal)
        found = chosen(standing, wanted)
        event = BreakAccepted(
            epoch=0, at=SystemClock().now(), kind=found.kind, key=found.key, by=person(), reason=reason
        )
        await journal.append(subjects.control(journal.account), event)
        healed = await _healing(journal, found, seq)
    say(f"{break_name(found)} is settled: {healed.detail}")
    return OK


async def _standing(journal: JetStreamJournal) -> tuple[Standing, int]:
    """Fold the journal up to now; give what stands, and the sequence it was read to."""
    folded, seq = EMPTY, 0
    async for told in events_of(journal, "folding"):
        seq = told.seq
        if told.admitted:
            folded = account.evolve(folded, told.event, told.seq)
    return folded.breaks, seq


async def _healing(journal: JetStreamJournal, found: BreakFound, after: int) -> BreakHealed:
    """Wait until whoever found the difference says that it is settled."""
    name = break_name(found)
    try:
        async with asyncio.timeout(HEALED_WITHIN_S), aclosing(journal.read(after=after)) as events:
            async for recorded in events:
                if isinstance(recorded.event, BreakHealed) and break_name(recorded.event) == name:
                    return recorded.event
    except TimeoutError:
        pass
    raise CommandError(
        f"accepted, but {name} still stands after {HEALED_WITHIN_S} s: the broker's figure may have changed since; "
        "see `lockgate reconcile` and `lockgate status`"
    )
