"""Snapshots keep their promises, on JetStream and in memory alike."""

import pytest

from services.runtime.ports import Snapshot
from tests.conformance.journals import KINDS, ports_of

MESSAGE_BYTES_MAX = 8 << 20
pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("kind", KINDS)]


async def test_without_a_snapshot_there_is_none(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        assert await (await ports.snapshots()).load("risk.1") is None


async def test_the_newest_snapshot_is_loaded_as_it_was_saved(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        saver, loader = await ports.snapshots(), await ports.snapshots()
        for sequence in range(1, 6):
            await saver.save(Snapshot(sequence=sequence, schema="risk.1", state=bytes([0, 255, sequence])))
        assert await loader.load("risk.1") == Snapshot(sequence=5, schema="risk.1", state=bytes([0, 255, 5]))


async def test_a_snapshot_of_another_schema_is_as_good_as_none(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        snapshots = await ports.snapshots()
        await snapshots.save(Snapshot(sequence=1, schema="risk.1", state=b"old"))
        assert await snapshots.load("risk.2") is None
        await snapshots.save(Snapshot(sequence=2, schema="risk.2", state=b"new"))
        assert await snapshots.load("risk.1") is None


async def test_a_snapshot_of_megabytes_is_kept_whole(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        snapshots = await ports.snapshots()
        large = Snapshot(sequence=1, schema="risk.1", state=bytes(range(256)) * 20_000)
        await snapshots.save(large)
        assert await snapshots.load("risk.1") == large


async def test_a_state_several_times_larger_than_a_message_is_kept_whole(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        snapshots = await ports.snapshots()
        orders = b"".join(b'{"order_id":"lg-%08d","status":"filled","filled_qty":"12"},' % n for n in range(400_000))
        large = Snapshot(sequence=1, schema="risk.1", state=orders)
        assert len(orders) > 2 * MESSAGE_BYTES_MAX
        await snapshots.save(large)
        assert await snapshots.load("risk.1") == large
