"""The market-data socket: connects, subscribes, yields what it hears, and connects again when the link breaks."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

import aiohttp
import msgspec

from contracts.ids import Symbol
from contracts.market import Bar, MarketMessage, Quote, SymbolStats, SymbolStatus
from services.regime import feed_wire as wire
from services.runtime.ports import Clock

_DATA = (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)
_FRAME_BYTES_MAX = 16 * 1024 * 1024


class FeedUp(msgspec.Struct, frozen=True):
    """From here on market data arrives."""


class FeedDown(msgspec.Struct, frozen=True):
    """No market data until the next `FeedUp`; what is known grows old."""

    detail: str


class FeedNoise(msgspec.Struct, frozen=True):
    """Something came that could not be read; one entry is lost, the link stands."""

    detail: str


type FeedReport = MarketMessage | FeedUp | FeedDown | FeedNoise


class _FeedBrokenError(Exception):
    """The server closed the socket, refused us, or fell silent."""


@dataclass(frozen=True, slots=True)
class FeedKeys:
    """The data key; neither half ever shows in a log or a traceback."""

    key_id: str = field(repr=False)
    secret_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FeedTimings:
    """How long each wait may be; a feed silent for longer than `silence_ms` counts as broken."""

    connect_ms: int = 5_000
    handshake_ms: int = 10_000
    ping_every_ms: int = 10_000
    silence_ms: int = 120_000
    backoff_first_ms: int = 250
    backoff_last_ms: int = 30_000


class MarketFeed:
    """One socket's address, keys and symbols; `stream` may be read by one reader at a time."""

    def __init__(  # noqa: PLR0913 - the wiring of an edge, said once in the process's entry
        self,
        url: str,
        keys: FeedKeys,
        symbols: Sequence[Symbol],
        clock: Clock,
        below: Callable[[int], int],
        *,
        source: str,
        timings: FeedTimings | None = None,
    ) -> None:
        """Remember where to connect and what to ask for; `below(n)` draws from 0 to n - 1 for the jitter."""
        self._url = url
        self._keys = keys
        self._symbols = tuple(symbols)
        self._clock = clock
        self._below = below
        self._source = source
        self._timings = timings or FeedTimings()
        self._quotes = 0

    async def stream(self) -> AsyncIterator[FeedReport]:
        """Yield market data for ever, each attempt ended by a `FeedDown` that says why."""
        failures = 0
        while True:
            since = self._clock.monotonic_ms()
            try:
                async for report in self._one_link():
                    yield report
            except (aiohttp.ClientError, OSError, TimeoutError, _FeedBrokenError) as error:
                held = self._clock.monotonic_ms() - since > self._timings.backoff_last_ms
                failures = 1 if held else failures + 1
                yield FeedDown(f"{type(error).__name__}: {error}")
            await asyncio.sleep(self._backoff_ms(failures) / 1000)

    async def _one_link(self) -> AsyncIterator[FeedReport]:
        timeout = aiohttp.ClientTimeout(total=None, connect=self._timings.connect_ms / 1000)
        async with (
            aiohttp.ClientSession(trust_env=False, timeout=timeout) as session,
            session.ws_connect(
                self._url,
                heartbeat=self._timings.ping_every_ms / 1000,
                headers={"Content-Type": "application/json"},
                max_msg_size=_FRAME_BYTES_MAX,
            ) as socket,
        ):
            async with asyncio.timeout(self._timings.handshake_ms / 1000):
                early = await self._handshake(socket)
            yield FeedUp()
            for report in early:
                yield report
            while True:
                async with asyncio.timeout(self._timings.silence_ms / 1000):
                    entries = await self._next(socket)
                for report in _reports(entries):
                    yield report

    async def _handshake(self, socket: aiohttp.ClientWebSocketResponse) -> list[FeedReport]:
        """Prove ourselves and subscribe; quotes may share a frame with the confirmation, so they are given back."""
        await self._expect(socket, wire.Stage.CONNECTED)
        await socket.send_str(wire.authenticate(self._keys.key_id, self._keys.secret_key).decode())
        await self._expect(socket, wire.Stage.AUTHENTICATED)
        await socket.send_str(wire.subscribe(self._symbols).decode())
        return await self._expect(socket, wire.Stage.SUBSCRIBED)

    async def _expect(self, socket: aiohttp.ClientWebSocketResponse, stage: wire.Stage) -> list[FeedReport]:
        """Read frames up to the one that holds this stage; the caller's timeout bounds the waiting."""
        heard: list[FeedReport] = []
        while True:
            entries = await self._next(socket)
            heard.extend(_reports(entries))
            if stage in entries:
                return heard

    async def _next(self, socket: aiohttp.ClientWebSocketResponse) -> list[wire.Entry]:
        message = await socket.receive()
        if message.type not in _DATA:
            detail = repr(message.data) if isinstance(message.data, Exception) else f"code {socket.close_code}"
            raise _FeedBrokenError(f"closed: {detail}")
        entries = wire.read_frame(message.data, self._source, self._quotes + 1)
        self._quotes += sum(isinstance(entry, Quote) for entry in entries)
        return entries

    def _backoff_ms(self, failures: int) -> int:
        doublings = min(max(failures - 1, 0), 16)
        ceiling = min(self._timings.backoff_first_ms << doublings, self._timings.backoff_last_ms)
        return ceiling // 2 + self._below(ceiling // 2 + 1)


def _reports(entries: list[wire.Entry]) -> list[FeedReport]:
    """Keep what the reader of the feed wants; a refusal breaks the link."""
    reports: list[FeedReport] = []
    for entry in entries:
        match entry:
            case Quote() | Bar() | SymbolStatus() | SymbolStats():
                reports.append(entry)
            case wire.Unreadable(detail=detail):
                reports.append(FeedNoise(detail))
            case wire.FeedRefused(code=code, message=message):
                raise _FeedBrokenError(f"refused: {code} {message}")
            case wire.Stage():
                pass
            case _:
                assert_never(entry)
    return reports
