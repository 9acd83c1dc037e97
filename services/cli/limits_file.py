"""Limits out of a file: TOML or JSON, whole or in part, in the names of the settings file; and what else is tried."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from contracts.ids import AgentId
from contracts.limits import LimitOverride, LimitSet
from contracts.mandates import Mandate
from contracts.scopes import Scope
from services.cli.outcome import UsageError
from services.cli.supposed_mandates import mandates_in
from services.cli.whatif_thresholds import thresholds_in
from services.risk.whatif_regimes import ThresholdsTried
from services.runtime.limit_settings import FIRM_TABLE, LAYER_TABLES, load_layers
from services.runtime.mandate_form import MandateError
from services.runtime.regime_settings import REGIME_TABLE
from services.runtime.setting_values import SettingsError, limit_value

_KINDS = {field.name: field.type for field in msgspec.structs.fields(LimitSet)}
_LAYER_KINDS = {field.name: field.type for field in msgspec.structs.fields(LimitOverride)}
_LIMITS, _MANDATES = "limits", "mandates"
_LAYERS = (FIRM_TABLE, *LAYER_TABLES)
_TABLES = (_LIMITS, *_LAYERS, _MANDATES, REGIME_TABLE)


class Proposed(NamedTuple):
    """What is to be tried in place of what stands; no mandate is a revoked one, no thresholds are those of then."""

    limits: dict[str, Any]
    layers: Mapping[Scope, LimitOverride]
    mandates: Mapping[AgentId, Mandate | None]
    thresholds: ThresholdsTried | None


def proposed_in(path: Path) -> Proposed:
    """Read limits, layers and thresholds of a file in the form of the settings file, and its mandates."""
    table = _read(path)
    flat = _flat(path, table)
    try:
        layers = load_layers({name: given for name, given in table.items() if name in _LAYERS})
        mandates = mandates_in(table.get(_MANDATES, {}))
        thresholds = thresholds_in(table.get(REGIME_TABLE, {}))
    except (SettingsError, MandateError, UsageError, AttributeError) as error:
        raise UsageError(f"{path}: {error}") from error
    if not flat and not layers and not mandates and thresholds is None:
        told = "names no limit and no mandate, nor a threshold of [regime]"
        raise UsageError(f"{path} {told}; for example: max_order_notional_usd = 2500")
    return Proposed(_values(path, flat, _KINDS), layers, mandates, thresholds)


def _flat(path: Path, table: Mapping[str, Any]) -> Any:
    """Give the account's own limits, in a table of their own or at the top, never in both."""
    top = {name: given for name, given in table.items() if name not in _TABLES}
    if _LIMITS not in table:
        return top
    if top:
        raise UsageError(f"{path}: {', '.join(top)}: nothing stands beside [limits] but {', '.join(_TABLES[1:])}")
    return table[_LIMITS]


def layer_in(path: Path) -> dict[str, Any]:
    """Read what a file says of one layer; raise `UsageError` on anything that is no limit of a layer."""
    table = _read(path)
    return _values(path, table.get("limits", table), _LAYER_KINDS)


def _values(path: Path, table: Any, kinds: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise UsageError(f"{path} holds no table of limits")
    given: dict[str, Any] = table
    unknown = sorted(given.keys() - kinds.keys())
    if unknown:
        raise UsageError(f"{path}: {', '.join(unknown)}: no such limit; there are {', '.join(kinds)}")
    try:
        return {name: limit_value(name, value, kinds[name]) for name, value in given.items()}
    except SettingsError as error:
        raise UsageError(f"{path}: {error}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text()
        return _json(text) if path.suffix == ".json" else tomllib.loads(text, parse_float=str)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.DecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def _json(text: str) -> dict[str, Any]:
    return msgspec.json.Decoder(dict[str, Any], float_hook=str).decode(text)
