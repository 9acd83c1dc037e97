"""Reads answers out of the bytes of one HTTP/1.1 connection; no socket and no clock in sight."""

from collections.abc import Mapping

import msgspec
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

HEAD_BYTES_MAX = 64 * 1024
ANSWER_BYTES_MAX = 16 * 1024 * 1024
"""Everything that belongs to one answer as it came over the wire, head and framing included."""
_FINAL_STATUS_MIN = 200


class MalformedAnswerError(Exception):
    """What came is no HTTP answer, or one beyond all bounds; nothing after it on the connection can be trusted."""


class HttpAnswer(msgspec.Struct, frozen=True):
    """One answer; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class AnswerReader:
    """Puts answers together from whatever pieces they arrive in; interim (1xx) answers are passed over."""

    def __init__(self) -> None:
        """Stand before the first answer."""
        self.keeps_alive = True
        """Whether another answer may follow the last one that was whole."""
        self._parser = HttpResponseParser(self)
        self._answer: HttpAnswer | None = None
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._is_head_whole = False
        self._received = 0

    def feed(self, data: bytes) -> HttpAnswer | None:
        """Take the next piece and give the answer once it is whole; raise `MalformedAnswerError` if it cannot be."""
        self._received += len(data)
        if self._received > ANSWER_BYTES_MAX:
            raise MalformedAnswerError(f"an answer of more than {ANSWER_BYTES_MAX} bytes")
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self.keeps_alive = False
            if self._answer is None:
                raise MalformedAnswerError(f"no HTTP answer: {error}") from error
        if self._answer is None and not self._is_head_whole and self._received > HEAD_BYTES_MAX:
            raise MalformedAnswerError(f"headers of more than {HEAD_BYTES_MAX} bytes")
        return self._take()

    def end(self) -> HttpAnswer | None:
        """Hear that the connection ended well; give the answer whose only end that is, if there is one."""
        if self._is_head_whole and not self._headers.keys() & {"content-length", "transfer-encoding"}:
            self._finish()
        return self._take()

    def on_message_begin(self) -> None:
        """Start over; if an answer is whole already, more has come than was asked for."""
        if self._answer is not None:
            self.keeps_alive = False
        self._headers, self._body, self._is_head_whole = {}, [], False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; where one repeats, the last counts."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Note that the head of a final answer is whole."""
        self._is_head_whole = self._parser.get_status_code() >= _FINAL_STATUS_MIN

    def on_body(self, piece: bytes) -> None:
        """Keep a piece of the body."""
        self._body.append(piece)

    def on_message_complete(self) -> None:
        """Put the answer together."""
        if self._is_head_whole and self._answer is None:
            self.keeps_alive = self._parser.should_keep_alive()
            self._finish()

    def _finish(self) -> None:
        self._answer = HttpAnswer(self._parser.get_status_code(), self._headers, b"".join(self._body))

    def _take(self) -> HttpAnswer | None:
        """Hand the answer out and stand before the next."""
        answer = self._answer
        if answer is not None:
            self._answer, self._is_head_whole, self._received = None, False, 0
        return answer
