"""NATS as the processes see it: one server that keeps what it was told, and a link to it for each process.

What leaves a process arrives in order, late, or never when the process died; what the server answers likewise.
"""

import asyncio
import base64
from asyncio import CancelledError
from collections.abc import AsyncGenerator, Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from contracts import subjects
from contracts.base import Event
from contracts.codec import encode
from contracts.ids import AccountId
from services.runtime.clock import trading_day
from services.runtime.memory import MemoryInbox, MemoryJournal, MemorySnapshots
from services.runtime.ports import JournalUnavailableError, Received, Recorded, Snapshot
from tests.simulation.chance import Chance
from tests.simulation.story import Story
from tests.simulation.virtual_loop import Body, VirtualLoop

ACK_TIMEOUT_S = 5.0
_STEP_S = 1e-6

type Handler = Callable[[bytes, bytes, bytes, bytes | None], None]


class VirtualClock:
    """A clock that shows virtual time, a little before or behind the others."""

    def __init__(self, loop: VirtualLoop, start: datetime, skew: timedelta = timedelta()) -> None:
        self._loop = loop
        self._start = start + skew

    def leap(self, by: timedelta) -> None:
        """Skip a time in which nothing happens."""
        self._start += by

    def now(self) -> datetime:
        return self._start + timedelta(microseconds=round(self._loop.time() * 1e6))

    def monotonic_ms(self) -> int:
        return round(self._loop.time() * 1000)

    def trading_day(self, at: datetime) -> Any:
        return trading_day(at)


class Server:
    """The streams, the last market messages, leases, snapshots, and who listens."""

    def __init__(self, loop: VirtualLoop, start: datetime, account: AccountId) -> None:
        self.loop = loop
        self.clock = VirtualClock(loop, start)
        self.journal = MemoryJournal(account, self.clock)
        self.inbox = MemoryInbox(account, self.clock)
        self.story = Story(start)
        self.leases: dict[str, tuple[Process, float]] = {}
        self.unwinding = False
        self._latest: dict[str, bytes] = {}
        self._snapshots: dict[str, MemorySnapshots] = {}
        self._listeners: list[tuple[str, Link, Handler]] = []

    def note(self, actor: str, template: str, *facts: object) -> None:
        self.story.note(self.loop.time(), actor, template, *facts)

    def publish(self, subject: str, body: bytes) -> None:
        """Tell everybody who listens, and keep it as the last word on its subject."""
        self._latest[subject] = body
        for pattern, link, handler in self._listeners:
            if subject == pattern or (pattern.endswith(".*") and subject.startswith(pattern[:-1])):
                link.deliver(handler, subject.encode(), b"", body, None)

    def control(self, event: Event) -> None:
        """Store an operator's word, and let the plain plane carry it at the same time."""
        body = encode(event)
        subject = subjects.control(self.journal.account)
        self.journal.start_append(subject, event)
        self.publish(subject, body)

    def listen(self, pattern: str, link: "Link", handler: Handler) -> None:
        self._listeners.append((pattern, link, handler))

    def forget_all(self, process: "Process") -> None:
        """Drop the subscriptions of a process that is gone."""
        self._listeners = [one for one in self._listeners if one[1].process is not process]

    def snapshots(self, name: str) -> MemorySnapshots:
        return self._snapshots.setdefault(name, MemorySnapshots())

    def latest(self, subject: str) -> bytes:
        """Answer as the JetStream API does when asked for the last message on a subject."""
        body = self._latest.get(subject)
        if body is None:
            return b'{"error":{"code":404,"err_code":10037,"description":"no message found"}}'
        stored = {
            "subject": subject,
            "seq": 1,
            "time": "2026-11-23T15:00:00Z",
            "data": base64.b64encode(body).decode(),
        }
        return msgspec.json.encode({"message": stored})


class Process(Body):
    """One run of one process: it can die at any await, or right before or after anything that it sends."""

    def __init__(self, role: str, number: int, server: Server) -> None:
        super().__init__(f"{role}-{number}")
        self.role = role
        self.server = server
        self.dead = False
        self.core: Any = None
        self.heard: list[bytes] = []
        """What operators said, as it came on the plain plane."""
        self.fuse: int | None = None
        """So many more messages may leave before it dies."""
        self.dies_after_sending = False
        self.on_death: Callable[[Process, str], None] = lambda _process, _why: None

    def may_send(self) -> bool:
        """Count one message out; say whether it leaves."""
        if self.server.unwinding:
            raise CancelledError
        if self.dead:
            return False
        if self.fuse is None:
            return True
        self.fuse -= 1
        if self.fuse > 0:
            return True
        self.die("right after sending" if self.dies_after_sending else "right before sending")
        return self.dies_after_sending

    def die(self, how: str) -> None:
        """Stop for good, at once: no `finally` runs, nothing more is sent."""
        if not self.dead:
            self.dead = True
            self.server.loop.freeze(self)
            self.on_death(self, how)


