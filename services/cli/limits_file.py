"""Limits out of a file: TOML or JSON, whole or in part, in the names of the settings file."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from contracts.limits import LimitOverride, LimitSet
from contracts.scopes import Scope
from services.cli.outcome import UsageError
from services.runtime.limit_settings import FIRM_TABLE, LAYER_TABLES, load_layers
from services.runtime.setting_values import SettingsError, limit_value

_KINDS = {field.name: field.type for field in msgspec.structs.fields(LimitSet)}
_LAYER_KINDS = {field.name: field.type for field in msgspec.structs.fields(LimitOverride)}
_LAYERS = frozenset({FIRM_TABLE, *LAYER_TABLES})


class Proposed(NamedTuple):
    """Limits and layers to be tried, in place of those that stand."""

    limits: dict[str, Any]
    layers: Mapping[Scope, LimitOverride]


def proposed_in(path: Path) -> Proposed:
    """Read the account's limits and the layers of a file in the form of the settings file."""
    table = _read(path)
    flat = table.get("limits", {name: given for name, given in table.items() if name not in _LAYERS})
    try:
        layers = load_layers({name: given for name, given in table.items() if name in _LAYERS})
    except (SettingsError, AttributeError) as error:
        raise UsageError(f"{path}: {error}") from error
    if not flat and not layers:
        raise UsageError(f"{path} names no limit; for example: max_order_notional_usd = 2500")
    return Proposed(_values(path, flat, _KINDS), layers)


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
