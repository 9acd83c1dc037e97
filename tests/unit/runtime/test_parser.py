"""The protocol is read the same however the bytes are cut, and nonsense in messages is only data."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.errors import ProtocolError

from services.runtime.parser import CONTROL_LINE_BYTES_MAX, StrictParser

WORD = st.binary(min_size=1, max_size=12).filter(lambda b: not set(b) & set(b" \t\r\n"))


class Heard:
    def __init__(self) -> None:
        self.operations: list[tuple] = []
        self.parser = StrictParser(self._message, self._command)

    async def _message(self, *parts) -> None:
        self.operations.append(parts)

    async def _command(self, *parts) -> None:
        self.operations.append(parts)

    def feed(self, *chunks: bytes) -> list[tuple]:
        async def feeding() -> None:
            for chunk in chunks:
                await self.parser.parse(chunk)

        asyncio.run(feeding())
        return self.operations


def message(subject: bytes, reply: bytes | None, body: bytes, headers: bytes | None) -> bytes:
    middle = b"" if reply is None else reply + b" "
    if headers is None:
        return b"MSG %b 7 %b%d\r\n%b\r\n" % (subject, middle, len(body), body)
    total = len(headers) + len(body)
    return b"HMSG %b 7 %b%d %d\r\n%b%b\r\n" % (subject, middle, len(headers), total, headers, body)


@given(
    st.lists(
        st.tuples(WORD, st.none() | WORD, st.binary(max_size=40), st.none() | st.binary(min_size=1, max_size=20))
    ),
    st.lists(st.integers(min_value=1, max_value=30), min_size=1, max_size=50),
)
def test_messages_come_out_as_they_went_in_however_the_bytes_are_cut(messages, sizes):
    wire = b"".join(message(*parts) for parts in messages)
    chunks, at, turn = [], 0, 0
    while at < len(wire):
        size = sizes[turn % len(sizes)]
        chunks.append(wire[at : at + size])
        at, turn = at + size, turn + 1
    expected = [(7, subject, reply or b"", body, headers) for subject, reply, body, headers in messages]
    assert Heard().feed(*chunks) == expected


def test_commands_are_told_by_their_first_word():
    wire = b"INFO {}\r\nPING\r\npong\r\n+OK\r\n-ERR 'Permissions Violation'\r\n"
    expected = [
        (b"INFO", b"{}"),
        (b"PING", b""),
        (b"PONG", b""),
        (b"+OK", b""),
        (b"-ERR", b"'Permissions Violation'"),
    ]
    assert Heard().feed(wire) == expected


def test_a_long_message_in_small_pieces_comes_out_whole():
    body = bytes(range(256)) * 4096
    wire = message(b"s", None, body, None)
    pieces = [wire[n : n + 1000] for n in range(0, len(wire), 1000)]
    assert Heard().feed(*pieces) == [(7, b"s", b"", body, None)]


def test_a_reset_forgets_the_half_of_a_message():
    heard = Heard()
    heard.feed(b"MSG s 7 500\r\nhalf")
    heard.parser.reset()
    assert heard.feed(b"PING\r\n") == [(b"PING", b"")]


@pytest.mark.parametrize(
    "line", [b"MSG s\r\n", b"MSG s 7 r x 2\r\nhi\r\n", b"MSG s 7 many\r\n", b"HMSG s 7 r 1 2 3 4\r\n"]
)
def test_a_malformed_message_line_ends_the_connection(line):
    with pytest.raises(ProtocolError):
        Heard().feed(line)


def test_a_line_without_an_end_ends_the_connection():
    with pytest.raises(ProtocolError):
        Heard().feed(b"x" * (CONTROL_LINE_BYTES_MAX + 1))
