"""What the admin user does at each start of the NATS server: streams and buckets, and the configured limits."""

import asyncio

from nats.errors import Error as NatsError

from contracts import subjects
from contracts.codec import decode_event
from contracts.controls import LimitsSet
from contracts.ids import AccountId
from contracts.limits import LimitSet
from services.runtime.clock import SystemClock
from services.runtime.connection import Connection, connect
from services.runtime.jetstream import JetStreamJournal
from services.runtime.nats_rights import ADMIN
from services.runtime.ordered import OrderedReader
from services.runtime.ports import JournalUnavailableError
from services.runtime.topology import ensure
from services.supervisor.ports import LOOPBACK, is_listening

NATS_UP_S_MAX = 30
RETRY_S = 0.02
CONFIGURATION = "configuration"


async def connect_when_up(port: int, seed: str) -> Connection:
    """Connect as the admin as soon as the server and its JetStream answer, within `NATS_UP_S_MAX`."""
    try:
        async with asyncio.timeout(NATS_UP_S_MAX):
            # Knocking is quicker than the client's own attempts; nothing tells us when another process is ready.
            while not is_listening(port):  # noqa: ASYNC110
                await asyncio.sleep(RETRY_S)
            link = await connect(f"nats://{LOOPBACK}:{port}", ADMIN, seed, reconnect=False)
            while not await _has_jetstream(link):  # noqa: ASYNC110
                await asyncio.sleep(RETRY_S)
            return link
    except TimeoutError:
        raise JournalUnavailableError(f"NATS did not answer on port {port} within {NATS_UP_S_MAX} s") from None


async def provision(link: Connection, account: AccountId) -> None:
    """Create what is missing; raise `TopologyDriftError` when something stands there that is not ours."""
    await ensure(link.jetstream(), [account])


async def set_limits(link: Connection, account: AccountId, limits: LimitSet) -> int:
    """Write the configured limits to the journal if they differ from the last ones; give the version that holds."""
    journal = JetStreamJournal(link, account)
    subject = subjects.control(account)
    newest = await journal.last_on(subject)
    last = await _last_limits(link, account, newest.seq) if newest else None
    if last is not None and last.limits == limits:
        return last.version
    version = last.version + 1 if last else 1
    event = LimitsSet(
        epoch=0,
        at=SystemClock().now(),
        version=version,
        limits=limits,
        by=CONFIGURATION,
        reason="the configured limits differ from the last ones" if last else "first start",
    )
    await journal.append(subject, event, expected_seq=newest.seq if newest else 0)
    return version


async def _last_limits(link: Connection, account: AccountId, newest_seq: int) -> LimitsSet | None:
    """Walk the controls alone, which are few, up to the newest."""
    found: LimitsSet | None = None
    stream, subject = subjects.journal_stream(account), subjects.control(account)
    async with OrderedReader(link, stream, 0, subject=subject) as reader:
        while True:
            for seq, _, _, body, _ in await reader.next_batch():
                event = decode_event(body)
                found = event if isinstance(event, LimitsSet) else found
                if seq >= newest_seq:
                    return found


async def _has_jetstream(link: Connection) -> bool:
    try:
        await link.jetstream().account_info()
    except NatsError:
        return False
    return True
