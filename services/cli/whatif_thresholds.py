"""Thresholds that a what-if tries: `[regime]` in the form of the settings file, less what cannot be played again."""

from typing import Any

from services.cli.outcome import UsageError
from services.risk.whatif_regimes import ThresholdsTried
from services.runtime.regime_settings import REGIME_TABLE, THRESHOLD_VARIABLES, threshold_value
from services.runtime.setting_values import SettingsError

_TRIED = ThresholdsTried.__struct_fields__


def thresholds_in(given: Any) -> ThresholdsTried | None:
    """Read the thresholds to be tried, none without any; raise `UsageError` on what is none."""
    if not isinstance(given, dict):
        raise UsageError(f"{REGIME_TABLE} is no table: write [{REGIME_TABLE}] and {' or '.join(_TRIED)} in it")
    table: dict[str, Any] = given
    unknown = sorted(table.keys() - {*_TRIED})
    if unknown:
        raise UsageError(f"[{REGIME_TABLE}] {', '.join(unknown)}: {_why_not(unknown)}; there are {', '.join(_TRIED)}")
    try:
        named = {name: threshold_value(name, value) for name, value in table.items()}
    except SettingsError as error:
        raise UsageError(str(error)) from error
    return ThresholdsTried(**named) if named else None


def _why_not(unknown: list[str]) -> str:
    if set(unknown) <= THRESHOLD_VARIABLES.keys():
        return "no what-if can try it, because the quotes between decisions are not in the journal"
    return "no such threshold"