class Link:
    """One process's connection: ordered both ways, each message with a lag of its own."""

    def __init__(self, process: Process, chance: Chance) -> None:
        self.process = process
        self.server = process.server
        self.chance = chance
        self.is_cut = False
        self.ended = asyncio.Event()
        self._loop = process.server.loop
        self._is_lost: bool | None = None
        self._out_at = 0.0
        self._in_at = 0.0
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    def stall(self, seconds: float) -> None:
        """Keep what leaves from now on back for a while; it all arrives then, in order."""
        self._out_at = max(self._out_at, self._loop.time() + seconds)

    def cut(self) -> None:
        """Break the connection: what is unanswered stays so, whether it arrived or not."""
        self.is_cut = True
        self.ended.set()
        for future in list(self._waiting.values()):
            if not future.done():
                future.set_exception(JournalUnavailableError("the link broke"))

    def call(self, act: Callable[[], Any]) -> asyncio.Future[Any]:
        """Ask the server to do something; the future brings its answer or its error."""
        answer = self._loop.create_future()
        if self.is_cut:
            answer.set_exception(JournalUnavailableError("the link is broken"))
        elif self.process.may_send():
            self._out_at = max(self._out_at + _STEP_S, self._loop.time() + self.chance.lag())
            self._loop.at(self._out_at, self._arrived, act, answer)
            timer = self._loop.at(self._loop.time() + ACK_TIMEOUT_S, _give_up, answer)
            self._waiting[id(answer)] = answer
            answer.add_done_callback(lambda _: self._settled(answer, timer), context=self._loop.outside)
        return answer

    def deliver(self, handler: Callable[..., None], *arguments: Any) -> None:
        """Bring something to the process, after what is already on its way to it."""
        self._in_at = max(self._in_at + _STEP_S, self._loop.time() + self.chance.lag())
        self._loop.call_at(self._in_at, self._handed, handler, arguments, context=self.process.context)

    def _handed(self, handler: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        if not self.is_cut:
            if arguments[0].endswith(b".control"):
                self.process.heard.append(arguments[2])
            handler(*arguments)

    def _settled(self, answer: asyncio.Future[Any], timer: asyncio.TimerHandle) -> None:
        timer.cancel()
        self._waiting.pop(id(answer), None)

    def _arrived(self, act: Callable[[], Any], answer: asyncio.Future[Any]) -> None:
        if self._is_lost is None and (self.process.dead or self.is_cut):
            self._is_lost = self.chance.happens(0.3)
        if self._is_lost:
            return  # it and all after it were still in the dead end's buffers
        try:
            result, error = act(), None
        except Exception as refused:  # noqa: BLE001 - whatever the server refuses is its answer
            result, error = None, refused
        self._in_at = max(self._in_at + _STEP_S, self._loop.time() + self.chance.lag())
        self._loop.at(self._in_at, _answered, answer, result, error)


def _give_up(answer: asyncio.Future[Any]) -> None:
    if not answer.done():
        answer.set_exception(JournalUnavailableError(f"not confirmed within {ACK_TIMEOUT_S:g} s"))


def _answered(answer: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)


class LinkedJournal:
    """The journal at the other end of a link."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._stored = link.server.journal
        self.account = self._stored.account

    async def append(
        self, subject: str, event: Event, *, expected_seq: int | None = None, traceparent: str | None = None
    ) -> int:
        return await self.start_append(subject, event, expected_seq=expected_seq, traceparent=traceparent)

    async def wait_for_room(self) -> None:
        """There is always room."""

    def start_append(
        self, subject: str, event: Event, *, expected_seq: int | None = None, traceparent: str | None = None
    ) -> asyncio.Future[int]:
        def store() -> int:
            return self._stored.start_append(
                subject, event, expected_seq=expected_seq, traceparent=traceparent
            ).result()

        return self._link.call(store)

    async def read(self, after: int = 0) -> AsyncGenerator[Recorded, None]:
        """Yield what is there at once, and what comes later after a lag, several at a time."""
        known = len(self._stored.events)
        async for recorded in self._stored.read(after):
            if recorded.seq > known:
                await asyncio.sleep(self._link.chance.lag())
                if self._link.is_cut:
                    await asyncio.Event().wait()
                known = len(self._stored.events)
            yield recorded

    async def read_raw(self, after: int = 0) -> AsyncGenerator[Received, None]:
        async for one in self.read(after):
            yield Received(one.seq, one.subject, one.at, one.body, one.headers)

    async def last_seq(self) -> int:
        return await self._link.call(lambda: len(self._stored.events))

    async def last_on(self, subject: str) -> Recorded | None:
        def look() -> Recorded | None:
            return next((one for one in reversed(self._stored.events) if one.subject == subject), None)

        return await self._link.call(look)


class LinkedInbox:
    """The intents at the other end of a link."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._stored = link.server.inbox

    async def read(self, after: int = 0) -> AsyncGenerator[Received, None]:
        async for received in self._stored.read(after):
            await asyncio.sleep(self._link.chance.lag())
            if self._link.is_cut:
                await asyncio.Event().wait()
            yield received

    async def last_seq(self) -> int:
        return await self._link.call(lambda: self._stored._messages[-1].seq if self._stored._messages else 0)


class LinkedSnapshots:
    """One process's snapshots at the other end of a link."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._stored = link.server.snapshots(link.process.role)

    async def save(self, snapshot: Snapshot) -> None:
        await self._link.call(lambda: self._stored._saved.append(snapshot))

    async def load(self, schema: str) -> Snapshot | None:
        saved = await self._link.call(lambda: self._stored._saved[-1] if self._stored._saved else None)
        return saved if saved is not None and saved.schema == schema else None


class LinkedConnection:
    """As much of a NATS connection as processes use beside the ports."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.ended = link.ended
        self.is_closed = False

    async def subscribe_raw(self, subject: str, handler: Handler) -> None:
        await self._link.call(lambda: self._link.server.listen(subject, self._link, handler))

    async def request(self, call: str, body: bytes, **_: Any) -> Any:
        """Answer the one API call that is made here: the last message on a subject."""
        subject = msgspec.json.decode(body)["last_by_subj"]
        return _Answer(await self._link.call(lambda: self._link.server.latest(subject)))

    async def drain(self) -> None:
        """Nothing is left behind."""


class _Answer:
    def __init__(self, data: bytes) -> None:
        self.data = data
