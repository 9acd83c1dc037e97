"""What one agent may do: granted by a person, for a while, and never more than the account's own limits allow."""

from decimal import Decimal
from enum import StrEnum

from contracts.base import Moment, Value
from contracts.enums import OrderType
from contracts.ids import Symbol
from contracts.limits import COUNT_MAX, LimitOverride
from contracts.values import is_exact

MANDATE_DAYS = 30
"""So long a mandate lasts for which nobody says otherwise."""
APPROVAL_WAIT_MS = 900_000
"""So long (15 minutes) an intent waits for a person when its agent's mandate does not say."""
DAY_MINUTES = 1_440


class AssetClass(StrEnum):
    """What kind of thing is traded."""

    EQUITY = "equity"


class MandateSide(StrEnum):
    """Which way an agent may trade; a sale beyond what is held is a short."""

    BUY = "buy"
    SELL = "sell"
    SHORT = "short"


class Venue(StrEnum):
    """Whether an agent may trade with real money."""

    PAPER = "paper"
    LIVE = "live"


class Hours(Value, frozen=True, kw_only=True):
    """When an agent may trade, in minutes of the exchange's day (New York): from the first, up to before the last."""

    from_minute: int
    to_minute: int

    def __post_init__(self) -> None:
        """Refuse hours that are none."""
        if not 0 <= self.from_minute < self.to_minute <= DAY_MINUTES:
            raise ValueError(f"hours go from a minute of the day to a later one, {DAY_MINUTES} at most")


class Mandate(Value, frozen=True, kw_only=True, cache_hash=True):
    """What one agent may do; what is none is bound by the account's own limits alone.

    `symbols` and `strategies` are the only ones allowed; without `strategies` any may be named, or none. Orders worth
    `approval_from_usd` and more wait for a person, for `approval_wait_ms`. When nothing is heard of the agent for
    `lease_ms`, its entries are canceled and its exits stand.
    """

    expires_at: Moment
    symbols: tuple[Symbol, ...] | None = None
    asset_classes: tuple[AssetClass, ...] = (AssetClass.EQUITY,)
    sides: tuple[MandateSide, ...] = (MandateSide.BUY, MandateSide.SELL)
    order_types: tuple[OrderType, ...] = tuple(OrderType)
    strategies: tuple[str, ...] | None = None
    venues: tuple[Venue, ...] = (Venue.PAPER,)
    hours: Hours | None = None
    budget_per_day_usd: Decimal | None = None
    approval_from_usd: Decimal | None = None
    approval_wait_ms: int | None = None
    lease_ms: int | None = None
    limits: LimitOverride = LimitOverride()

    def __post_init__(self) -> None:
        """Refuse amounts and times that no order could be held against."""
        for name in ("budget_per_day_usd", "approval_from_usd"):
            usd: Decimal | None = getattr(self, name)
            if usd is not None and (not is_exact(usd) or usd < 0):
                raise ValueError(f"{name} must be a number from zero up, with at most nine decimals")
        for name in ("approval_wait_ms", "lease_ms"):
            ms: int | None = getattr(self, name)
            if ms is not None and not 0 < ms <= COUNT_MAX:
                raise ValueError(f"{name} must be from 1 to {COUNT_MAX}")
