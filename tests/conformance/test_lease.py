"""The right to write: leases exclude, expire and are taken over; epochs count up for one owner at a time."""

import asyncio
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta

import pytest

from contracts import subjects
from contracts.enums import Role
from services.runtime.clock import SystemClock
from services.runtime.lease import LEASE_TTL_MS, NatsLease, take_epoch
from services.runtime.memory import ManualClock, MemoryLease
from services.runtime.owner import this_owner
from services.runtime.ports import LeaseLostError
from tests.conformance.journals import AT, KINDS, ports_of
from tests.waiting import until

pytestmark = pytest.mark.anyio
WAIT_S = 20


class Leases:
    """Opens leases of one fresh account, each on a connection of its own."""

    def __init__(self, server, account):
        self.server, self.account, self.connections = server, account, []

    async def open(self, owner, clock=None):
        self.connections.append(await self.server.connect())
        return NatsLease(self.connections[-1], self.account, Role.RISK, owner=owner, clock=clock or SystemClock())


@pytest.fixture
async def leases(nats_server):
    opened = Leases(nats_server, await nats_server.fresh_account())
    yield opened
    for connection in opened.connections:
        await connection.close()


async def acquire(lease):
    async with asyncio.timeout(WAIT_S):
        await lease.acquire()


def owner_of_a_process_that_ended() -> str:
    code = "from services.runtime.owner import this_owner; print(this_owner())"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


async def test_a_lease_is_held_from_its_acquiring_to_its_release(leases):
    lease = await leases.open("host-a/1/1")
    assert not lease.held()
    await acquire(lease)
    assert lease.held()
    await lease.release()
    assert not lease.held()


async def test_a_second_owner_waits_while_the_first_renews_and_follows_its_release_at_once(leases):
    first, second = await leases.open("host-a/1/1"), await leases.open("host-b/1/1")
    await acquire(first)
    keeping, waiting = asyncio.create_task(first.keep()), asyncio.create_task(acquire(second))
    revision = first._revision
    await until(lambda: first._revision > revision)
    assert first.held()
    assert not waiting.done()
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
    await first.release()
    await waiting
    assert second.held()
    assert not first.held()


async def test_a_lease_that_is_not_renewed_expires_and_goes_to_who_waits(leases):
    first, second = await leases.open("host-a/1/1"), await leases.open("host-b/1/1")
    await acquire(first)
    await acquire(second)
    assert second.held()
    assert not first.held()


async def test_the_lease_of_a_dead_process_on_this_host_is_taken_over_at_once(leases):
    dead, ours = await leases.open(owner_of_a_process_that_ended()), await leases.open(this_owner())
    await acquire(dead)
    await acquire(ours)
    assert ours.held()
    assert dead.held(), "taken over before it expired, which is why writers must be fenced by epochs too"


async def test_an_owner_whose_key_was_taken_hears_so_and_cannot_take_it_from_the_successor(leases):
    dead, ours = await leases.open(owner_of_a_process_that_ended()), await leases.open(this_owner())
    await acquire(dead)
    await acquire(ours)
    with pytest.raises(LeaseLostError):
        await dead.keep()
    assert not dead.held()
    await dead.release()
    third = await leases.open("host-c/1/1")
    assert not await third._try_acquire()


async def test_a_lease_is_held_by_the_local_clock_no_longer_than_its_time_to_live(leases):
    clock = ManualClock(AT)
    lease = await leases.open("host-a/1/1", clock)
    await acquire(lease)
    clock.advance(timedelta(milliseconds=LEASE_TTL_MS - 1))
    assert lease.held()
    clock.advance(timedelta(milliseconds=1))
    assert not lease.held()
    with pytest.raises(LeaseLostError):
        await lease.keep()


async def test_the_memory_lease_is_held_until_released_or_taken_away():
    released, taken = MemoryLease(3), MemoryLease(4)
    assert (released.epoch, released.held()) == (3, True)
    await released.release()
    taken.take_away()
    assert not released.held()
    assert not taken.held()


@pytest.mark.parametrize("kind", KINDS)
async def test_epochs_of_a_role_count_up_and_stand_in_the_journal(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        journal = await ports.journal()
        assert [await take_epoch(journal, Role.RISK, "me", "1.0.0") for _ in range(3)] == [1, 2, 3]
        assert await take_epoch(journal, Role.OMS, "me", "1.0.0") == 1
        last = await journal.last_on(subjects.epoch(ports.account, Role.RISK))
        assert (last.event.epoch, last.event.role, last.event.owner) == (3, Role.RISK, "me")


@pytest.mark.parametrize("kind", KINDS)
async def test_owners_racing_for_an_epoch_get_different_ones(kind, nats_server):
    async with ports_of(kind, nats_server) as ports:
        journals = [await ports.journal() for _ in range(3)]
        races = [take_epoch(journal, Role.RISK, f"owner {n}", "1.0.0") for n, journal in enumerate(journals)]
        assert sorted(await asyncio.gather(*races)) == [1, 2, 3]
