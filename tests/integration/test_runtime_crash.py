"""A killed server loses nothing that it acknowledged, and readers go on without a gap or a repeat."""

import asyncio
import time
from contextlib import aclosing, suppress

import pytest

from contracts import subjects
from contracts.ids import AgentId, OrderId
from services.runtime.jetstream import JetStreamInbox, JetStreamJournal
from services.runtime.ordered import BATCH_MAX
from services.runtime.ports import ConflictError, JournalGapError, JournalUnavailableError
from services.runtime.reading import catch_up
from tests.conformance.journals import event
from tests.nats_server import PAPER, NatsServer
from tests.waiting import until

pytestmark = pytest.mark.anyio

KILLS = 3
IN_FLIGHT = 64
ACKED_BEFORE_KILL = 300


def subject_of(n: int) -> str:
    return subjects.order(PAPER, AgentId("demo"), OrderId(f"o{n}"))


class Writer:
    """Appends numbered events, many at once, and kills the server between two acknowledgements."""

    def __init__(self, server: NatsServer) -> None:
        self.server = server
        self.acked: dict[int, int] = {}
        self.kill_at = 0
        self.first_unsure = 0

    async def until_killed(self, journal: JetStreamJournal) -> None:
        self.kill_at = len(self.acked) + ACKED_BEFORE_KILL
        while self.server.is_up:
            numbers = range(self.first_unsure, self.first_unsure + IN_FLIGHT)
            results = await asyncio.gather(*[self._append(journal, n) for n in numbers], return_exceptions=True)
            assert all(r is None or isinstance(r, JournalUnavailableError) for r in results), results
            self.first_unsure = next((n for n in numbers if n not in self.acked), numbers.stop)

    async def _append(self, journal: JetStreamJournal, n: int) -> None:
        self.acked[n] = await journal.append(subject_of(n), event(str(n)), expected_seq=0)
        if len(self.acked) == self.kill_at:
            self.server.kill()


async def follow(journal: JetStreamJournal, read: list[tuple[int, str]]) -> None:
    async with aclosing(journal.read()) as events:
        async for recorded in events:
            read.append((recorded.seq, recorded.event.reason))  # noqa: PERF401 - watched while it grows


async def test_killed_in_the_middle_of_appends_nothing_acknowledged_is_lost_or_doubled(own_nats_server):
    follower = await own_nats_server.connect("audit", reconnect=True)
    read: list[tuple[int, str]] = []
    following = asyncio.create_task(follow(JetStreamJournal(follower, PAPER), read))
    writer = Writer(own_nats_server)
    for _ in range(KILLS):
        connection = await own_nats_server.connect("oms")
        await writer.until_killed(JetStreamJournal(connection, PAPER))
        await connection.ended.wait()
        await asyncio.to_thread(own_nats_server.start)
        await own_nats_server.ensure()
    connection = await own_nats_server.connect("oms")
    journal = JetStreamJournal(connection, PAPER)
    for n in range(writer.first_unsure, writer.first_unsure + IN_FLIGHT):  # stored ones are known as our own
        writer.acked[n] = await journal.append(subject_of(n), event(str(n)), expected_seq=0)
    last_seq = await journal.last_seq()
    await until(lambda: following.done() or len(read) >= last_seq)
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
    assert [seq for seq, _ in read] == list(range(1, last_seq + 1))
    assert {n: seq for n, seq in writer.acked.items() if read[seq - 1][1] != str(n)} == {}
    assert len(writer.acked) == len(read) == writer.first_unsure + IN_FLIGHT
    await connection.close()
    await follower.close()


async def test_an_inbox_reader_goes_on_after_a_restart_where_it_was(own_nats_server):
    reader = await own_nats_server.connect("risk", reconnect=True)
    sender = await own_nats_server.connect("gateway")
    async with aclosing(JetStreamInbox(reader, PAPER).read()) as intents:
        await JetStreamInbox(sender, PAPER).publish("intent.paper.demo.i1", b"1")
        assert (await anext(intents)).body == b"1"
        own_nats_server.kill()
        await asyncio.to_thread(own_nats_server.start)
        sender = await own_nats_server.connect("gateway")
        await JetStreamInbox(sender, PAPER).publish("intent.paper.demo.i2", b"2")
        async with asyncio.timeout(20):
            assert (await anext(intents)).body == b"2"
    await sender.close()
    await reader.close()


async def test_a_broken_link_ends_a_writers_reading_and_appending_at_once(own_nats_server):
    connection = await own_nats_server.connect("oms")
    journal = JetStreamJournal(connection, PAPER)
    await journal.append(subject_of(1), event("1"))
    async with aclosing(journal.read()) as events:
        assert (await anext(events)).seq == 1
        own_nats_server.kill()
        async with asyncio.timeout(2):
            with pytest.raises(JournalUnavailableError):
                await anext(events)
            with pytest.raises(JournalUnavailableError):
                await journal.append(subject_of(2), event("2"))
    await connection.ended.wait()


