"""What the admin user does at each start of the NATS server: it makes the streams and buckets."""

import asyncio

from nats.errors import Error as NatsError

from contracts.ids import AccountId
from services.runtime.connection import Connection, connect
from services.runtime.nats_rights import ADMIN
from services.runtime.ports import JournalUnavailableError
from services.runtime.topology import ensure
from services.supervisor.ports import LOOPBACK, is_listening

NATS_UP_S_MAX = 30
RETRY_S = 0.02


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


async def _has_jetstream(link: Connection) -> bool:
    try:
        await link.jetstream().account_info()
    except NatsError:
        return False
    return True
