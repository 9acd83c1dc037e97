"""A server that answers each request as the test says, raw byte by raw byte."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
type Answer = Callable[[int, asyncio.StreamWriter], Awaitable[None]]
"""Answers the request of this number (from 1, over all connections)."""


class ScriptedServer:
    """Counts connections, keeps what came, and answers as told."""

    def __init__(self, answer: Answer) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.ended = 0
        self._answer = answer
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self, tls: ssl.SSLContext | None = None) -> int:
        """Listen; give the port."""
        self.listening = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        return self.listening.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    self.requests.append(await _request(reader))
                    await self._answer(len(self.requests), writer)
        finally:
            self.ended += 1
            self._writers.discard(writer)
            writer.close()

    def hang_up(self) -> None:
        """Close every connection that is open."""
        for writer in tuple(self._writers):
            writer.close()

    def say(self, text: bytes) -> None:
        """Write to every open connection, asked or not."""
        for writer in self._writers:
            writer.write(text)


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = [line.split(b":")[1] for line in head.splitlines() if line.lower().startswith(b"content-length")]
    return head + await reader.readexactly(int(length[0]) if length else 0)


@asynccontextmanager
async def served(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncGenerator[tuple[ScriptedServer, int]]:
    """Run a server for the time of a test."""
    server = ScriptedServer(answer)
    port = await server.start(tls)
    try:
        yield server, port
    finally:
        server.listening.close()
        server.hang_up()
        await server.listening.wait_closed()


def always(text: bytes = WHOLE) -> Answer:
    """Answer every request with the same bytes."""

    async def answer(_number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(text)

    return answer


def in_turn(*texts: bytes | None) -> Answer:
    """Answer each request with its own bytes, or by hanging up without one; later ones get a whole answer."""

    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        text = texts[number - 1] if number <= len(texts) else WHOLE
        if text is None:
            writer.transport.abort()
        else:
            writer.write(text)

    return answer


async def silence(_number: int, _writer: asyncio.StreamWriter) -> None:
    """Answer nothing."""
