"""Limits out of a file: TOML or JSON, whole or in part, in the names of the settings file."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from contracts.limits import LimitSet
from services.cli.outcome import UsageError
from services.runtime.setting_values import SettingsError, limit_value


def limits_in(path: Path) -> dict[str, Any]:
    """Read the limits that a file names; raise `UsageError` on anything that is no limit."""
    table = _table(path)
    kinds = {field.name: field.type for field in msgspec.structs.fields(LimitSet)}
    unknown = sorted(table.keys() - kinds.keys())
    if unknown:
        raise UsageError(f"{path}: {', '.join(unknown)}: no such limit; there are {', '.join(kinds)}")
    if not table:
        raise UsageError(f"{path} names no limit; for example: max_order_notional_usd = 2500")
    try:
        return {name: limit_value(name, given, kinds[name]) for name, given in table.items()}
    except SettingsError as error:
        raise UsageError(f"{path}: {error}") from error


def _table(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text()
        read = msgspec.json.Decoder(float_hook=str).decode(text) if path.suffix == ".json" else _toml(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.DecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    table = read.get("limits", read) if isinstance(read, dict) else None
    if not isinstance(table, dict):
        raise UsageError(f"{path} holds no table of limits")
    return table


def _toml(text: str) -> Mapping[str, Any]:
    return tomllib.loads(text, parse_float=str)