async def test_a_silent_server_is_noticed_by_the_missing_heartbeat_and_left_behind(own_nats_server):
    """The consumer is deleted behind the reader's back, as a server does that lost its memory."""
    reader, admin = await own_nats_server.connect("audit"), await own_nats_server.connect()
    journal = JetStreamJournal(admin, PAPER)
    await journal.append(subject_of(1), event("1"))
    async with aclosing(JetStreamJournal(reader, PAPER).read()) as events:
        assert (await anext(events)).seq == 1
        stream = subjects.journal_stream(PAPER)
        for consumer in await admin.jetstream().consumers_info(stream):
            await admin.jetstream().delete_consumer(stream, consumer.name)
        await journal.append(subject_of(2), event("2"))
        async with asyncio.timeout(20):
            assert (await anext(events)).seq == 2
    await reader.close()
    await admin.close()


async def test_a_body_of_no_known_kind_stops_the_reader_loudly(own_nats_server):
    admin = await own_nats_server.connect()
    await admin.jetstream().publish(subjects.control(PAPER), b'{"type":"from.the.future.v9"}')
    async with aclosing(JetStreamJournal(admin, PAPER).read()) as events:
        with pytest.raises(ValueError, match=r"from\.the\.future"):
            await anext(events)
    await admin.close()


async def test_a_hole_in_the_journal_stops_the_reader_loudly(own_nats_server):
    """Only an administrator can make one: here by an append to the bare stream of an account without guards."""
    admin = await own_nats_server.connect()
    await admin.jetstream().add_stream(name="JOURNAL_holed", subjects=["acct.holed.>"])
    for n in range(3):
        await admin.jetstream().publish("acct.holed.control", b"%d" % n)
    await admin.jetstream().delete_msg("JOURNAL_holed", 2)
    journal = JetStreamJournal(admin, "holed")
    with pytest.raises(JournalGapError):
        async with aclosing(journal.read(after=1)) as events:
            await anext(events)
    await admin.close()


async def test_a_slow_reader_is_waited_for_and_misses_nothing(own_nats_server):
    admin = await own_nats_server.connect()
    journal = JetStreamJournal(admin, PAPER)
    await journal.wait_for_room()
    big = "x" * 30_000
    for batch in range(4):
        await asyncio.gather(
            *[journal.append(subjects.control(PAPER), event(f"{batch}{n}{big}")) for n in range(500)]
        )
    seqs = []
    async with aclosing(journal.read()) as events:
        async for recorded in events:
            seqs.append(recorded.seq)
            if recorded.seq % 100 == 0:
                await asyncio.sleep(0.02)  # slower than the server can send 60 MB
            if recorded.seq == 2000:
                break
    assert seqs == list(range(1, 2001))
    await admin.close()


async def test_a_long_replay_lets_others_run(own_nats_server):
    admin = await own_nats_server.connect()
    journal = JetStreamJournal(admin, PAPER)
    await journal.wait_for_room()
    await asyncio.gather(*[journal.start_append(subjects.control(PAPER), event(str(n))) for n in range(2000)])
    await asyncio.gather(*[journal.append(subjects.control(PAPER), event(str(n))) for n in range(8000)])
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(others())
    last_turns, longest = 0, 0
    alone = 0
    async for _ in catch_up(journal, 0, 10_000):
        alone = alone + 1 if turns == last_turns else 0
        last_turns, longest = turns, max(longest, alone)
    counting.cancel()
    assert longest <= BATCH_MAX
    await admin.close()


async def test_a_replay_slower_than_the_server_keeps_no_answer_waiting_behind_its_backlog(own_nats_server):
    """A lease is renewed over the same link: its confirmation must not wait until all that was sent is folded."""
    admin = await own_nats_server.connect()
    journal = JetStreamJournal(admin, PAPER)
    await journal.wait_for_room()
    big = "x" * 4_000
    for _ in range(7):
        await asyncio.gather(*[journal.append(subjects.control(PAPER), event(big)) for _ in range(1_000)])
    read, behind = 0, list[int]()

    async def ask() -> None:
        while True:
            asked_at = read
            await journal.last_seq()
            behind.append(read - asked_at)

    asking = asyncio.create_task(ask())
    async for recorded in catch_up(journal, 0, 7_000):
        read = recorded.seq
        time.sleep(0.000_2)  # noqa: ASYNC251 - folding holds the loop as this does
    asking.cancel()
    assert max(behind) <= 3 * BATCH_MAX
    await admin.close()


async def test_two_writers_on_one_subject_and_exactly_one_is_stored(own_nats_server):
    one, other = await own_nats_server.connect("risk"), await own_nats_server.connect("risk")
    subject = f"acct.{PAPER}.decision.demo.i1"
    results = await asyncio.gather(
        JetStreamJournal(one, PAPER).append(subject, event("one"), expected_seq=0),
        JetStreamJournal(other, PAPER).append(subject, event("other"), expected_seq=0),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == [ConflictError.__name__, "int"]
    await one.close()
    await other.close()
