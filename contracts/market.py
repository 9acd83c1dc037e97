"""Market data and regime changes: evidence for decisions, never truth about the account."""

from decimal import Decimal
from zoneinfo import ZoneInfo

from contracts.base import Message, Moment
from contracts.enums import Regime
from contracts.ids import Symbol
from contracts.values import is_exact

NEW_YORK = ZoneInfo("America/New_York")
"""The exchange's own time: its days and hours are told in it."""


class Quote(Message, frozen=True, kw_only=True, tag="quote.v1"):
    """The best bid and offer of one symbol; `at` is the venue's time, `seq` the publisher's own count."""

    symbol: Symbol
    bid_price: Decimal
    ask_price: Decimal
    bid_size: Decimal
    ask_size: Decimal
    at: Moment
    seq: int
    source: str


def is_sane(quote: Quote) -> bool:
    """Say whether a quote can be true: both prices exact and above zero, the bid not above the ask."""
    bid, ask = quote.bid_price, quote.ask_price
    return is_exact(bid) and is_exact(ask) and 0 < bid <= ask


class Bar(Message, frozen=True, kw_only=True, tag="bar.v1"):
    """One bar of one symbol; `at` is the start of its interval."""

    symbol: Symbol
    timeframe: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    at: Moment
    source: str


class SymbolStatus(Message, frozen=True, kw_only=True, tag="status.v1"):
    """A trading halt or resumption of one symbol, in the venue's own codes."""

    symbol: Symbol
    code: str
    message: str
    reason_code: str
    reason: str
    at: Moment
    source: str


HALT_CODES = frozenset({"2", "H", "P"})
"""CTA trading halt; UTP trading halt and volatility pause."""
RESUME_CODES = frozenset({"3", "T"})
"""CTA resume; UTP trading resumption. UTP's Q resumes quotes only, so it ends no halt."""


def says_halted(status: SymbolStatus) -> bool:
    """Say whether a status halts trading in its symbol."""
    return status.code in HALT_CODES


def is_decisive(status: SymbolStatus) -> bool:
    """Say whether a status halts or resumes trading; others (imbalances, quotes that resume) change neither."""
    return status.code in HALT_CODES or status.code in RESUME_CODES


class SymbolStats(Message, frozen=True, kw_only=True, tag="stats.v1"):
    """What is usual for one symbol, from its bars: a price that no single quote makes, its range, its volume.

    `last_price` is the close of the newest bar that began at `last_at`; `atr_usd` the average true range of daily
    bars (USD per share), `daily_volume` the average shares a day. What is not known yet is none.
    """

    symbol: Symbol
    last_price: Decimal
    last_at: Moment
    prior_close: Decimal | None = None
    atr_usd: Decimal | None = None
    daily_volume: Decimal | None = None
    at: Moment
    source: str


class RegimeChanged(Message, frozen=True, kw_only=True, tag="regime.changed.v1"):
    """The named condition of one symbol (or `_market`) became another; `reasons` says what was measured."""

    symbol: Symbol
    regime: Regime
    previous: Regime | None
    confidence: Decimal
    reasons: tuple[str, ...]
    at: Moment


type MarketMessage = Quote | Bar | SymbolStatus | SymbolStats
