"""The link to NATS: nats-py's client, made to survive odd bytes and to tell its users when the link breaks.

This is the only module that knows the inside of nats-py. Readers and the ack inbox subscribe through
`subscribe_raw`, which hands them bytes at once, without a queue that may overflow or a task that must wake.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.errors import ProtocolError

from services.runtime.nats_wire import subject_text
from services.runtime.parser import StrictParser
from services.runtime.ports import JournalUnavailableError

CONNECT_S_MAX = 10.0
RECONNECT_WAIT_S = 0.25
PING_INTERVAL_S = 5
OUTSTANDING_PINGS_MAX = 2
DRAIN_S_MAX = 5

_PING = b"PING\r\n"

type RawHandler = Callable[[bytes, bytes, bytes, bytes | None], None]
"""Takes subject, reply, body and raw headers of one message; must not block and must not raise."""
type ErrorSink = Callable[[Exception], None]


class Connection(Client):
    """A client whose users hear of a broken link at once and of a restored one."""

    def __init__(self, on_error: ErrorSink) -> None:
        """Prepare a link that is not yet up; `on_error` hears what the server says between messages."""
        super().__init__()
        self._ps = StrictParser(self._route, self._command)  # pyright: ignore[reportAttributeAccessIssue] - same use
        self._raw: dict[int, RawHandler] = {}
        self._on_error = on_error
        self._down_listeners: set[Callable[[], None]] = set()
        self._up_listeners: set[Callable[[], None]] = set()
        self.ended = asyncio.Event()

    async def open(self, url: str, name: str, seed: str | None, *, reconnect: bool) -> None:
        """Connect within `CONNECT_S_MAX`; with `reconnect` the link comes back by itself for ever after."""
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                await self.connect(
                    url.split(","),
                    name=name,
                    nkeys_seed_str=seed,
                    inbox_prefix=inbox_prefix(name),
                    allow_reconnect=reconnect,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=RECONNECT_WAIT_S,  # pyright: ignore[reportArgumentType] - seconds, any number
                    connect_timeout=2,
                    ping_interval=PING_INTERVAL_S,
                    max_outstanding_pings=OUTSTANDING_PINGS_MAX,
                    drain_timeout=DRAIN_S_MAX,
                    # Nothing is buffered while the link is down: a publish either went out in order or failed.
                    pending_size=0,
                    error_cb=self._heard_error,
                    disconnected_cb=self._went_down,
                    reconnected_cb=self._came_up,
                    closed_cb=self._ended,
                )
        except TimeoutError:
            last_error = self._err
            await self.close()
            raise JournalUnavailableError(f"no NATS at {url} within {CONNECT_S_MAX:g} s: {last_error!r}") from None

    async def subscribe_raw(self, subject: str, handler: RawHandler) -> Subscription:
        """Subscribe with a handler that gets the bytes of each message inside the read loop."""
        subscription = await self.subscribe(subject, future=asyncio.get_running_loop().create_future())
        self._raw[_sid(subscription)] = handler
        return subscription

    async def unsubscribe_raw(self, subscription: Subscription) -> None:
        """End a raw subscription; a link that is already gone has ended it."""
        self._raw.pop(_sid(subscription), None)
        if not self.is_closed and not self.is_draining:
            await subscription.unsubscribe()

    def publish_now(
        self, subject: str, body: bytes, *, reply: str = "", headers: dict[str, str] | None = None
    ) -> None:
        """Publish before returning, so that the order of calls is the order on the wire.

        nats-py's `publish` waits only when its buffer limit forces a flush; `open` sets no limit, so the
        coroutine runs to its end in one step. Raises `JournalUnavailableError` when the link is down.
        """
        publishing = self.publish(subject, body, reply=reply, headers=headers)
        try:
            publishing.send(None)
        except StopIteration:
            return
        except Exception as error:
            raise JournalUnavailableError(f"could not publish to {subject}: {error!r}") from error
        publishing.close()
        raise JournalUnavailableError(f"publishing to {subject} had to wait, so its place in the order is unknown")

    def listen(self, *, down: Callable[[], None], up: Callable[[], None]) -> Callable[[], None]:
        """Hear of the link going down and coming back; the returned function ends it."""
        self._down_listeners.add(down)
        self._up_listeners.add(up)

        def stop() -> None:
            self._down_listeners.discard(down)
            self._up_listeners.discard(up)

        return stop

    async def _route(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:
        handler = self._raw.get(sid)
        if handler is not None:
            handler(subject, reply, data, headers)
            return
        await self._process_msg(sid, subject, reply, data, headers)  # pyright: ignore[reportArgumentType] - None is fine

    async def _command(self, word: bytes, rest: bytes) -> None:
        match word:
            case b"PING":
                await self._process_ping()
            case b"PONG":
                await self._process_pong()
            case b"INFO":
                await self._process_info(msgspec.json.decode(rest, type=dict[str, Any]))
            case b"-ERR":
                await self._process_err(rest.decode("utf-8", "replace").lower())
            case b"+OK" | b"":
                pass
            case _:
                raise ProtocolError(f"nats: unknown operation {word[:32]!r}")

    async def _send_ping(self, future: asyncio.Future[Any] | None = None) -> None:
        """Queue the ping behind what was published before; nats-py's own overtakes it, so `flush` proves nothing."""
        self._pongs.append(asyncio.get_running_loop().create_future() if future is None else future)
        await self._send_command(_PING)
        await self._flush_pending()

    async def _process_headers(self, headers: Any) -> dict[str, str] | None:
        try:
            return await super()._process_headers(headers)
        except (IndexError, UnicodeDecodeError):
            return None  # a sender's nonsense must not end the read loop; bodies are judged by their readers

    def _build_message(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: Any) -> Any:
        return super()._build_message(sid, subject_text(subject).encode(), reply, data, headers)

    async def _heard_error(self, error: Exception) -> None:
        self._on_error(error)

    async def _went_down(self) -> None:
        for listener in tuple(self._down_listeners):
            listener()

    async def _came_up(self) -> None:
        for listener in tuple(self._up_listeners):
            listener()

    async def wait_until_up_or_closed(self) -> None:
        """Wait while the link is down and may come back."""
        changed = asyncio.Event()
        stop_listening = self.listen(down=changed.set, up=changed.set)
        try:
            while not self.is_connected and not self.is_closed:
                changed.clear()
                await changed.wait()
        finally:
            stop_listening()

    async def _ended(self) -> None:
        self.ended.set()
        await self._went_down()


def _sid(subscription: Subscription) -> int:
    return subscription._id  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - the key the server sends


def inbox_prefix(name: str) -> str:
    """Give the only prefix on which this user may receive answers."""
    return f"_INBOX_{name}"


async def connect(
    url: str, name: str, seed: str | None, *, reconnect: bool, on_error: ErrorSink = lambda _: None
) -> Connection:
    """Open a connection as one user; raise `JournalUnavailableError` when there is no server in time."""
    connection = Connection(on_error)
    await connection.open(url, name, seed, reconnect=reconnect)
    return connection
