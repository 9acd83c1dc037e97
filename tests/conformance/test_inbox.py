"""The inbox keeps its promises, on JetStream and in memory alike."""

import asyncio
from contextlib import aclosing

import pytest

from contracts import subjects
from contracts.ids import AccountId, IntentId
from contracts.intents import INTENT_BYTES_MAX
from services.runtime.ports import ConflictError, Inbox, JournalUnavailableError, Received
from tests.conformance.journals import DEMO, KINDS, ports_of

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("kind", KINDS)]
WAIT_S = 20
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def intent(account: AccountId, intent_id: str) -> str:
    return subjects.intent(account, DEMO, IntentId(intent_id))


async def take(inbox: Inbox, count: int, after: int = 0) -> list[Received]:
    taken: list[Received] = []
    async with asyncio.timeout(WAIT_S), aclosing(inbox.read(after)) as messages:
        async for received in messages:
            taken.append(received)
            if len(taken) == count:
                return taken
    raise AssertionError("an inbox never ends")


async def test_an_empty_inbox_has_no_last(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        assert await (await ports.inbox()).last_seq() == 0


async def test_intents_are_read_in_the_order_of_the_server_as_the_bytes_they_came(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        sender, reader = await ports.inbox(), await ports.inbox()
        bodies = [b"{}", b"not json", b"\xff\x00", b"4"]
        sent = [await sender.publish(intent(ports.account, f"i{n}"), body) for n, body in enumerate(bodies)]
        read = await take(reader, 4)
        assert [r.body for r in read] == bodies
        assert [r.seq for r in read] == sent == sorted(sent)
        assert await reader.last_seq() == sent[-1]
        assert [r.seq for r in await take(reader, 2, after=sent[1])] == sent[2:]


async def test_an_intent_id_is_taken_once_and_the_repeat_says_where_the_first_stands(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        inbox = await ports.inbox()
        first = await inbox.publish(intent(ports.account, "i1"), b"one")
        with pytest.raises(ConflictError) as conflict:
            await inbox.publish(intent(ports.account, "i1"), b"two")
        assert conflict.value.last_seq == first
        assert [r.body for r in await take(inbox, 1)] == [b"one"]


async def test_another_accounts_intents_are_not_shown(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        inbox = await ports.inbox()
        await inbox.publish(intent(AccountId(f"{ports.account}-other"), "i1"), b"theirs")
        ours = await inbox.publish(intent(ports.account, "i1"), b"ours")
        assert [r.body for r in await take(inbox, 1)] == [b"ours"]
        assert await inbox.last_seq() == ours


async def test_an_intent_of_an_agent_that_no_decision_could_name_is_skipped(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        inbox = await ports.inbox()
        await inbox.publish(f"intent.{ports.account}.semi;colon.i1", b"odd")
        await inbox.publish(intent(ports.account, "i1"), b"ours")
        assert [r.body for r in await take(inbox, 1)] == [b"ours"]


async def test_an_intent_that_is_too_long_is_refused(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        inbox = await ports.inbox()
        await inbox.publish(intent(ports.account, "i1"), b"x" * INTENT_BYTES_MAX)
        with pytest.raises(JournalUnavailableError):
            await inbox.publish(intent(ports.account, "i2"), b"x" * (INTENT_BYTES_MAX + 4_096))


async def test_a_reader_sees_what_comes_later_with_its_trace(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        sender, reader = await ports.inbox(), await ports.inbox()
        reading = asyncio.create_task(take(reader, 1))
        await sender.publish(intent(ports.account, "i1"), b"late", traceparent=TRACE)
        assert [(r.body, r.headers) for r in await reading] == [(b"late", (("traceparent", TRACE),))]
