"""Health by the NATS micro protocol (ADR-32): every process answers `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS`.

nats-py's own `micro` is not used: it stamps naive times and can only attach figures to endpoints, of which our
processes have none.
"""

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from nats.aio.msg import Msg

from services.runtime.connection import Connection
from services.runtime.ids import new_intent_id

type Facts = Mapping[str, Any]


class ProcessState(StrEnum):
    """How far a process has come."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


class Health:
    """The answers of one process; `state` and the reported facts may change at any time."""

    def __init__(
        self,
        connection: Connection,
        *,
        name: str,
        version: str,
        account: str,
        started: datetime,
        facts: Callable[[], Facts],
    ) -> None:
        """Prepare the answers; `facts` is asked again for each."""
        self.state = ProcessState.STARTING
        self._connection = connection
        self._name = name
        self._version = version
        self._account = account
        self._started = started
        self._facts = facts
        self._id = new_intent_id()

    async def start(self) -> None:
        """Answer from now on, to all, to our name, and to our own id."""
        for verb, answer in (("PING", self._ping), ("INFO", self._info), ("STATS", self._stats)):
            for suffix in ("", f".{self._name}", f".{self._name}.{self._id}"):
                await self._connection.subscribe(f"$SRV.{verb}{suffix}", cb=_responder(answer))

    def _identity(self, kind: str) -> dict[str, Any]:
        return {
            "type": f"io.nats.micro.v1.{kind}_response",
            "name": self._name,
            "id": self._id,
            "version": self._version,
            "metadata": {"account": self._account, "pid": str(os.getpid()), "state": str(self.state)},
        }

    def _ping(self) -> dict[str, Any]:
        return self._identity("ping")

    def _info(self) -> dict[str, Any]:
        return self._identity("info") | {"description": f"lockgate {self._name}", "endpoints": []}

    def _stats(self) -> dict[str, Any]:
        facts = dict(self._facts())
        return self._identity("stats") | {"started": self._started, "endpoints": [], "data": facts}


def _responder(answer: Callable[[], dict[str, Any]]) -> Callable[[Msg], Any]:
    async def respond(message: Msg) -> None:
        if message.reply:
            await message.respond(msgspec.json.encode(answer()))

    return respond
