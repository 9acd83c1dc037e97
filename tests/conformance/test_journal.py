"""The journal keeps its promises, on JetStream and in memory alike."""

import asyncio
from contextlib import aclosing

import pytest

from contracts import subjects
from services.runtime.ports import ConflictError, Journal, JournalGapError, JournalUnavailableError, Recorded
from services.runtime.reading import catch_up, catch_up_raw
from tests.conformance.journals import KINDS, event, ports_of

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("kind", KINDS)]
WAIT_S = 20


async def take(journal: Journal, count: int, after: int = 0) -> list[Recorded]:
    taken: list[Recorded] = []
    async with asyncio.timeout(WAIT_S), aclosing(journal.read(after)) as events:
        async for recorded in events:
            taken.append(recorded)
            if len(taken) == count:
                return taken
    raise AssertionError("a journal never ends")


async def test_an_empty_journal_has_no_last(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        journal = await ports.journal()
        assert await journal.last_seq() == 0
        assert await journal.last_on(subjects.control(ports.account)) is None


async def test_an_append_gives_the_next_sequence_and_is_read_back_as_it_was(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        journal = await ports.journal()
        subject = subjects.control(ports.account)
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        assert await journal.append(subject, event("first")) == 1
        assert await journal.append(subject, event("second"), traceparent=trace) == 2
        assert await journal.last_seq() == 2
        read = await take(await ports.journal(), 2)
        assert [(r.seq, r.subject, r.event.reason) for r in read] == [(1, subject, "first"), (2, subject, "second")]
        assert [r.headers for r in read] == [(), (("traceparent", trace),)]
        assert read[1] == await journal.last_on(subject)


async def test_the_expected_sequence_of_a_subject_is_held(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        journal, subject = await ports.journal(), ports.order("o1")
        assert await journal.append(subject, event("a"), expected_seq=0) == 1
        await journal.append(ports.order("other"), event("x"), expected_seq=0)
        assert await journal.append(subject, event("b"), expected_seq=1) == 3
        with pytest.raises(ConflictError) as conflict:
            await journal.append(subject, event("c"), expected_seq=1)
        assert (conflict.value.subject, conflict.value.last_seq) == (subject, 3)
        assert await journal.last_seq() == 3


async def test_a_conflict_on_a_subject_never_written_says_zero(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        journal = await ports.journal()
        with pytest.raises(ConflictError) as conflict:
            await journal.append(ports.order("o1"), event("a"), expected_seq=7)
        assert conflict.value.last_seq == 0


async def test_our_own_write_confirmed_late_is_no_conflict(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        first, second = await ports.journal(), await ports.journal()
        seq = await first.append(ports.order("o1"), event("same"), expected_seq=0)
        assert await second.append(ports.order("o1"), event("same"), expected_seq=0) == seq
        assert await second.last_seq() == seq


async def test_appends_reach_the_journal_in_the_order_in_which_they_were_started(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        journal = await ports.journal()
        tasks = [
            asyncio.create_task(journal.append(ports.order(f"o{n}"), event(str(n)), expected_seq=0))
            for n in range(3000)
        ]
        assert await asyncio.gather(*tasks) == list(range(1, 3001))
        read = await take(await ports.journal(), 3000)
        assert [r.event.reason for r in read] == [str(n) for n in range(3000)]


async def test_started_appends_keep_the_order_of_the_calls(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        journal = await ports.journal()
        await journal.wait_for_room()
        started = [journal.start_append(ports.order(f"o{n}"), event(str(n)), expected_seq=0) for n in range(1000)]
        assert await asyncio.gather(*started) == list(range(1, 1001))


async def test_a_started_append_that_conflicts_tells_its_future_and_hinders_no_other(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        journal = await ports.journal()
        await journal.wait_for_room()
        first = journal.start_append(ports.order("o1"), event("a"), expected_seq=0)
        conflicting = journal.start_append(ports.order("o1"), event("b"), expected_seq=0)
        repeated = journal.start_append(ports.order("o1"), event("a"), expected_seq=0)
        last = journal.start_append(ports.order("o2"), event("c"), expected_seq=0)
        assert (await first, await repeated, await last) == (1, 1, 2)
        with pytest.raises(ConflictError):
            await conflicting


async def test_a_subject_outside_the_journal_is_not_stored(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        journal = await ports.journal()
        with pytest.raises(JournalUnavailableError):
            await journal.append("elsewhere.entirely", event())


async def test_reading_starts_after_any_sequence(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        journal = await ports.journal()
        for n in range(10):
            await journal.append(ports.order(f"o{n}"), event(str(n)))
        assert [r.seq for r in await take(await ports.journal(), 4, after=6)] == [7, 8, 9, 10]


async def test_reading_after_a_sequence_the_journal_never_reached_is_a_gap(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        journal = await ports.journal()
        await journal.append(ports.order("o1"), event())
        with pytest.raises(JournalGapError):
            await take(journal, 1, after=2)


async def test_two_readers_see_the_same_tail_live(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        writer, one, other = await ports.journal(), await ports.journal(), await ports.journal()
        await writer.append(ports.order("o0"), event("before"))
        readers = [asyncio.create_task(take(one, 51)), asyncio.create_task(take(other, 50, after=1))]
        for n in range(50):
            await writer.append(ports.order("o0"), event(str(n)))
        from_start, from_second = await asyncio.gather(*readers)
        assert from_start[1:] == from_second
        assert [r.seq for r in from_start] == list(range(1, 52))


async def test_catching_up_ends_at_the_given_sequence(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        journal = await ports.journal()
        for n in range(8):
            await journal.append(ports.order("o1"), event(str(n)))
        assert [r.seq async for r in catch_up(journal, 2, 5)] == [3, 4, 5]
        assert [r.seq async for r in catch_up(journal, 8, 8)] == []


async def test_raw_messages_are_the_bytes_of_the_events_in_the_same_order(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        journal = await ports.journal()
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        for number in range(5):
            await journal.append(ports.order("o"), event(str(number)), traceparent=trace)
        raw = [one async for one in catch_up_raw(journal, 1, 4)]
        events = [one async for one in catch_up(journal, 1, 4)]
        assert [(r.seq, r.subject, r.at, r.body, r.headers) for r in raw] == [
            (e.seq, e.subject, e.at, e.body, e.headers) for e in events
        ]
        assert [r.seq for r in raw] == [2, 3, 4]


async def test_raw_reading_beyond_the_end_is_a_gap(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        journal = await ports.journal()
        with pytest.raises(JournalGapError):
            await anext(journal.read_raw(after=3))
