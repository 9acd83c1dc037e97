"""The thresholds of the regime process that are configured: `[regime]` of the settings file, or the environment."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from contracts.thresholds import Thresholds
from contracts.values import is_exact
from services.runtime.setting_values import SettingsError, Source

REGIME_TABLE = "regime"
SPREAD_BPS_MAX = 20_000
"""No spread is wider than twice its mid price, so a larger threshold would forbid nothing."""
DAY_MS = 86_400_000
QUOTES_MAX = 1_000
COUNTS: Mapping[str, tuple[int, int]] = {
    "quote_age_max_ms": (1, DAY_MS),
    "recovery_quotes": (1, QUOTES_MAX),
    "recovery_ms": (0, DAY_MS),
}
"""The least and the most that each whole number may be; no quote is ever of no age at all."""
THRESHOLD_VARIABLES: Mapping[str, str] = {
    field.name: f"LOCKGATE_REGIME_{field.name.upper()}" for field in msgspec.structs.fields(Thresholds)
}
"""The environment's name of each threshold; the file's `[regime]` table uses the struct's own names."""


def load_thresholds(source: Source) -> Thresholds:
    """Read the thresholds; what is left out has its default."""
    source.refuse_unknown(REGIME_TABLE, THRESHOLD_VARIABLES)
    given = {name: source.limit(variable, name) for name, variable in THRESHOLD_VARIABLES.items()}
    chosen = {name: threshold_value(name, value) for name, value in given.items() if value is not None}
    return Thresholds(**chosen)


def threshold_value(name: str, given: Any) -> Any:
    """Read one threshold, by the name of its field; raise `SettingsError` on one that nobody can mean."""
    told = f"{THRESHOLD_VARIABLES[name]} ([{REGIME_TABLE}] {name})"
    return _count(told, str(given), *COUNTS[name]) if name in COUNTS else _spread_bps(told, str(given))


def _count(told: str, text: str, least: int, most: int) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(most)) and least <= int(digits) <= most):
        raise SettingsError(told, repr(text)[:80], f"a whole number from {least} to {most}")
    return int(digits)


def _spread_bps(told: str, text: str) -> Decimal:
    try:
        spread_bps = Decimal(text.strip())
    except InvalidOperation:
        spread_bps = Decimal("NaN")
    if not is_exact(spread_bps) or not 0 < spread_bps <= SPREAD_BPS_MAX:
        raise SettingsError(told, repr(text)[:80], f"a number above 0, up to {SPREAD_BPS_MAX} bps of the mid price")
    return spread_bps
