"""The numbers by which the regime process calls a symbol UNTRADEABLE, and lets it recover."""

from decimal import Decimal

from contracts.base import Value


class Thresholds(Value, frozen=True, kw_only=True):
    """When a quote is too bad to trade on, and how long good ones must come before trading goes on."""

    quote_age_max_ms: int = 5_000
    spread_max_bps: Decimal = Decimal(50)
    recovery_quotes: int = 3
    recovery_ms: int = 2_000


DEFAULTS = Thresholds()
