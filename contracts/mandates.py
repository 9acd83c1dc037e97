"""What one agent may do: granted by a person, for a while, and never more than the account's own limits allow."""

from decimal import Decimal
from enum import StrEnum

from contracts.base import Moment, Value
from contracts.enums import OrderType
from contracts.ids import Symbol
from contracts.limits import LimitOverride


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
    """When an agent may trade, in minutes of the exchange's day (New York): from the first up to the last."""

    from_minute: int
    to_minute: int


class Mandate(Value, frozen=True, kw_only=True, cache_hash=True):
    """What one agent may do; what is none is bound by the account's own limits alone.

    `symbols` and `strategies` are the only ones allowed; without `strategies` any may be named, or none. Orders worth
    `approval_from_usd` and more wait for a person. When nothing is heard of the agent for `lease_ms`, its entries are
    canceled and its exits stand.
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
    lease_ms: int | None = None
    limits: LimitOverride = LimitOverride()
