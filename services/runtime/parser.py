"""The NATS protocol read strictly: only space and CRLF separate, whatever bytes a subject holds.

nats-py's own parser takes vertical tabs for separators and decodes headers before anyone asks, so one message
with odd bytes in its subject or headers ends the connection of everyone who reads it, again at every replay.
"""

from collections.abc import Awaitable, Callable

from nats.errors import ProtocolError

CONTROL_LINE_BYTES_MAX = 65_536
"""Longer than any control line the server can send (subjects and replies are at most 4 KiB); INFO is the longest."""

_CRLF = b"\r\n"
_MSG_TOKENS = 4
_HMSG_TOKENS = 5


type OnMessage = Callable[[int, bytes, bytes, bytes, bytes | None], Awaitable[None]]
"""Takes sid, subject, reply, body and raw headers."""
type OnCommand = Callable[[bytes, bytes], Awaitable[None]]
"""Takes any other operation: its word in capitals, and the rest of the line."""


class StrictParser:
    """Cuts the server's bytes into operations and hands each on, in order."""

    def __init__(self, on_message: OnMessage, on_command: OnCommand) -> None:
        """Begin at the start of an operation."""
        self._on_message = on_message
        self._on_command = on_command
        self.reset()

    def reset(self) -> None:
        """Forget a half-read operation; the connection it came on is gone."""
        self._parts: list[bytes] = []
        self._missing_bytes = 0

    async def parse(self, data: bytes = b"") -> None:
        """Handle every complete operation in what was read, and keep the rest for the next read."""
        self._parts.append(data)
        self._missing_bytes -= len(data)
        if self._missing_bytes > 0:
            return  # joining at every read would cost the square of a long message
        buffer = b"".join(self._parts)
        at = 0
        while (next_at := await self._operation(buffer, at)) > at:
            at = next_at
        self._parts = [buffer[at:]]

    async def _operation(self, buffer: bytes, at: int) -> int:
        line_end = buffer.find(_CRLF, at)
        if line_end < 0:
            if len(buffer) - at > CONTROL_LINE_BYTES_MAX:
                raise ProtocolError("nats: a control line without an end")
            return at
        line = buffer[at:line_end]
        if line.startswith((b"MSG ", b"HMSG ")):
            return await self._message(buffer, at, line, line_end + 2)
        word, _, rest = line.partition(b" ")
        await self._on_command(word.upper(), rest)
        return line_end + 2

    async def _message(self, buffer: bytes, at: int, line: bytes, start: int) -> int:
        sid, subject, reply, header_bytes, total_bytes = _message_line(line)
        end = start + total_bytes
        if len(buffer) < end + 2:
            self._missing_bytes = end + 2 - len(buffer)
            return at
        headers = buffer[start : start + header_bytes] if header_bytes else None
        await self._on_message(sid, subject, reply, buffer[start + header_bytes : end], headers)
        return end + 2


def _message_line(line: bytes) -> tuple[int, bytes, bytes, int, int]:
    tokens = line.split(b" ")
    has_headers = tokens[0] == b"HMSG"
    expected = _HMSG_TOKENS if has_headers else _MSG_TOKENS
    if len(tokens) not in {expected, expected + 1}:
        raise ProtocolError(f"nats: malformed message line {line[:64]!r}")
    reply = tokens[3] if len(tokens) > expected else b""
    try:
        header_bytes = int(tokens[-2]) if has_headers else 0
        return int(tokens[2]), tokens[1], reply, header_bytes, int(tokens[-1])
    except ValueError as error:
        raise ProtocolError(f"nats: malformed message line {line[:64]!r}") from error
