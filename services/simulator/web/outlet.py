"""One websocket's outgoing side: a bounded queue, so that a slow reader never slows the market."""

import asyncio

import structlog
from aiohttp import WSMsgType, web

MOST_QUEUED_FRAMES = 4096
HEARTBEAT_SECONDS = 45.0
CLOSE_SECONDS = 2.0

log = structlog.get_logger()


class Outlet:
    """Frames waiting for one peer; a peer that falls too far behind is cut off."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        """Write to this socket from a task of its own."""
        self._request = request
        self._socket = socket
        self._queue: asyncio.Queue[tuple[WSMsgType, bytes]] = asyncio.Queue(MOST_QUEUED_FRAMES)
        self._writer = asyncio.create_task(self._write())

    def put(self, frame: bytes, kind: WSMsgType) -> None:
        """Queue a frame, or cut the peer off when its queue is full."""
        try:
            self._queue.put_nowait((kind, frame))
        except asyncio.QueueFull:
            log.warning("slow_socket_cut_off", path=self._request.path)
            self.abort()

    def abort(self) -> None:
        """Cut the connection without a handshake."""
        self._writer.cancel()
        if self._request.transport is not None:
            self._request.transport.abort()

    def deafen(self, *, deaf: bool) -> None:
        """Stop reading from the peer, its pings included, or read again."""
        transport = self._request.transport
        if transport is not None and not transport.is_closing():  # uvloop's are no asyncio.Transport by descent
            transport.pause_reading() if deaf else transport.resume_reading()

    async def flush(self) -> None:
        """Wait until what is queued has been written, for at most as long as a close may take."""
        try:
            await asyncio.wait_for(self._queue.join(), CLOSE_SECONDS)
        except TimeoutError:
            self.abort()

    def stop(self) -> None:
        """Stop writing."""
        self._writer.cancel()

    async def _write(self) -> None:
        while True:
            kind, frame = await self._queue.get()
            try:
                if kind is WSMsgType.TEXT:
                    await self._socket.send_str(frame.decode())
                else:
                    await self._socket.send_bytes(frame)
            except ConnectionError:
                return  # the reading side notices the end of the connection and cleans up
            finally:
                self._queue.task_done()


def new_socket() -> web.WebSocketResponse:
    """Return a server socket that reaps peers which no longer answer pings."""
    return web.WebSocketResponse(heartbeat=HEARTBEAT_SECONDS, compress=False, timeout=CLOSE_SECONDS)
