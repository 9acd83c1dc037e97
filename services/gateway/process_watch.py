"""How far every process of this account has come, asked of the processes themselves over NATS."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

import msgspec

from contracts.ids import AccountId
from services.runtime.connection import Connection
from services.runtime.health import ProcessState
from services.runtime.ports import Clock, JournalUnavailableError

OTHERS = ("risk", "oms", "regime", "audit")
"""The processes beside the gateway itself, which knows its own state."""
UNREACHABLE = "unreachable"
ANSWER_S_MAX = 0.3
FRESH_MS = 1_000
"""For how long answers are used again, so that a busy prober costs the processes nothing."""


class ProcessWatch(Protocol):
    """Knows the state of the processes beside the gateway."""

    async def states(self) -> Mapping[str, str]:
        """Give the state of each by name; one that does not answer is `unreachable`."""
        ...


class _Metadata(msgspec.Struct, frozen=True):
    account: str = ""
    state: str = UNREACHABLE


class _Info(msgspec.Struct, frozen=True):
    metadata: _Metadata


_info_decoder = msgspec.json.Decoder(_Info)


class NatsProcessWatch:
    """Asks `$SRV.INFO.<process>` and waits a bounded moment; processes of other accounts are not ours."""

    def __init__(self, connection: Connection, account: AccountId, clock: Clock) -> None:
        """Bind to a connection; nothing is sent before the first question."""
        self._connection = connection
        self._account = account
        self._clock = clock
        self._asking = asyncio.Lock()
        self._known: Mapping[str, str] = {}
        self._known_ms: int | None = None

    async def states(self) -> Mapping[str, str]:
        """Give the state of each process, at most a second old."""
        async with self._asking:
            now_ms = self._clock.monotonic_ms()
            if self._known_ms is None or now_ms - self._known_ms >= FRESH_MS:
                self._known = await self._ask()
                self._known_ms = now_ms
            return self._known

    async def _ask(self) -> Mapping[str, str]:
        answers: dict[str, str] = {}
        complete = asyncio.Event()

        def heard(subject: bytes, _reply: bytes, body: bytes, _headers: bytes | None) -> None:
            state = self._state_in(body)
            if state is not None:
                answers[subject.rpartition(b".")[2].decode()] = state
            if len(answers) == len(OTHERS):
                complete.set()

        inbox = self._connection.new_inbox()
        try:
            subscription = await self._connection.subscribe_raw(f"{inbox}.*", heard)
            for process in OTHERS:
                self._connection.publish_now(f"$SRV.INFO.{process}", b"", reply=f"{inbox}.{process}")
            await _wait(complete)
            await self._connection.unsubscribe_raw(subscription)
        except (JournalUnavailableError, OSError):
            answers.clear()  # without a link nobody can be asked
        return {process: answers.get(process, UNREACHABLE) for process in OTHERS}

    def _state_in(self, body: bytes) -> str | None:
        """Read a state out of an answer; an empty body is the server saying that nobody listens."""
        if not body:
            return None
        try:
            told = _info_decoder.decode(body).metadata
        except msgspec.DecodeError:
            return None
        return told.state if told.account == self._account else None


async def _wait(complete: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(ANSWER_S_MAX):
            await complete.wait()
    except TimeoutError:
        return  # whoever has not answered by now is unreachable


def is_ready(state: str) -> bool:
    """Say whether a process in this state does its work."""
    return state == ProcessState.READY
