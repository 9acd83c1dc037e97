"""Alpaca's trade_updates socket: connects, proves itself, listens, and connects again when the link breaks.

The stream has no replay, so each `LinkUp` means that something may have been missed. A peer that stops answering
pings counts as gone, within one and a half times `ping_every_ms`. A frame that cannot be read breaks the link on
purpose: the update in it is lost, and only a reconciliation can say what it was.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp

from services.oms.brokers import alpaca_updates_wire as wire
from services.oms.brokers.alpaca_http import AlpacaKeys
from services.oms.brokers.alpaca_wire import UnreadableReportError
from services.oms.brokers.port import BrokerUpdate, LinkDown, LinkUp, StreamReport
from services.runtime.ports import Clock

_DATA = (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)
_FRAME_BYTES_MAX = 4 * 1024 * 1024
_TOO_MANY = 429
_DOUBLINGS_MAX = 16


class _LinkRefusedError(Exception):
    """The broker closed the socket or would not let us in."""


@dataclass(frozen=True, slots=True)
class LinkTimings:
    """How long each wait on the socket may be; the backoff doubles from the first to the last.

    It has no jitter: an account has one socket, so nobody else wakes at the same moment. A broker that says 429
    still holds a socket of ours that died, for up to 90 s: asking often then only adds to its count.
    """

    connect_ms: int = 5_000
    handshake_ms: int = 10_000
    ping_every_ms: int = 5_000
    backoff_first_ms: int = 250
    backoff_last_ms: int = 2_000
    limited_last_ms: int = 15_000
    held_ms: int = 30_000
    """A link that held this long begins with a clean slate when it breaks; one that flaps waits longer each time."""


class AlpacaUpdates:
    """The socket's address, keys and manners; `stream` may be read by one reader at a time."""

    def __init__(
        self,
        stream_url: str,
        keys: AlpacaKeys,
        clock: Clock,
        timings: LinkTimings | None = None,
    ) -> None:
        """Remember where to connect."""
        self._url = stream_url
        self._keys = keys
        self._clock = clock
        self._timings = timings or LinkTimings()
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def stream(self) -> AsyncIterator[StreamReport]:
        """Yield updates for ever, each attempt ended by a `LinkDown` that says why."""
        failures = 0
        while True:
            since = self._clock.monotonic_ms()
            last_ms = self._timings.backoff_last_ms
            try:
                async for report in self._one_link():
                    yield report
            except (aiohttp.ClientError, OSError, TimeoutError, UnreadableReportError, _LinkRefusedError) as error:
                held = self._clock.monotonic_ms() - since > self._timings.held_ms
                failures = 1 if held else failures + 1
                last_ms = self._timings.limited_last_ms if _is_limited(error) else last_ms
                yield LinkDown(detail=f"{type(error).__name__}: {error}")
            await asyncio.sleep(self.backoff_ms(failures, last_ms) / 1000)

    async def renew(self) -> None:
        """Hang up, so that a socket which answers pings and tells nothing is made anew."""
        if self._socket is not None:
            await self._socket.close()

    async def _one_link(self) -> AsyncIterator[StreamReport]:
        timeout = aiohttp.ClientTimeout(total=None, connect=self._timings.connect_ms / 1000)
        async with (
            aiohttp.ClientSession(trust_env=False, timeout=timeout) as session,
            session.ws_connect(
                self._url, heartbeat=self._timings.ping_every_ms / 1000, max_msg_size=_FRAME_BYTES_MAX
            ) as socket,
        ):
            async with asyncio.timeout(self._timings.handshake_ms / 1000):
                await self._handshake(socket)
            self._socket = socket
            yield LinkUp()
            while True:
                frame = await _next_frame(socket)
                if isinstance(frame, BrokerUpdate):
                    yield frame

    async def _handshake(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        await socket.send_str(wire.authenticate(self._keys.key_id, self._keys.secret_key).decode())
        await _expect(socket, wire.Control.AUTHORIZED)
        await socket.send_str(wire.listen().decode())
        await _expect(socket, wire.Control.LISTENING)

    def backoff_ms(self, failures: int, last_ms: int) -> int:
        """Give the milliseconds to wait after this many failures in a row."""
        doublings = min(max(failures - 1, 0), _DOUBLINGS_MAX)
        return min(self._timings.backoff_first_ms << doublings, last_ms)


def _is_limited(error: Exception) -> bool:
    return isinstance(error, aiohttp.WSServerHandshakeError) and error.status == _TOO_MANY


async def _expect(socket: aiohttp.ClientWebSocketResponse, wanted: wire.Control) -> None:
    """Wait for one control frame; the caller's timeout bounds the waiting."""
    while (frame := await _next_frame(socket)) is not wanted:
        if frame is wire.Control.UNAUTHORIZED:
            raise _LinkRefusedError("the broker does not accept our keys")


async def _next_frame(socket: aiohttp.ClientWebSocketResponse) -> BrokerUpdate | wire.Control:
    message = await socket.receive()
    if message.type in _DATA:
        return wire.read_frame(message.data)
    if isinstance(message.data, Exception):
        raise _LinkRefusedError(f"{type(message.data).__name__}: {message.data}") from message.data
    raise _LinkRefusedError(f"closed with code {socket.close_code}")
