"""Answers are read whole from any pieces, and what is no answer is never taken for one."""

import pytest

from services.oms.brokers import http_answer
from services.oms.brokers.http_answer import AnswerReader, HttpAnswer, MalformedAnswerError

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-RateLimit-Limit: 200\r\n\r\n{}"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"


def read(*pieces: bytes) -> tuple[list[HttpAnswer], AnswerReader]:
    reader = AnswerReader()
    return [answer for piece in pieces if (answer := reader.feed(piece)) is not None], reader


def byte_by_byte(text: bytes) -> list[bytes]:
    return [text[at : at + 1] for at in range(len(text))]


@pytest.mark.parametrize(
    ("text", "status", "body"),
    [
        (PLAIN, 200, b"{}"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n3;x=y\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
            200,
            b"{}abc",
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", 304, b""),
        (INTERIM + PLAIN, 200, b"{}"),
        (b"HTTP/1.1 422 Unprocessable\r\ncontent-length: 0\r\n\r\n", 422, b""),
    ],
)
def test_an_answer_is_the_same_in_one_piece_and_byte_by_byte(text: bytes, status: int, body: bytes):
    for pieces in ([text], byte_by_byte(text)):
        (answer,), reader = read(*pieces)
        assert (answer.status, answer.body) == (status, body)
        assert reader.keeps_alive


def test_answers_follow_each_other_and_headers_do_not_stay():
    answers, _ = read(PLAIN, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1", PLAIN)
    assert [answer.body for answer in answers] == [b"{}", b"1", b"{}"]
    assert answers[0].headers == {"content-length": "2", "x-ratelimit-limit": "200"}
    assert answers[1].headers == {"content-length": "1"}


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        PLAIN + PLAIN,
        PLAIN + b"garbage",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}more",
    ],
)
def test_an_answer_that_says_goodbye_or_is_followed_by_more_is_the_last(text: bytes):
    (answer,), reader = read(text)
    assert answer.body == b"{}"
    assert not reader.keeps_alive


@pytest.mark.parametrize(
    "text",
    [
        b"<html>",
        b"HTTP/1.1 99 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    ],
)
def test_what_is_no_answer_is_refused(text: bytes):
    with pytest.raises(MalformedAnswerError):
        read(text)


def test_a_body_without_a_length_ends_with_the_connection():
    answers, reader = read(b"HTTP/1.1 200 OK\r\n\r\n[1,", b"2]")
    assert answers == []
    answer = reader.end()
    assert answer is not None
    assert answer.body == b"[1,2]"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        PLAIN[:-1],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    ],
)
def test_an_answer_that_breaks_off_is_none(text: bytes):
    answers, reader = read(text)
    assert answers == []
    assert reader.end() is None


def test_an_endless_head_or_body_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http_answer, "HEAD_BYTES_MAX", 1_000)
    monkeypatch.setattr(http_answer, "ANSWER_BYTES_MAX", 10_000)
    head = b"HTTP/1.1 200 OK\r\nX: "
    with pytest.raises(MalformedAnswerError, match="headers"):
        read(head, *[b"x" * 100] * 11)
    with pytest.raises(MalformedAnswerError, match="10000"):
        read(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 100] * 101)
    with pytest.raises(MalformedAnswerError, match="headers"):
        read(*[INTERIM] * 100)
    (answer,), _ = read(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", *[b"x" * 100] * 90)
    assert len(answer.body) == 9_000


def test_the_bounds_count_for_each_answer_anew(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http_answer, "ANSWER_BYTES_MAX", 100)
    answers, _ = read(*[PLAIN] * 10)
    assert len(answers) == 10
