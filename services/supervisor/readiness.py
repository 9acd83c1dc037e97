"""Asks processes how far they have come, over NATS as everybody else does."""

import msgspec
from nats.errors import Error as NatsError

from services.runtime.connection import Connection
from services.runtime.health import ProcessState

ASK_TIMEOUT_S = 1
ASK_EVERY_S = 0.05


class Metadata(msgspec.Struct, frozen=True):
    """What a process says of itself in every answer."""

    pid: str = ""
    state: str = ""


class Answer(msgspec.Struct, frozen=True):
    """The part of a health answer that readiness needs."""

    metadata: Metadata = Metadata()


_decoder = msgspec.json.Decoder(Answer)


async def is_ready(link: Connection, name: str, pid: int) -> bool:
    """Say whether this very process, not its dead predecessor, calls itself ready."""
    return await ask(link, name) == Metadata(pid=str(pid), state=ProcessState.READY)


async def ask(link: Connection, name: str) -> Metadata | None:
    """Ask one process once; None when nobody answers."""
    try:
        message = await link.request(f"$SRV.PING.{name}", b"", timeout=ASK_TIMEOUT_S)
        return _decoder.decode(message.data).metadata
    except (NatsError, OSError, msgspec.DecodeError):
        return None
