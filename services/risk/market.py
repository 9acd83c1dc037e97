"""The newest quote and regime of every symbol, straight off the wire; decoded only when a decision needs them."""

from collections.abc import Sequence
from typing import Any

import msgspec

from contracts import subjects
from contracts.codec import UndecodableError, decode_market, decode_regime
from contracts.ids import Symbol
from contracts.market import Quote, RegimeChanged
from services.runtime import stream_api
from services.runtime.connection import Connection


class _Named(msgspec.Struct):
    """Of an intent's many fields, the one that says whose market matters."""

    symbol: Any = None


_named_decoder = msgspec.json.Decoder(_Named)


class MarketWatch:
    """Keeps the last message of each market subject; a plain subscription, because only the newest counts."""

    def __init__(self) -> None:
        """Begin without a market."""
        self._quotes: dict[str, bytes] = {}
        self._regimes: dict[str, bytes] = {}

    async def watch(self, connection: Connection, symbols: Sequence[Symbol]) -> None:
        """Subscribe first, then fetch what was last said of these symbols before that."""
        await connection.subscribe_raw(
            "quote.*", lambda subject, _r, body, _h: self._keep(self._quotes, subject, body)
        )
        await connection.subscribe_raw(
            "regime.*", lambda subject, _r, body, _h: self._keep(self._regimes, subject, body)
        )
        for symbol in symbols:
            await self._seed(connection, self._quotes, subjects.MARKET_STREAM, subjects.quote(symbol))
            await self._seed(connection, self._regimes, subjects.REGIME_STREAM, subjects.regime(symbol))

    async def _seed(self, connection: Connection, kept: dict[str, bytes], stream: str, subject: str) -> None:
        if subject in kept:
            return
        stored = await stream_api.last_message(connection, stream, subject)
        if stored is not None:
            kept.setdefault(subject, stored.body)

    def _keep(self, kept: dict[str, bytes], subject: bytes, body: bytes) -> None:
        kept[subject.decode()] = body

    def evidence_for(self, intent_body: bytes) -> tuple[Quote | None, RegimeChanged | None]:
        """Give the market of the symbol that an intent names; nothing for one that names none."""
        symbol = _symbol_of(intent_body)
        if symbol is None:
            return None, None
        quote, regime = self._quotes.get(subjects.quote(symbol)), self._regimes.get(subjects.regime(symbol))
        return _quote(quote), _regime(regime)


def _symbol_of(intent_body: bytes) -> Symbol | None:
    try:
        symbol = _named_decoder.decode(intent_body).symbol
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return Symbol(symbol) if isinstance(symbol, str) else None


def _regime(body: bytes | None) -> RegimeChanged | None:
    try:
        return None if body is None else decode_regime(body)
    except UndecodableError:
        return None  # evidence that no control leans on


def _quote(body: bytes | None) -> Quote | None:
    if body is None:
        return None
    try:
        message = decode_market(body)
    except UndecodableError:
        return None  # no quote is a reason to deny; a broken one is no better
    return message if isinstance(message, Quote) else None
