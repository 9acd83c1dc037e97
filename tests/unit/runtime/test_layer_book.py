"""A layer is never written over one that was not read, and versions count up."""

import asyncio

import pytest

from contracts import subjects
from contracts.limits import LimitOverride
from contracts.scopes import agent_scope
from projections.standing import Standing
from services.runtime.layer_book import NothingChangesError, Stated, Written, change_layer, controls_of
from services.runtime.memory import ManualClock, MemoryJournal
from services.runtime.ports import JournalUnavailableError
from tests.risk_world import NOW, PAPER, kill
from tests.unit.risk.rows_layers import layer

DEMO = agent_scope("demo")


class Book:
    """A journal, and a reader of its controls; other controls may come in while it reads."""

    def __init__(self, interruptions: int = 0) -> None:
        self.journal = MemoryJournal(PAPER, ManualClock(NOW))
        self._interruptions = interruptions

    async def standing_at(self, seq: int) -> Standing:
        events = [(one.seq, one.event) async for one in self._upto(seq)]
        if self._interruptions:
            self._interruptions -= 1
            await self.journal.append(subjects.control(PAPER), kill())
        return controls_of(events).standing

    async def _upto(self, seq: int):
        async for one in self.journal.read(0):
            yield one
            if one.seq >= seq:
                return

    async def set(self, limits: LimitOverride | None) -> Written:
        stated = Stated(DEMO, lambda _: limits, "ada", "why", NOW)
        if not await self.journal.last_seq():
            await self.journal.append(subjects.control(PAPER), layer("firm"))
        return await change_layer(self.journal, PAPER, self.standing_at, stated)


TIGHT = LimitOverride(max_daily_trades=5)


def test_versions_count_up_and_a_layer_can_be_taken_away() -> None:
    async def scenario() -> None:
        book = Book()
        first = await book.set(TIGHT)
        assert (first.event.version, first.event.limits, first.before) == (1, TIGHT, None)
        with pytest.raises(NothingChangesError):
            await book.set(TIGHT)
        gone = await book.set(None)
        assert (gone.event.version, gone.event.limits, gone.before) == (2, None, TIGHT)

    asyncio.run(scenario())


def test_another_control_in_between_makes_it_read_again() -> None:
    async def scenario() -> None:
        written = await Book(interruptions=3).set(TIGHT)
        assert (written.event.version, written.seq) == (1, 5)

    asyncio.run(scenario())


def test_it_gives_up_when_others_come_in_between_for_ever() -> None:
    with pytest.raises(JournalUnavailableError):
        asyncio.run(Book(interruptions=99).set(TIGHT))
