"""Samples of market data: quotes, bars, halts, and what is usual for a symbol."""

from datetime import UTC, datetime
from decimal import Decimal

from contracts.base import Message
from contracts.market import Bar, Quote, SymbolStats, SymbolStatus
from tests.wire.intent_samples import AAPL

AT = datetime(2026, 11, 23, 14, 30, 0, 125_000, tzinfo=UTC)

QUOTE = Quote(
    symbol=AAPL,
    bid_price=Decimal("189.10"),
    ask_price=Decimal("189.12"),
    bid_size=Decimal(300),
    ask_size=Decimal(200),
    at=AT,
    seq=88,
    source="iex",
)
USUAL = [
    SymbolStats(
        symbol=AAPL,
        last_price=Decimal("189.12"),
        last_at=AT,
        prior_close=Decimal("187.5"),
        atr_usd=Decimal("3.21"),
        daily_volume=Decimal(51_000_000),
        at=AT,
        source="tape",
    ),
    SymbolStats(symbol=AAPL, last_price=Decimal("189.12"), last_at=AT, at=AT, source="tape"),
]

STATUS = SymbolStatus(
    symbol=AAPL, code="H", message="Trading Halt", reason_code="T12", reason="News", at=AT, source="iex"
)

MARKET: list[Message] = [
    QUOTE,
    Bar(
        symbol=AAPL,
        timeframe="1Min",
        open=Decimal("189.0"),
        high=Decimal("189.5"),
        low=Decimal("188.9"),
        close=Decimal("189.12"),
        volume=Decimal(12_345),
        at=AT,
        source="tape",
    ),
    STATUS,
    *USUAL,
]
