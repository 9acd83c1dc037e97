"""Streams are created once, never changed, and refused when they differ."""

import pytest
from nats.js.api import StorageType, StreamConfig
from nats.js.errors import APIError

from contracts import subjects
from contracts.ids import AccountId
from services.runtime.topology import TopologyDriftError, ensure, streams
from tests.nats_server import PAPER

pytestmark = pytest.mark.anyio


async def test_ensuring_twice_changes_nothing(nats_server):
    admin = await nats_server.connect()
    js = admin.jetstream()
    before = {s.config.name: (s.config.as_dict(), s.created) for s in await js.streams_info()}
    await ensure(js, [PAPER])
    after = {s.config.name: (s.config.as_dict(), s.created) for s in await js.streams_info()}
    assert {name: after[name] for name in before} == before
    await admin.close()


async def test_a_stream_that_differs_is_refused_and_left_alone(nats_server):
    admin = await nats_server.connect()
    js = admin.jetstream()
    account = AccountId("drifted")
    await js.add_stream(StreamConfig(name=subjects.journal_stream(account), subjects=["acct.drifted.>"], max_msgs=5))
    with pytest.raises(TopologyDriftError, match=r"max_msgs should be -1 but is 5"):
        await ensure(js, [account])
    assert (await js.stream_info(subjects.journal_stream(account))).config.max_msgs == 5
    await admin.close()


async def test_a_stream_in_memory_that_differs_is_made_anew(own_nats_server):
    admin = await own_nats_server.connect()
    js = admin.jetstream()
    await js.delete_stream(subjects.MARKET_STREAM)
    older = StreamConfig(name=subjects.MARKET_STREAM, subjects=["quote.>"], storage=StorageType.MEMORY)
    await js.add_stream(older)
    await ensure(js, [PAPER])
    (wanted,) = [config for config in streams([PAPER]) if config.name == subjects.MARKET_STREAM]
    assert (await js.stream_info(subjects.MARKET_STREAM)).config.subjects == wanted.subjects
    await admin.close()


async def test_the_journal_refuses_deletion_and_purge_even_to_the_admin(nats_server):
    admin = await nats_server.connect()
    js = admin.jetstream()
    stream = subjects.journal_stream(await nats_server.fresh_account())
    await js.publish(f"acct.{stream.removeprefix('JOURNAL_')}.control", b"x")
    with pytest.raises(APIError):
        await js.delete_msg(stream, 1)
    with pytest.raises(APIError):
        await js.purge_stream(stream)
    assert (await js.stream_info(stream)).state.messages == 1
    await admin.close()


async def test_after_a_restart_ensure_brings_the_market_stream_back(own_nats_server):
    own_nats_server.kill()
    own_nats_server.start()
    await own_nats_server.ensure()
    admin = await own_nats_server.connect()
    names = {s.config.name for s in await admin.jetstream().streams_info()}
    assert names == {config.name for config in streams([PAPER])}
    await admin.close()
