"""The newest quote and regime of every symbol, straight off the wire; decoded only when a decision needs them."""

from collections.abc import Sequence
from typing import Any

import msgspec

from contracts import subjects
from contracts.codec import UndecodableError, decode_market, decode_regime
from contracts.ids import AgentId, IntentId, OrderId, Symbol
from contracts.market import Quote, RegimeChanged
from projections.account import AccountState
from projections.held import held_name
from services.runtime import stream_api
from services.runtime.connection import Connection


class _Named(msgspec.Struct):
    """Of an intent's many fields, those that say whose market matters: a symbol, or what has one."""

    symbol: Any = None
    order_id: Any = None
    agent: Any = None
    held_intent_id: Any = None


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

    def evidence_for(self, intent_body: bytes, state: AccountState) -> tuple[Quote | None, RegimeChanged | None]:
        """Give the market of the symbol that an intent names, or that what it names is in; else nothing."""
        symbol = _symbol_of(intent_body, state)
        if symbol is None:
            return None, None
        quote, regime = self._quotes.get(subjects.quote(symbol)), self._regimes.get(subjects.regime(symbol))
        return _quote(quote), _regime(regime)


def _symbol_of(intent_body: bytes, state: AccountState) -> Symbol | None:
    try:
        named = _named_decoder.decode(intent_body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(named.symbol, str):
        return Symbol(named.symbol)
    if isinstance(named.agent, str) and isinstance(named.held_intent_id, str):
        held = state.held.get(held_name(AgentId(named.agent), IntentId(named.held_intent_id)))
        return None if held is None else held.terms.symbol
    order = state.orders.get(OrderId(named.order_id)) if isinstance(named.order_id, str) else None
    return None if order is None else order.terms.symbol


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
