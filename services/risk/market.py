"""The newest word on the market of every symbol, straight off the wire; decoded only when a decision needs them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from contracts import subjects
from contracts.codec import UndecodableError, decode_market, decode_regime
from contracts.ids import AgentId, IntentId, OrderId, Symbol
from contracts.market import MarketMessage, Quote, RegimeChanged, SymbolStats, SymbolStatus
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


class Seen(NamedTuple):
    """What is known of one symbol's market."""

    quote: Quote | None = None
    regime: RegimeChanged | None = None
    stats: SymbolStats | None = None
    status: SymbolStatus | None = None


NOTHING_SEEN = Seen()


class MarketWatch:
    """Keeps the last message of each market subject; a plain subscription, because only the newest counts."""

    def __init__(self) -> None:
        """Begin without a market."""
        self._quotes: dict[str, bytes] = {}
        self._regimes: dict[str, bytes] = {}
        self._stats: dict[str, bytes] = {}
        self._statuses: dict[str, bytes] = {}

    async def watch(self, connection: Connection, symbols: Sequence[Symbol]) -> None:
        """Subscribe first, then fetch what was last said of these symbols before that."""
        market, regime = subjects.MARKET_STREAM, subjects.REGIME_STREAM
        kinds = (
            ("quote.*", self._quotes, market, subjects.quote),
            ("regime.*", self._regimes, regime, subjects.regime),
            ("stats.*", self._stats, market, subjects.stats),
            ("status.*", self._statuses, market, subjects.status),
        )
        for pattern, kept, _, _ in kinds:
            await connection.subscribe_raw(
                pattern, lambda subject, _r, body, _h, kept=kept: self._keep(kept, subject, body)
            )
        for symbol in symbols:
            for _, kept, stream, subject_of in kinds:
                await self._seed(connection, kept, stream, subject_of(symbol))

    async def _seed(self, connection: Connection, kept: dict[str, bytes], stream: str, subject: str) -> None:
        if subject in kept:
            return
        stored = await stream_api.last_message(connection, stream, subject)
        if stored is not None:
            kept.setdefault(subject, stored.body)

    def _keep(self, kept: dict[str, bytes], subject: bytes, body: bytes) -> None:
        kept[subject.decode()] = body

    def evidence_for(self, intent_body: bytes, state: AccountState) -> Seen:
        """Give the market of the symbol that an intent names, or that what it names is in; else nothing."""
        symbol = _symbol_of(intent_body, state)
        if symbol is None:
            return NOTHING_SEEN
        return Seen(
            quote=_read(self._quotes.get(subjects.quote(symbol)), Quote),
            regime=_regime(self._regimes.get(subjects.regime(symbol))),
            stats=_read(self._stats.get(subjects.stats(symbol)), SymbolStats),
            status=_read(self._statuses.get(subjects.status(symbol)), SymbolStatus),
        )


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
        return None  # a missing fact is a reason to deny; a broken one is no better


def _read[T: MarketMessage](body: bytes | None, kind: type[T]) -> T | None:
    if body is None:
        return None
    try:
        message = decode_market(body)
    except UndecodableError:
        return None  # a missing fact is a reason to deny; a broken one is no better
    return message if isinstance(message, kind) else None
