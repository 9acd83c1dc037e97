"""A command's own link to NATS: as the operator or as an agent, given up at once when nobody answers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from nats.errors import Error as NatsError

from services.cli.credential_files import Participant, operator_path, read_participant
from services.cli.outcome import UnreachableError
from services.runtime.connection import Connection, connect, inbox_prefix
from services.runtime.ports import JournalUnavailableError

KNOCK_S_MAX = 1
KNOCK_EVERY_MS = 100
RESTARTED_WITHIN_MS = 2_000
"""A NATS server that was killed is back within a second, so a command waits a little longer."""


def participant_at(path: Path) -> Participant:
    """Read credentials, or say where they come from."""
    try:
        return read_participant(path)
    except FileNotFoundError:
        raise UnreachableError(
            f"{path} is not there: start Lockgate with `lockgate up`, or name its --home"
        ) from None
    except (OSError, msgspec.DecodeError) as error:
        raise UnreachableError(f"{path} cannot be read: {error}") from error


def operator_at(home: Path) -> Participant:
    """Read the operator's credentials of a home."""
    return participant_at(operator_path(home))


@asynccontextmanager
async def linked(
    who: Participant, *, reconnect: bool = False, wait_ms: int = RESTARTED_WITHIN_MS
) -> AsyncGenerator[Connection, None]:
    """Connect as this participant; raise `UnreachableError` when that fails or the link breaks."""
    await _knock(who.nats_url, wait_ms)
    name = who.inbox_prefix.removeprefix(inbox_prefix(""))
    try:
        link = await connect(who.nats_url, name, who.nkey_seed, reconnect=reconnect)
        try:
            yield link
        finally:
            await link.close()
    except (OSError, NatsError, JournalUnavailableError) as error:
        raise UnreachableError(f"no Lockgate at {who.nats_url}: {error or type(error).__name__}") from error


async def listens(url: str) -> bool:
    """Say whether somebody takes connections at an address `scheme://host:port`."""
    host, _, port = url.partition("://")[2].partition(":")
    try:
        async with asyncio.timeout(KNOCK_S_MAX):
            _, writer = await asyncio.open_connection(host, int(port))
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def _knock(url: str, wait_ms: int) -> None:
    """Give up early where nothing listens; the client itself would go on trying for ten seconds."""
    for _ in range(0, wait_ms, KNOCK_EVERY_MS):
        if await listens(url):
            return
        await asyncio.sleep(KNOCK_EVERY_MS / 1000)
    if not await listens(url):
        raise UnreachableError(f"nothing listens at {url}; start Lockgate with `lockgate up`")
