"""`lockgate tail`: the journal, readable."""

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from contracts.ids import AccountId
from services.cli.lines import line_of
from services.cli.link import linked, operator_at
from services.cli.outcome import OK, UsageError
from services.cli.terminal import AsJson, Home, chosen_home, console, say
from services.runtime.jetstream import JetStreamJournal
from services.runtime.ports import Recorded

SHOWN_BEFORE = 20
From = Annotated[int | None, Parameter(name="--from", validator=Number(gte=1))]


def tail(*, from_seq: From = None, follow: bool = True, home: Home = None, as_json: AsJson = False) -> int:
    """Show the journal as it grows, one line for each event.

    ```
    lockgate tail
    lockgate tail --from 1 --no-follow
    lockgate tail --json | jq .event.type
    ```

    Args:
        from_seq: Begin at this journal sequence; the last twenty events when left out.
        follow: Go on for ever, or stop at what is there now.
        home: The instance's folder.
        as_json: Print each event as one line of JSON, as it stands in the journal.
    """
    asyncio.run(_tail(chosen_home(home), from_seq, follow=follow, as_json=as_json))
    return OK


async def _tail(home: Path, from_seq: int | None, *, follow: bool, as_json: bool) -> None:
    who = operator_at(home)
    terminal = console()
    async with linked(who, reconnect=follow) as link:
        journal = JetStreamJournal(link, AccountId(who.account))
        last_seq = await journal.last_seq()
        after = max(last_seq - SHOWN_BEFORE, 0) if from_seq is None else max(from_seq - 1, 0)
        if after > last_seq:
            raise UsageError(f"the journal ends at {last_seq}, before {from_seq}")
        if after == last_seq and not follow:
            return
        async for recorded in journal.read(after=after):
            if as_json:
                say(as_record(recorded))
            else:
                line = line_of(recorded.seq, recorded.event)
                terminal.tell(str(line), line.style)
            if not follow and recorded.seq >= last_seq:
                return


def as_record(recorded: Recorded) -> str:
    """Write one event with its place, the event itself byte for byte as it was stored."""
    record = {
        "seq": recorded.seq,
        "subject": recorded.subject,
        "at": recorded.at,
        "event": msgspec.Raw(recorded.body),
    }
    return msgspec.json.encode(record).decode()
