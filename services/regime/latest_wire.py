"""Alpaca's answer to `GET /v2/stocks/quotes/latest` into quotes, pure."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from contracts.base import Value
from contracts.ids import Symbol, is_symbol
from contracts.market import Quote

SEED_SEQ = 0
"""Quotes asked for once at start stand before the first one that the socket counts."""


class LatestQuotes(Value, frozen=True, kw_only=True):
    """The quotes that could be read, and for the others why not."""

    quotes: tuple[Quote, ...]
    unreadable: tuple[str, ...] = ()


class _WireAnswer(msgspec.Struct, frozen=True):
    quotes: dict[str, msgspec.Raw]


class _WireQuote(msgspec.Struct, frozen=True):
    bp: Decimal
    ap: Decimal
    t: datetime
    bs: Decimal = Decimal(0)
    as_: Decimal = msgspec.field(name="as", default=Decimal(0))


_answers = msgspec.json.Decoder(_WireAnswer)
_quotes = msgspec.json.Decoder(_WireQuote)


def read_latest(body: bytes, source: str) -> LatestQuotes:
    """Read an answer; raise `msgspec.DecodeError` when it is none, while one bad quote spoils only itself."""
    quotes: list[Quote] = []
    unreadable: list[str] = []
    for symbol, raw in _answers.decode(body).quotes.items():
        try:
            quotes.append(_quote(symbol, _quotes.decode(raw), source))
        except (msgspec.DecodeError, ValueError) as error:
            unreadable.append(f"{symbol}: {error}")
    return LatestQuotes(quotes=tuple(quotes), unreadable=tuple(unreadable))


def _quote(symbol: str, wire: _WireQuote, source: str) -> Quote:
    if not is_symbol(symbol):
        raise ValueError(f"{symbol!r} is no symbol")
    if not all(number.is_finite() for number in (wire.bp, wire.ap, wire.bs, wire.as_)):
        raise ValueError("a price or size is not finite")
    return Quote(
        symbol=Symbol(symbol),
        bid_price=wire.bp,
        ask_price=wire.ap,
        bid_size=wire.bs,
        ask_size=wire.as_,
        at=wire.t.replace(tzinfo=UTC) if wire.t.tzinfo is None else wire.t.astimezone(UTC),
        seq=SEED_SEQ,
        source=source,
    )
