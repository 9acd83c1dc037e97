"""/v2/{feed}: quotes, trades and bars, told to every socket that subscribed to them."""

import asyncio
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from services.simulator.core.quotes import Quote
from services.simulator.faults_board import FaultBoard
from services.simulator.faults_market import DataFaults
from services.simulator.history import TimedBar
from services.simulator.settings import Keys
from services.simulator.web import ticks
from services.simulator.web.gate import matches, shown_keys
from services.simulator.web.outlet import Outlet, new_socket

AUTHENTICATE_SECONDS = 10.0
CHANNELS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds", "imbalances")
ALL = "*"

JSON = msgspec.json.Encoder(decimal_format="number")
MSGPACK = msgspec.msgpack.Encoder(decimal_format="number")

SUCCESS = {"connected", "authenticated"}
ERRORS = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    406: "connection limit exceeded",
}


class Subscriber:
    """One connection: its codec, whether it has shown the keys, and what it subscribed to."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        """Speak msgpack in binary frames when the handshake asked for it, JSON text otherwise."""
        self.packed = request.headers.get("Content-Type", "") == "application/msgpack"
        self.outlet = Outlet(request, socket)
        self.authorized = False
        self.channels: dict[str, dict[str, None]] = {channel: {} for channel in CHANNELS}

    def wants(self, channel: str, symbol: str) -> bool:
        """Say whether a symbol's messages of a channel go to this connection."""
        symbols = self.channels[channel]
        return symbol in symbols or ALL in symbols

    def tell(self, messages: list[dict[str, Any]]) -> None:
        """Send messages in one frame."""
        if self.packed:
            self.outlet.put(MSGPACK.encode(messages), WSMsgType.BINARY)
        else:
            self.outlet.put(JSON.encode(messages), WSMsgType.TEXT)

    def fail(self, code: int) -> None:
        """Send an error frame."""
        self.tell([{"T": "error", "code": code, "msg": ERRORS[code]}])

    def listing(self) -> dict[str, Any]:
        """Return the full current subscription; corrections and cancels come with trades."""
        lists = {channel: list(symbols) for channel, symbols in self.channels.items()}
        return {
            "T": "subscription",
            **lists,
            "corrections": lists["trades"],
            "cancelErrors": lists["trades"],
        }

    def read(self, raw: bytes) -> dict[str, Any] | None:
        """Return a client's message, or None when it is not readable."""
        decode = msgspec.msgpack.decode if self.packed else msgspec.json.decode
        try:
            found = decode(raw)
        except msgspec.DecodeError:
            return None
        return found if isinstance(found, dict) else None


class DataStream:
    """All connections to the market data socket."""

    def __init__(self, keys: Keys, most: int, faults: FaultBoard) -> None:
        """Let so many connections authenticate at once, 0 is any number, unless a fault keeps them out."""
        self._keys = keys
        self._most = most
        self._faults = DataFaults(faults)
        self._subscribers: dict[Subscriber, web.WebSocketResponse] = {}

    def publish_quotes(self, quotes: list[Quote]) -> None:
        """Tell new quotes, and the trades they carry, in one frame to each subscriber."""
        if not self._subscribers or not quotes:
            return
        told = [("quotes", q.symbol, {"T": "q", "S": q.symbol, **ticks.quote(q)}) for q in quotes]
        told += [("trades", q.symbol, {"T": "t", "S": q.symbol, **ticks.trade(q)}) for q in quotes]
        self._publish(told)

    def publish_bars(self, bars: list[tuple[str, TimedBar]], kind: str = "b") -> None:
        """Tell the bars of the minute that has just ended, or the day's bars so far (`d`)."""
        channel = "bars" if kind == "b" else "dailyBars"
        self._publish([(channel, symbol, {"T": kind, "S": symbol, **ticks.bar(bar)}) for symbol, bar in bars])

    def cut(self) -> int:
        """Cut every connection, and return how many there were."""
        for subscriber in self._subscribers:
            subscriber.outlet.abort()
        return len(self._subscribers)

    def _publish(self, told: list[tuple[str, str, dict[str, Any]]]) -> None:
        told = self._faults.told(told)
        for subscriber in self._subscribers:
            messages = [message for channel, symbol, message in told if subscriber.wants(channel, symbol)]
            if messages:
                subscriber.tell(messages)

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection."""
        socket = new_socket()
        await socket.prepare(request)
        subscriber = Subscriber(request, socket)
        self._subscribers[subscriber] = socket
        subscriber.tell([{"T": "success", "msg": "connected"}])
        try:
            async with asyncio.timeout(AUTHENTICATE_SECONDS) as patience:
                await self._converse(request, subscriber, socket, patience)
        except TimeoutError:
            subscriber.fail(404)
            await subscriber.outlet.flush()
            await socket.close()
        finally:
            del self._subscribers[subscriber]
            subscriber.outlet.stop()
        return socket

    async def close(self) -> None:
        """Close every connection, the program is ending."""
        for socket in list(self._subscribers.values()):
            await socket.close(code=1001, message=b"server is going away")

    async def _converse(
        self,
        request: web.Request,
        subscriber: Subscriber,
        socket: web.WebSocketResponse,
        patience: asyncio.Timeout,
    ) -> None:
        key_id, secret_key = shown_keys(request)
        if key_id:
            self._authenticate(subscriber, {"key": key_id, "secret": secret_key})
        while True:
            if subscriber.authorized:
                patience.reschedule(None)
            message = await socket.receive()
            if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                return
            raw = message.data.encode() if isinstance(message.data, str) else message.data
            self._answer(subscriber, subscriber.read(raw))

    def _answer(self, subscriber: Subscriber, message: dict[str, Any] | None) -> None:
        action = None if message is None else message.get("action")
        if message is None or action not in {"auth", "subscribe", "unsubscribe"}:
            subscriber.fail(400)
        elif action == "auth":
            self._authenticate(subscriber, message)
        elif not subscriber.authorized:
            subscriber.fail(401)
        else:
            self._change(subscriber, message, adding=action == "subscribe")

    def _authenticate(self, subscriber: Subscriber, message: dict[str, Any]) -> None:
        if subscriber.authorized:
            subscriber.fail(403)
        elif not matches(self._keys, str(message.get("key")), str(message.get("secret"))):
            subscriber.fail(402)
        elif self._is_full() or self._faults.is_full():
            subscriber.fail(406)
        else:
            subscriber.authorized = True
            subscriber.tell([{"T": "success", "msg": "authenticated"}])

    def _is_full(self) -> bool:
        return bool(self._most) and sum(other.authorized for other in self._subscribers) >= self._most

    def _change(self, subscriber: Subscriber, message: dict[str, Any], *, adding: bool) -> None:
        for channel, symbols in subscriber.channels.items():
            asked = message.get(channel)
            for symbol in asked if isinstance(asked, list) else []:
                if adding:
                    symbols[str(symbol)] = None
                else:
                    symbols.pop(str(symbol), None)
        subscriber.tell([subscriber.listing()])
