"""/stream: trade updates, told to every socket that listens."""

import asyncio
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from services.simulator.core.errors import TOO_MANY, BrokerError
from services.simulator.faults import Occasion
from services.simulator.faults_board import FaultBoard
from services.simulator.faults_updates import Telling
from services.simulator.settings import Keys
from services.simulator.web.answers import refusal
from services.simulator.web.gate import matches, shown_keys
from services.simulator.web.outlet import Outlet, new_socket

AUTHENTICATE_SECONDS = 10.0
TRADE_UPDATES = "trade_updates"

JSON = msgspec.json.Encoder()
MSGPACK = msgspec.msgpack.Encoder()


class Listener:
    """One connection: its codec, whether it has shown the keys, and what it listens to."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse, kind: WSMsgType) -> None:
        """Speak msgpack when the handshake asked for it, JSON in frames of this kind otherwise."""
        self.packed = request.headers.get("Content-Type", "") == "application/msgpack"
        self.kind = WSMsgType.BINARY if self.packed else kind
        self.outlet = Outlet(request, socket)
        self.authorized = False
        self.streams: list[str] = []

    def tell(self, stream: str, data: Any) -> None:
        """Send one frame."""
        frame = {"stream": stream, "data": data}
        self.outlet.put(MSGPACK.encode(frame) if self.packed else JSON.encode(frame), self.kind)

    def read(self, message: bytes) -> tuple[str, dict[str, Any]]:
        """Return the action and data of a client's message; an unreadable one has no action."""
        decode = msgspec.msgpack.decode if self.packed else msgspec.json.decode
        try:
            found = decode(message)
        except msgspec.DecodeError:
            return "", {}
        if not isinstance(found, dict):
            return "", {}
        data = found.get("data")
        return str(found.get("action")), data if isinstance(data, dict) else found


class TradeStream:
    """All connections to /stream."""

    def __init__(self, keys: Keys, most: int, faults: FaultBoard, *, text: bool = False) -> None:
        """Let in so many connections at once, 0 is any number, unless a fault keeps them out."""
        self._keys = keys
        self._most = most
        self._faults = faults
        self._kind = WSMsgType.TEXT if text else WSMsgType.BINARY
        self._listeners: dict[Listener, web.WebSocketResponse] = {}
        faults.changed.append(self._listen_or_not)

    def publish(self, update: Telling) -> None:
        """Queue an update for every listener; each codec encodes it once."""
        self._send({"stream": TRADE_UPDATES, "data": update})

    def publish_null(self) -> None:
        """Send every listener a frame without data, as Alpaca does at times."""
        self._send({"data": None})

    def cut(self) -> int:
        """Cut every connection, and return how many there were."""
        for listener in self._listeners:
            listener.outlet.abort()
        return len(self._listeners)

    def _listen_or_not(self) -> None:
        """Stop reading from sockets that a fault has made deaf, and read again when it is gone."""
        silent = self._faults.standing("silent_stream")
        for listener in self._listeners:
            listener.outlet.deafen(deaf=silent is not None and silent.fault.deaf)

    def _send(self, frame: dict[str, Any]) -> None:
        frames: dict[bool, bytes] = {}
        for listener in self._listeners:
            if TRADE_UPDATES not in listener.streams:
                continue
            if listener.packed not in frames:
                encode = MSGPACK.encode if listener.packed else JSON.encode
                frames[listener.packed] = encode(frame)
            listener.outlet.put(frames[listener.packed], listener.kind)

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection; one too many is refused in the handshake."""
        too_many = self._most and len(self._listeners) >= self._most
        if too_many or self._faults.strikes("refuse_stream", Occasion(path=request.path)):
            return refusal(BrokerError(429, TOO_MANY, "too many requests."))
        socket = new_socket()
        await socket.prepare(request)
        listener = Listener(request, socket, self._kind)
        if matches(self._keys, *shown_keys(request)):
            listener.authorized = True
        self._listeners[listener] = socket
        try:
            async with asyncio.timeout(AUTHENTICATE_SECONDS) as patience:
                await self._converse(listener, socket, patience)
        except TimeoutError:
            await socket.close(code=1008, message=b"authentication timeout")
        finally:
            del self._listeners[listener]
            listener.outlet.stop()
        return socket

    async def close(self) -> None:
        """Close every connection, the program is ending."""
        for socket in list(self._listeners.values()):
            await socket.close(code=1001, message=b"server is going away")

    async def _converse(self, listener: Listener, socket: web.WebSocketResponse, patience: asyncio.Timeout) -> None:
        if listener.authorized:
            patience.reschedule(None)
        async for message in socket:
            if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                continue
            raw = message.data.encode() if isinstance(message.data, str) else message.data
            self._answer(listener, *listener.read(raw))
            if listener.authorized:
                patience.reschedule(None)

    def _answer(self, listener: Listener, action: str, data: dict[str, Any]) -> None:
        if action in {"authenticate", "auth"}:
            self._authenticate(listener, data)
        elif action == "listen" and listener.authorized:
            wanted = data.get("streams")
            asked = wanted if isinstance(wanted, list) else []
            listener.streams = [stream for stream in asked if stream == TRADE_UPDATES]
            listener.tell("listening", {"streams": listener.streams})
        else:
            message = "access key verification failed" if action == "listen" else "invalid action"
            answer = {"status": "unauthorized", "action": action, "message": message}
            listener.tell("authorization", answer)

    def _authenticate(self, listener: Listener, data: dict[str, Any]) -> None:
        key_id = str(data.get("key_id", data.get("key", "")))
        secret_key = str(data.get("secret_key", data.get("secret", "")))
        listener.authorized = matches(self._keys, key_id, secret_key)
        status = "authorized" if listener.authorized else "unauthorized"
        listener.tell("authorization", {"status": status, "action": "authenticate"})
