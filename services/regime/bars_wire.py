"""Alpaca's answers on bars (`GET /v2/stocks/bars` and `/v2/stocks/bars/latest`) into our bars, pure.

One bar that cannot be read spoils only itself: what is usual is a mean over many.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from contracts.ids import Symbol, is_symbol
from contracts.market import Bar
from contracts.values import is_exact


class _WireBars(msgspec.Struct, frozen=True):
    bars: dict[str, list[msgspec.Raw]] | None = None
    next_page_token: str | None = None


class _WireLatest(msgspec.Struct, frozen=True):
    bars: dict[str, msgspec.Raw]


class _WireBar(msgspec.Struct, frozen=True):
    t: datetime
    o: Decimal
    h: Decimal
    l: Decimal  # noqa: E741 - the wire's own name
    c: Decimal
    v: Decimal


_pages = msgspec.json.Decoder(_WireBars)
_latest = msgspec.json.Decoder(_WireLatest)
_bar = msgspec.json.Decoder(_WireBar)


def read_page(body: bytes, timeframe: str, source: str) -> tuple[list[Bar], str | None]:
    """Read one page of history, and where the next begins; raise `msgspec.DecodeError` when it is none."""
    page = _pages.decode(body)
    raws = ((symbol, raw) for symbol, listed in (page.bars or {}).items() for raw in listed)
    return _read(raws, timeframe, source), page.next_page_token


def read_latest_bars(body: bytes, timeframe: str, source: str) -> list[Bar]:
    """Read the newest bar of each symbol; raise `msgspec.DecodeError` when the answer is none."""
    return _read(_latest.decode(body).bars.items(), timeframe, source)


def _read(raws: Iterable[tuple[str, msgspec.Raw]], timeframe: str, source: str) -> list[Bar]:
    found = (_bar_of(symbol, raw, timeframe, source) for symbol, raw in raws)
    return [bar for bar in found if bar is not None]


def _bar_of(symbol: str, raw: msgspec.Raw, timeframe: str, source: str) -> Bar | None:
    """Read one bar; prices that are none, or stand in no order, are no bar."""
    try:
        wire = _bar.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    numbers = wire.o, wire.h, wire.l, wire.c, wire.v
    if not is_symbol(symbol) or not all(is_exact(number) for number in numbers) or wire.v < 0:
        return None
    if not 0 < wire.l <= min(wire.o, wire.c) <= max(wire.o, wire.c) <= wire.h:
        return None
    return Bar(
        symbol=Symbol(symbol),
        timeframe=timeframe,
        open=wire.o,
        high=wire.h,
        low=wire.l,
        close=wire.c,
        volume=wire.v,
        at=wire.t.replace(tzinfo=UTC) if wire.t.tzinfo is None else wire.t.astimezone(UTC),
        source=source,
    )
