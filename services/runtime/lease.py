"""The right to write: a lease in a key-value bucket against two at once, an epoch in the journal against the late."""

import asyncio
from typing import TYPE_CHECKING

from contracts import subjects
from contracts.controls import EpochTaken
from contracts.enums import Role
from contracts.ids import AccountId
from services.runtime import stream_api
from services.runtime.clock import SystemClock
from services.runtime.connection import Connection
from services.runtime.nats_wire import (
    EXPECTED_SEQ_HEADER,
    KV_DELETED,
    KV_OPERATION_HEADER,
    WRONG_LAST_SEQUENCE,
    header_value,
)
from services.runtime.owner import is_dead, this_owner
from services.runtime.ports import Clock, ConflictError, Journal, JournalUnavailableError, LeaseLostError
from services.runtime.publisher import Publisher
from services.runtime.telemetry import get_logger
from services.runtime.topology import LEASE_TTL

if TYPE_CHECKING:
    from services.runtime.process import Runtime

LEASE_TTL_MS = int(LEASE_TTL.total_seconds() * 1000)
RENEW_EVERY_S = 1.0
ASK_EVERY_S = 0.25
EPOCH_ATTEMPTS_MAX = 5
_DELETED_LINE = f"\r\n{KV_OPERATION_HEADER}:".encode()


class NatsLease:
    """A key that its owner renews each second and the server forgets after five; taken by compare-and-set."""

    def __init__(
        self, connection: Connection, account: AccountId, role: Role, *, owner: str | None = None, clock: Clock
    ) -> None:
        """Bind to the key of a role; nothing is held yet."""
        self.epoch = 0
        self._connection = connection
        self._stream = f"KV_{subjects.LEASES_BUCKET}"
        self._subject = f"$KV.{subjects.LEASES_BUCKET}.{role}.{account}"
        self._owner = this_owner() if owner is None else owner
        self._clock = clock
        self._publisher = Publisher(connection)
        self._revision = 0
        self._held_until_ms: int | None = None

    def held(self) -> bool:
        """Say, by the local monotonic clock alone, whether the right is certainly still ours."""
        return self._held_until_ms is not None and self._clock.monotonic_ms() < self._held_until_ms

    async def acquire(self) -> None:
        """Wait until the key is free, expired, or its owner on this host is dead, and take it."""
        log = get_logger("lease")
        waiting_for: str | None = None
        while not await self._try_acquire():
            holder = await self._holder()
            if holder is not None and holder != waiting_for:
                log.info("waiting for the lease", key=self._subject, holder=holder)
                waiting_for = holder
            await asyncio.sleep(ASK_EVERY_S)

    async def keep(self) -> None:
        """Renew for ever; raise `LeaseLostError` when another owner has the key or renewing took too long."""
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            if not self.held():
                raise LeaseLostError(f"{self._subject} was not renewed within {LEASE_TTL_MS} ms")
            if not await self._put(self._owner.encode(), self._revision):
                self._held_until_ms = None
                raise LeaseLostError(f"{self._subject} has another owner")

    async def release(self) -> None:
        """Give the right back, so that a successor need not wait."""
        if self._held_until_ms is not None:
            self._held_until_ms = None
            await self._publish(b"", self._revision, deleting=True)

    async def _try_acquire(self) -> bool:
        stored = await stream_api.last_message(self._connection, self._stream, self._subject)
        if stored is None:
            return await self._put(self._owner.encode(), 0)
        freed = header_value(stored.raw_headers, _DELETED_LINE) == KV_DELETED
        if freed or is_dead(stored.body.decode("utf-8", "replace")):
            return await self._put(self._owner.encode(), stored.seq)
        return False

    async def _holder(self) -> str | None:
        stored = await stream_api.last_message(self._connection, self._stream, self._subject)
        return None if stored is None else stored.body.decode("utf-8", "replace")

    async def _put(self, value: bytes, expected_seq: int) -> bool:
        started_ms = self._clock.monotonic_ms()
        revision = await self._publish(value, expected_seq)
        if revision is None:
            return False
        self._revision = revision
        # The server counts from when it stored the key, which was later than when we began to ask.
        self._held_until_ms = started_ms + LEASE_TTL_MS
        return True

    async def _publish(self, value: bytes, expected_seq: int, *, deleting: bool = False) -> int | None:
        headers = {EXPECTED_SEQ_HEADER: str(expected_seq)}
        if deleting:
            headers[KV_OPERATION_HEADER] = KV_DELETED
        ack = await self._publisher.send(self._subject, value, headers)
        if ack.error is None:
            return ack.seq
        if ack.error.err_code in WRONG_LAST_SEQUENCE:
            return None
        raise JournalUnavailableError(f"{self._subject}: {ack.error.description} ({ack.error.err_code})")


async def take_epoch(
    journal: Journal, role: Role, owner: str, code_version: str, *, clock: Clock | None = None
) -> int:
    """Write the next epoch of a role to the journal and return it; whoever held a lower one is fenced from there."""
    subject = subjects.epoch(journal.account, role)
    now = (SystemClock() if clock is None else clock).now
    for _ in range(EPOCH_ATTEMPTS_MAX):
        last = await journal.last_on(subject)
        epoch = 1 if last is None else last.event.epoch + 1
        event = EpochTaken(epoch=epoch, at=now(), role=role, owner=owner, code_version=code_version)
        try:
            await journal.append(subject, event, expected_seq=0 if last is None else last.seq)
        except ConflictError:
            continue  # another owner was faster; ours must be higher still
        return epoch
    raise LeaseLostError(f"{subject}: {EPOCH_ATTEMPTS_MAX} owners were faster")


async def hold_right_to_write(runtime: "Runtime", role: Role) -> NatsLease:
    """Wait for the lease of a role, take the next epoch, and keep the lease until the process ends.

    Losing it ends the process; a clean end gives it back.
    """
    lease = NatsLease(runtime.connection, runtime.account, role, clock=runtime.clock)
    await lease.acquire()
    runtime.at_end(lease.release)
    runtime.spawn("lease", lease.keep())
    owner = this_owner()
    lease.epoch = await take_epoch(runtime.journal, role, owner, runtime.settings.code_version, clock=runtime.clock)
    runtime.report(epoch=lease.epoch)
    return lease
