"""The bytes of NATS and JetStream that nats-py leaves to its user: replies, headers, API calls."""

import re
from datetime import UTC, datetime, timedelta

import msgspec

ACK_PREFIX = b"$JS.ACK."
FLOW_PREFIX = b"$JS.FC."
STALLED_HEADER = b"Nats-Consumer-Stalled:"
EXPECTED_SEQ_HEADER = "Nats-Expected-Last-Subject-Sequence"
KV_OPERATION_HEADER = "KV-Operation"
KV_DELETED = "DEL"
TRACE_HEADER = "traceparent"
WRONG_LAST_SEQUENCE = frozenset({10071, 10164})
"""Somebody wrote on this subject first: plainly, or with another proposal in flight (clustered)."""
SUBJECT_FULL = 10077
"""The stream keeps one message for each subject, and this subject has one."""
NO_MESSAGE = 10037
NO_STREAM = 10059

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_TRACE_LINE = b"\r\n" + TRACE_HEADER.encode() + b":"
_V1_TOKENS = 9
_V1_STREAM_SEQ = 5
_V2_STREAM_SEQ = 7


class ApiError(msgspec.Struct, frozen=True):
    """What the JetStream API answers when it refuses."""

    code: int = 0
    err_code: int = 0
    description: str = ""


class PubAck(msgspec.Struct, frozen=True):
    """The server's word that a message is stored, or why it is not."""

    stream: str = ""
    seq: int = 0
    error: ApiError | None = None


def moment(since_epoch_ns: int) -> datetime:
    """Give the moment of a server timestamp in nanoseconds, cut to microseconds."""
    return _EPOCH + timedelta(microseconds=since_epoch_ns // 1000)


def delivery(reply: bytes) -> tuple[int, int, int]:
    """Read stream sequence, consumer sequence and time (ns) from the ack subject of a delivered message.

    Version 1 is `$JS.ACK.stream.consumer.delivered.sseq.cseq.ns.pending`; version 2 has domain and account
    hash after `ACK` and may have more tokens at the end.
    """
    tokens = reply.split(b".")
    at = _V1_STREAM_SEQ if len(tokens) == _V1_TOKENS else _V2_STREAM_SEQ
    return int(tokens[at]), int(tokens[at + 1]), int(tokens[at + 2])


def header_value(raw: bytes, line_start: bytes) -> str | None:
    """Find one header in a raw block by `CRLF name colon`; what is not UTF-8 is replaced, never raised."""
    at = raw.find(line_start)
    if at < 0:
        return None
    begin = at + len(line_start)
    end = raw.find(b"\r\n", begin)
    return raw[begin : end if end >= 0 else len(raw)].strip().decode("utf-8", "replace")


def kept_headers(raw: bytes | None) -> tuple[tuple[str, str], ...]:
    """Keep a well-formed trace header; no other header means anything, and senders' nonsense is not passed on."""
    if raw is None:
        return ()
    trace = header_value(raw, _TRACE_LINE)
    return () if trace is None or _TRACE.fullmatch(trace) is None else ((TRACE_HEADER, trace),)


def subject_text(subject: bytes) -> str:
    """Read a subject; bytes that are not UTF-8 come out as escapes, and no two subjects as the same text."""
    return subject.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
