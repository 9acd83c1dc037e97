"""The limits of one account, and of the layers around and inside it: immutable, numbered sets."""

from decimal import Decimal
from typing import Any

from contracts.base import Moment, Value
from contracts.enums import Regime
from contracts.ids import Symbol

DEFAULT_ALLOWLIST = tuple(
    Symbol(s)
    for s in "AAPL AMZN AVGO GOOGL JPM META MSFT NVDA SPY TSLA XOM".split()  # noqa: SIM905 - a list to read
)

COUNT_MAX = 1_000_000_000
"""Counts and milliseconds (eleven days) end here, so that adding them to a time cannot overflow."""
AMOUNT_DIGITS_MAX = 15
"""Amounts stay below 10^16: what is calculated with them must neither overflow nor lose its cents."""


class Waiver(Value, frozen=True, kw_only=True):
    """A person does without one rail until a moment; from then on nothing may take new risk without it."""

    rail: str
    until: Moment
    by: str
    reason: str


class Sector(Value, frozen=True, kw_only=True):
    """Symbols whose exposure is also counted together."""

    name: str
    symbols: tuple[Symbol, ...]


class LimitSet(Value, frozen=True, kw_only=True, cache_hash=True):
    """Every limit of one account; a zero allows nothing, and so does an empty list of what is allowed.

    Limits that are none at first are rails: each must be set, or waived by name, before anything may trade.
    """

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
    symbol_denylist: tuple[Symbol, ...] = ()
    sectors: tuple[Sector, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    mandates_required: bool | None = None
    assets_required: bool | None = None
    session_required: bool | None = None
    halts_respected: bool | None = None
    regimes_allowed: tuple[Regime, ...] | None = None
    shorts_allowed: bool | None = None
    max_order_qty: Decimal | None = None
    max_order_adv_pct: Decimal | None = None
    limit_collar_bps: Decimal | None = None
    passive_collar_bps: Decimal | None = None
    reference_collar_bps: Decimal | None = None
    feed_divergence_max_bps: Decimal | None = None
    min_quote_size: Decimal | None = None
    max_duplicates: int | None = None
    duplicate_window_ms: int | None = None
    self_trade_prevented: bool | None = None
    message_rate_per_min: int | None = None
    replace_rate_per_min: int | None = None
    max_open_orders: int | None = None
    open_order_age_max_ms: int | None = None
    max_turnover_usd: Decimal | None = None
    max_concentration_pct: Decimal | None = None
    max_sector_exposure_usd: Decimal | None = None
    max_leverage: Decimal | None = None
    min_buying_power_usd: Decimal | None = None
    min_cash_usd: Decimal | None = None
    max_overnight_exposure_usd: Decimal | None = None
    overnight_window_ms: int | None = None
    max_loss_5m_usd: Decimal | None = None
    max_loss_1h_usd: Decimal | None = None
    max_loss_week_usd: Decimal | None = None
    max_loss_streak: int | None = None
    max_repeats: int | None = None
    repeat_window_ms: int | None = None
    max_reject_streak: int | None = None
    reject_window_ms: int | None = None
    max_throttles_per_min: int | None = None
    max_reconnects_per_hour: int | None = None
    max_slippage_bps: Decimal | None = None
    reconciliation_age_max_ms: int | None = None
    audit_age_max_ms: int | None = None
    trip_hysteresis_pct: Decimal | None = None
    trip_cooldown_ms: int | None = None
    max_loop_repeats: int | None = None
    loop_cooldown_ms: int | None = None
    risk_per_trade_pct: Decimal | None = None
    clock_skew_max_ms: int | None = None
    health_recovery_ms: int | None = None

    def __post_init__(self) -> None:
        """Refuse limits that no order could be held against: infinite, negative or not a number."""
        for name in self.__struct_fields__:
            if not _is_usable(getattr(self, name)):
                raise ValueError(f"{name} must be from zero up, below 10^16, or {COUNT_MAX} at most if it is a count")


class LimitOverride(Value, frozen=True, kw_only=True, cache_hash=True):
    """What one layer adds to the account's limits; what is none adds nothing, and the tightest of all layers wins.

    Exposure, losses, rates and turnover bind what belongs to the layer itself: an agent's or a strategy's own book.
    """

    max_order_notional_usd: Decimal | None = None
    max_order_qty: Decimal | None = None
    max_position_notional_usd: Decimal | None = None
    max_gross_exposure_usd: Decimal | None = None
    max_net_exposure_usd: Decimal | None = None
    max_daily_loss_usd: Decimal | None = None
    max_drawdown_usd: Decimal | None = None
    max_daily_trades: int | None = None
    max_turnover_usd: Decimal | None = None
    max_open_orders: int | None = None
    order_rate_per_min: int | None = None
    message_rate_per_min: int | None = None
    max_spread_bps: Decimal | None = None
    limit_collar_bps: Decimal | None = None
    symbol_allowlist: tuple[Symbol, ...] | None = None
    symbol_denylist: tuple[Symbol, ...] | None = None
    regimes_allowed: tuple[Regime, ...] | None = None
    shorts_allowed: bool | None = None

    def __post_init__(self) -> None:
        """Refuse limits that no order could be held against: infinite, negative or not a number."""
        for name in self.__struct_fields__:
            if not _is_usable(getattr(self, name)):
                raise ValueError(f"{name} must be from zero up, below 10^16, or {COUNT_MAX} at most if it is a count")


def _is_usable(limit: Any) -> bool:
    match limit:
        case Decimal():
            return limit.is_finite() and limit >= 0 and limit.adjusted() <= AMOUNT_DIGITS_MAX
        case int():
            return 0 <= limit <= COUNT_MAX
        case _:
            return True
