"""What the regime process puts on NATS: market data as fast as it comes, regime changes only when they are stored."""

from typing import Protocol, assert_never

from contracts import subjects
from contracts.codec import decode_regime, encode
from contracts.ids import Symbol
from contracts.market import Bar, MarketMessage, Quote, RegimeChanged, SymbolStats, SymbolStatus
from services.runtime import stream_api
from services.runtime.connection import Connection
from services.runtime.nats_wire import EXPECTED_SEQ_HEADER, WRONG_LAST_SEQUENCE
from services.runtime.ports import ConflictError, JournalUnavailableError
from services.runtime.publisher import Publisher


class Publications(Protocol):
    """Where market data and regime changes go."""

    def is_open(self) -> bool:
        """Say whether anything can be published now."""
        ...

    def publish(self, message: MarketMessage) -> None:
        """Put market data out without waiting; what is lost is replaced by the next quote."""
        ...

    async def record(self, change: RegimeChanged) -> None:
        """Store a regime change; it is on record when this returns."""
        ...

    async def last_change(self, symbol: Symbol) -> RegimeChanged | None:
        """Give the last change on record; must be asked once for each symbol before the first `record`."""
        ...


class NatsPublications:
    """Publications on the MARKET and REGIME streams; each regime subject has this one writer."""

    def __init__(self, connection: Connection) -> None:
        """Bind to a connection; nothing is sent yet."""
        self._connection = connection
        self._publisher = Publisher(connection)
        self._stands_at: dict[str, int] = {}

    def is_open(self) -> bool:
        """Say whether the link is up."""
        return self._connection.is_connected

    def publish(self, message: MarketMessage) -> None:
        """Put market data on its subject; the stream keeps the last few of each."""
        self._connection.publish_now(subject_of(message), encode(message))

    async def record(self, change: RegimeChanged) -> None:
        """Store a change after the last one known; raise `ConflictError` when another process writes regimes too."""
        subject = subjects.regime(change.symbol)
        headers = {EXPECTED_SEQ_HEADER: str(self._stands_at.get(subject, 0))}
        ack = await self._publisher.send(subject, encode(change), headers)
        if ack.error is None:
            self._stands_at[subject] = ack.seq
            return
        if ack.error.err_code not in WRONG_LAST_SEQUENCE:
            raise JournalUnavailableError(f"{subject}: {ack.error.description} ({ack.error.err_code})")
        await self.last_change(change.symbol)
        raise ConflictError(subject, self._stands_at.get(subject, 0))

    async def last_change(self, symbol: Symbol) -> RegimeChanged | None:
        """Read the last change and remember where its subject stands."""
        subject = subjects.regime(symbol)
        stored = await stream_api.last_message(self._connection, subjects.REGIME_STREAM, subject)
        if stored is None:
            return None
        self._stands_at[subject] = stored.seq
        return decode_regime(stored.body)


def subject_of(message: MarketMessage) -> str:
    """Name the subject of a quote, bar or halt."""
    match message:
        case Quote(symbol=symbol):
            return subjects.quote(symbol)
        case Bar(symbol=symbol, timeframe=timeframe):
            return subjects.bar(timeframe, symbol)
        case SymbolStatus(symbol=symbol):
            return subjects.status(symbol)
        case SymbolStats(symbol=symbol):
            return subjects.stats(symbol)
        case _:
            assert_never(message)
