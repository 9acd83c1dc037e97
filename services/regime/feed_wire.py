"""Alpaca's market-data frames (JSON arrays) into quotes, bars and halts, and our requests back, pure.

One entry that cannot be read costs that entry alone: it becomes an `Unreadable`, the rest of its frame survives.
Market data is evidence with an age, so a lost quote is only an older quote.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from contracts.ids import Symbol, is_symbol
from contracts.market import Bar, MarketMessage, Quote, SymbolStatus

MINUTE = "1Min"
DAY = "1Day"


class Stage(StrEnum):
    """How far the server says we have come."""

    CONNECTED = "connected"
    AUTHENTICATED = "authenticated"
    SUBSCRIBED = "subscribed"


class FeedRefused(msgspec.Struct, frozen=True):
    """The server's error; after one the stream may stay silent, so the link is made anew."""

    code: int
    message: str


class Unreadable(msgspec.Struct, frozen=True):
    """An entry that says nothing we could use, and why."""

    detail: str


type Entry = MarketMessage | Stage | FeedRefused | Unreadable


class _WireKind(msgspec.Struct, frozen=True):
    T: str = ""


class _WireSuccess(msgspec.Struct, frozen=True):
    msg: str = ""


class _WireError(msgspec.Struct, frozen=True):
    code: int = 0
    msg: str = ""


class _WireQuote(msgspec.Struct, frozen=True):
    S: str
    bp: Decimal
    ap: Decimal
    t: datetime
    bs: Decimal = Decimal(0)
    as_: Decimal = msgspec.field(name="as", default=Decimal(0))


class _WireBar(msgspec.Struct, frozen=True):
    S: str
    o: Decimal
    h: Decimal
    l: Decimal  # noqa: E741 - the wire's own name
    c: Decimal
    v: Decimal
    t: datetime


class _WireStatus(msgspec.Struct, frozen=True):
    S: str
    t: datetime
    sc: str = ""
    sm: str = ""
    rc: str = ""
    rm: str = ""


_frames = msgspec.json.Decoder(list[msgspec.Raw])
_kinds = msgspec.json.Decoder(_WireKind)


def authenticate(key_id: str, secret_key: str) -> bytes:
    """Write the first request; it holds the keys and must never be logged."""
    return msgspec.json.encode({"action": "auth", "key": key_id, "secret": secret_key})


def subscribe(symbols: Iterable[Symbol]) -> bytes:
    """Write the request for quotes, minute bars and halts of these symbols."""
    wanted = list(symbols)
    return msgspec.json.encode({"action": "subscribe", "quotes": wanted, "bars": wanted, "statuses": wanted})


def read_frame(frame: bytes | str, source: str, first_seq: int) -> list[Entry]:
    """Read one frame; quotes are counted from `first_seq` on, in the order in which they stand in it."""
    try:
        raws = _frames.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return [Unreadable(f"frame: {error}")]
    entries: list[Entry] = []
    seq = first_seq
    for raw in raws:
        entry = _read_entry(raw, source, seq)
        if entry is not None:
            entries.append(entry)
        seq += isinstance(entry, Quote)
    return entries


def _read_entry(raw: msgspec.Raw, source: str, seq: int) -> Entry | None:
    try:
        kind = _kinds.decode(raw).T
        reader = _READERS.get(kind)
        return None if reader is None else reader(raw, source, seq)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        return Unreadable(f"entry: {error}")


def _quote(raw: msgspec.Raw, source: str, seq: int) -> Quote:
    wire = _decode(raw, _WireQuote)
    return Quote(
        symbol=_symbol(wire.S),
        bid_price=_finite(wire.bp),
        ask_price=_finite(wire.ap),
        bid_size=_finite(wire.bs),
        ask_size=_finite(wire.as_),
        at=_utc(wire.t),
        seq=seq,
        source=source,
    )


def _bar(timeframe: str) -> Callable[[msgspec.Raw, str, int], Bar]:
    def read(raw: msgspec.Raw, source: str, _: int) -> Bar:
        wire = _decode(raw, _WireBar)
        return Bar(
            symbol=_symbol(wire.S),
            timeframe=timeframe,
            open=_finite(wire.o),
            high=_finite(wire.h),
            low=_finite(wire.l),
            close=_finite(wire.c),
            volume=_finite(wire.v),
            at=_utc(wire.t),
            source=source,
        )

    return read


def _status(raw: msgspec.Raw, source: str, _: int) -> SymbolStatus:
    wire = _decode(raw, _WireStatus)
    return SymbolStatus(
        symbol=_symbol(wire.S),
        code=wire.sc,
        message=wire.sm,
        reason_code=wire.rc,
        reason=wire.rm,
        at=_utc(wire.t),
        source=source,
    )


def _success(raw: msgspec.Raw, _source: str, _seq: int) -> Stage | None:
    text = _decode(raw, _WireSuccess).msg
    return Stage(text) if text in (Stage.CONNECTED, Stage.AUTHENTICATED) else None


def _subscription(_raw: msgspec.Raw, _source: str, _seq: int) -> Stage:
    return Stage.SUBSCRIBED


def _error(raw: msgspec.Raw, _source: str, _seq: int) -> FeedRefused:
    wire = _decode(raw, _WireError)
    return FeedRefused(wire.code, wire.msg)


_READERS: Mapping[str, Callable[[msgspec.Raw, str, int], Entry | None]] = {
    "success": _success,
    "subscription": _subscription,
    "error": _error,
    "q": _quote,
    "b": _bar(MINUTE),
    "u": _bar(MINUTE),
    "d": _bar(DAY),
    "s": _status,
}


def _decode[T](raw: msgspec.Raw, kind: type[T]) -> T:
    return msgspec.json.decode(raw, type=kind)


def _symbol(text: str) -> Symbol:
    if not is_symbol(text):
        raise ValueError(f"{text!r} is no symbol")
    return Symbol(text)


def _finite(number: Decimal) -> Decimal:
    if not number.is_finite():
        raise ValueError(f"{number} is no price and no size")
    return number


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
