"""The limits of one account: one immutable, numbered set."""

from decimal import Decimal
from typing import Any

from contracts.base import Value
from contracts.ids import Symbol

DEFAULT_ALLOWLIST = tuple(
    Symbol(s)
    for s in "AAPL AMZN AVGO GOOGL JPM META MSFT NVDA SPY TSLA XOM".split()  # noqa: SIM905 - a list to read
)

COUNT_MAX = 1_000_000_000
"""Counts and milliseconds (eleven days) end here, so that adding them to a time cannot overflow."""


class LimitSet(Value, frozen=True, kw_only=True):
    """Every limit of one account; a zero allows nothing, an empty allowlist allows no symbol."""

    max_order_notional_usd: Decimal = Decimal(5_000)
    max_position_notional_usd: Decimal = Decimal(10_000)
    max_gross_exposure_usd: Decimal = Decimal(50_000)
    max_net_exposure_usd: Decimal = Decimal(25_000)
    max_daily_loss_usd: Decimal = Decimal(1_000)
    max_drawdown_usd: Decimal = Decimal(500)
    max_daily_trades: int = 100
    order_rate_per_min: int = 10
    max_spread_bps: Decimal = Decimal(30)
    quote_age_max_ms: int = 5_000
    account_age_max_ms: int = 60_000
    intent_age_max_ms: int = 30_000
    decision_ttl_ms: int = 30_000
    market_collar_bps: Decimal = Decimal(100)
    symbol_allowlist: tuple[Symbol, ...] = DEFAULT_ALLOWLIST

    def __post_init__(self) -> None:
        """Refuse limits that no order could be held against: infinite, negative or not a number."""
        for name in self.__struct_fields__:
            if not _is_usable(getattr(self, name)):
                raise ValueError(f"{name} must be a finite number from zero up, {COUNT_MAX} at most if it is a count")


def _is_usable(limit: Any) -> bool:
    match limit:
        case Decimal():
            return limit.is_finite() and limit >= 0
        case int():
            return 0 <= limit <= COUNT_MAX
        case _:
            return True
