"""`lockgate events` and `lockgate timeline`: the journal's events by what they are about."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated

import msgspec
from cyclopts import Parameter

from contracts.ids import AgentId, OrderId, Symbol
from contracts.orders import OrderBusted, OrderCorrected, OrderFilled
from projections import account
from projections.account import EMPTY, AccountState
from projections.attribution import Attribution, Wanted, matches
from projections.trail import Subject
from services.cli.lines import amount, line_of
from services.cli.outcome import OK
from services.cli.points import Stretch, stretch_of
from services.cli.source import HERE, Source, Told, events_of, opened
from services.cli.tail import as_record
from services.cli.terminal import AsJson, console, say
from services.runtime.ports import Recorded

From = Annotated[str | None, Parameter(name="--from")]
To = Annotated[str | None, Parameter(name="--to")]
_MOVES = (OrderFilled, OrderBusted, OrderCorrected)


def events(  # noqa: PLR0913 - one option for each question
    *,
    type_: Annotated[str | None, Parameter(name="--type")] = None,
    from_: From = None,
    to: To = None,
    correlation: str | None = None,
    symbol: str | None = None,
    agent: str | None = None,
    order: str | None = None,
    source: Source = HERE,
    as_json: AsJson = False,
) -> int:
    """List the events that are asked for, one line each.

    ```
    lockgate events --type order.filled --symbol AAPL
    lockgate events --correlation tour-1 --json
    lockgate events --type control --from 2026-11-23 --to 2026-11-24
    ```

    Args:
        type_: A type (`order.filled`, `decision.v1`) or the beginning of one (`order`, `control`).
        from_: Begin at this sequence or time.
        to: End at this sequence or time.
        correlation: Only what belongs to this intent id.
        symbol: Only what is about this symbol.
        agent: Only what is about this agent.
        order: Only what is about this order id.
        source: The journal to read.
        as_json: Print each event as one line of JSON, as it stands in the journal.
    """
    wanted = Wanted(
        type=type_,
        correlation_id=correlation,
        symbol=None if symbol is None else Symbol(symbol.upper()),
        agent=None if agent is None else AgentId(agent),
        order_id=None if order is None else OrderId(order),
    )
    asyncio.run(_events(source, wanted, stretch_of(from_, to), as_json=as_json))
    return OK


async def _events(source: Source, wanted: Wanted, stretch: Stretch, *, as_json: bool) -> None:
    terminal = console()
    async for found in _found(source, wanted, stretch):
        if as_json:
            say(as_record(_recorded(found.told)))
        else:
            line = line_of(found.told.seq, found.told.event)
            terminal.tell(f"{line}{found.void}", line.style)


@dataclass(frozen=True, slots=True)
class _Found:
    """One wanted event, whom it is about, and the account after it."""

    told: Told
    about: Subject
    state: AccountState

    @property
    def void(self) -> str:
        """Say so when its writer had lost the right to write."""
        return "" if self.told.admitted else " VOID"


async def _found(
    source: Source, wanted: Wanted, stretch: Stretch, *, folding: bool = False
) -> AsyncGenerator[_Found, None]:
    attribution, folded, begun = Attribution(), EMPTY, False
    async with opened(source) as journal:
        async for told in events_of(journal, "reading"):
            if stretch.is_over(told.seq, told.event):
                return
            about = attribution.about(told.event, told.received.subject)
            if folding and told.admitted:
                folded = account.evolve(folded, told.event, told.seq)
            begun = begun or stretch.has_begun(told.seq, told.event)
            if begun and matches(wanted, told.event, about):
                yield _Found(told, about, folded)


def _recorded(told: Told) -> Recorded:
    raw = told.received
    return Recorded(raw.seq, raw.subject, raw.at, told.event, raw.body, raw.headers)


def timeline(
    *,
    symbol: str | None = None,
    agent: str | None = None,
    from_: From = None,
    to: To = None,
    source: Source = HERE,
    as_json: AsJson = False,
) -> int:
    """Tell what happened in order: decisions, orders, fills with the position after each, controls, the broker.

    What concerns the whole account (limits, kill switch, the broker's link) is told whatever symbol or agent is asked
    for, because it bears on all of them.

    ```
    lockgate timeline --symbol AAPL
    lockgate timeline --agent demo --from 2026-11-23T14:30Z --to 2026-11-23T15:00Z --json
    ```

    Args:
        symbol: Only this symbol.
        agent: Only this agent.
        from_: Begin at this sequence or time.
        to: End at this sequence or time.
        source: The journal to read.
        as_json: Print each moment as one line of JSON.
    """
    asyncio.run(_timeline(source, (symbol, agent), stretch_of(from_, to), as_json=as_json))
    return OK


async def _timeline(source: Source, whom: tuple[str | None, str | None], stretch: Stretch, *, as_json: bool) -> None:
    terminal = console()
    symbol = None if whom[0] is None else whom[0].upper()
    async for found in _found(source, Wanted(), stretch, folding=True):
        if not _concerns(found.about, symbol, whom[1]):
            continue
        line, held = line_of(found.told.seq, found.told.event), _held(found)
        if as_json:
            say(msgspec.json.encode(_moment(found, line.kind, line.text)).decode())
        else:
            terminal.tell(f"{line}{'' if held is None else f', {held} held then'}{found.void}", line.style)


def _concerns(about: Subject, symbol: str | None, agent: str | None) -> bool:
    if about.symbol is None and about.agent is None and about.order_id is None:
        return True
    return (symbol is None or about.symbol == symbol) and (agent is None or about.agent == agent)


def _held(found: _Found) -> str | None:
    """Give the position after an execution."""
    symbol = found.about.symbol
    if symbol is None or not isinstance(found.told.event, _MOVES):
        return None
    position = found.state.positions.get(symbol)
    return "0" if position is None else f"{amount(position.qty)} at {amount(position.avg_price)}"


def _moment(found: _Found, kind: str, text: str) -> dict[str, object]:
    about, told = found.about, found.told
    return {
        "seq": told.seq,
        "at": told.event.at,
        "kind": kind,
        "agent": about.agent,
        "intent_id": about.intent_id,
        "order_id": about.order_id,
        "symbol": about.symbol,
        "text": text,
        "held": _held(found),
        "admitted": told.admitted,
    }
