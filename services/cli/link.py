"""A command's own link to NATS: as the operator or as an agent, given up at once when nobody answers."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from nats.errors import Error as NatsError

from services.cli.credential_files import Participant, operator_path, read_participant
from services.cli.outcome import UnreachableError
from services.runtime.connection import Connection, connect, inbox_prefix
from services.runtime.ports import JournalUnavailableError


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
async def linked(who: Participant, *, reconnect: bool = False) -> AsyncGenerator[Connection, None]:
    """Connect as this participant; raise `UnreachableError` when that fails or the link breaks."""
    name = who.inbox_prefix.removeprefix(inbox_prefix(""))
    try:
        link = await connect(who.nats_url, name, who.nkey_seed, reconnect=reconnect)
        try:
            yield link
        finally:
            await link.close()
    except (OSError, NatsError, JournalUnavailableError) as error:
        raise UnreachableError(f"no Lockgate at {who.nats_url}: {_in_words(error)}; is it up?") from error


def _in_words(error: Exception) -> str:
    return str(error) or type(error).__name__
