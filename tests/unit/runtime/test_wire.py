"""Ack subjects, timestamps and headers are read exactly."""

from datetime import UTC, datetime

import pytest

from services.runtime.nats_wire import delivery, header_value, kept_headers, moment, subject_text
from services.runtime.stream_api import StoredMessage


@pytest.mark.parametrize(
    "reply",
    [
        b"$JS.ACK.JOURNAL_paper.consumer.1.812.9.1700000000123456789.4",
        b"$JS.ACK.hub.ACCHASH.JOURNAL_paper.consumer.1.812.9.1700000000123456789.4",
        b"$JS.ACK.hub.ACCHASH.JOURNAL_paper.consumer.1.812.9.1700000000123456789.4.random",
    ],
)
def test_both_versions_of_the_ack_subject_give_sequence_consumer_sequence_and_time(reply):
    assert delivery(reply) == (812, 9, 1700000000123456789)


def test_a_server_time_is_cut_to_microseconds_exactly():
    assert moment(1700000000123456789) == datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)


def test_only_the_trace_header_is_kept():
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    raw = f"NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: 0\r\ntraceparent: {trace}\r\nother: x\r\n\r\n"
    assert kept_headers(raw.encode()) == (("traceparent", trace),)
    assert kept_headers(b"NATS/1.0\r\nx-traceparent: 1\r\n\r\n") == ()
    assert kept_headers(b"NATS/1.0\r\ntraceparent: 00-a-b-01\r\n\r\n") == ()
    assert kept_headers(None) == ()


def test_a_header_that_is_not_text_is_replaced_and_never_raised():
    assert header_value(b"NATS/1.0\r\nx: \xff\r\n", b"\r\nx:") == "�"
    assert header_value(b"NATS/1.0\r\nx: cut", b"\r\nx:") == "cut"


def test_a_subject_that_is_not_text_becomes_one_that_no_grammar_accepts_and_no_other_becomes():
    assert subject_text(b"intent.paper.demo.\xff") == r"intent.paper.demo.\xff"
    assert subject_text(rb"intent.paper.demo.\xff") == r"intent.paper.demo.\\xff"


@pytest.mark.parametrize(
    ("told", "microsecond"), [("44Z", 0), ("44.1Z", 100_000), ("44.123456999Z", 123_456), ("44.999999999Z", 999_999)]
)
def test_a_stored_message_tells_the_same_time_as_when_it_was_delivered(told, microsecond):
    stored = StoredMessage(subject="s", seq=1, told_time=f"2026-11-23T09:25:{told}")
    assert stored.time == datetime(2026, 11, 23, 9, 25, 44, microsecond, tzinfo=UTC)
