"""Everything a process may be told, read once at start into one frozen struct: file first, environment over it."""

import os
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from contracts.ids import AccountId
from contracts.limits import LimitOverride, LimitSet
from contracts.scopes import Scope
from contracts.thresholds import Thresholds
from services.runtime import setting_values as values
from services.runtime.broker_settings import BrokerSettings, BrokerSource, load_broker
from services.runtime.limit_settings import FIRM_TABLE, LAYER_TABLES, load_layers, load_limits
from services.runtime.regime_settings import REGIME_TABLE, load_thresholds
from services.runtime.setting_values import SettingsError, Source

SETTINGS_FILE = "lockgate.toml"
DEFAULT_HOME = "~/.lockgate"
DEFAULT_ACCOUNT = "paper"
DEFAULT_HTTP_PORT = 3000
DEFAULT_NATS_PORT = 4222
DEFAULT_CHECKPOINT_EVERY_MS = 10_000
DEFAULT_CLOCK_EVERY_MS = 60_000
VERSION = "0.1.0"

FILE_KEYS = frozenset(
    {
        "account",
        "http_port",
        "nats_url",
        "nats_port",
        "database_url",
        "log_level",
        "log_format",
        "checkpoint_dir",
        "checkpoint_every_ms",
        "external_orders",
        "watch_every_ms",
        "clock_every_ms",
    }
)
FILE_TABLES = frozenset({"limits", "alpaca", REGIME_TABLE, FIRM_TABLE, *LAYER_TABLES})


class ExternalOrders(StrEnum):
    """What an order means that nobody here approved: trading halts, or a person trades by hand too."""

    HALT = "halt"
    ADOPT = "adopt"


class LogFormat(StrEnum):
    """For people or for machines."""

    CONSOLE = "console"
    JSON = "json"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One process's settings, checked; secrets are in `broker` and never shown."""

    home: Path
    account: AccountId
    nats_url: str
    nats_port: int
    http_port: int
    broker: BrokerSettings
    limits: LimitSet
    layers: Mapping[Scope, LimitOverride]
    thresholds: Thresholds
    log_level: str
    log_format: LogFormat
    database_url: values.Secret | None
    code_version: str
    checkpoint_dir: Path
    checkpoint_every_ms: int
    external_orders: ExternalOrders
    watch_every_ms: int
    clock_every_ms: int

    @property
    def credentials_dir(self) -> Path:
        """Where what people and scripts need to take part is kept."""
        return self.home / "credentials"

    def seed_path(self, process: str) -> Path:
        """Where one process's NATS seed is kept."""
        return self.credentials_dir / "processes" / f"{process}.seed"


def home_from(argument: str | None, environ: Mapping[str, str]) -> Path:
    """Choose the home folder: the argument, else LOCKGATE_HOME, else the default in the user's own."""
    return Path(argument or environ.get("LOCKGATE_HOME") or DEFAULT_HOME).expanduser().resolve()


def load_settings(home: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read `<home>/lockgate.toml` and the environment; raise `SettingsError` naming what is wrong and allowed."""
    table = _read_file(home / SETTINGS_FILE)
    source = Source(environ, table)
    nats_port = source.port("LOCKGATE_NATS_PORT", "nats_port", DEFAULT_NATS_PORT)
    broker = load_broker(home, Source(environ, table.get("alpaca", {})))
    return Settings(
        home=home,
        account=AccountId(source.token("LOCKGATE_ACCOUNT", "account", DEFAULT_ACCOUNT)),
        nats_url=source.text("LOCKGATE_NATS_URL", "nats_url") or f"nats://127.0.0.1:{nats_port}",
        nats_port=nats_port,
        http_port=source.port("PORT", "http_port", DEFAULT_HTTP_PORT),
        broker=broker,
        limits=load_limits(Source(environ, table.get("limits", {}))),
        layers=load_layers(table),
        thresholds=load_thresholds(Source(environ, table.get(REGIME_TABLE, {}))),
        log_level=source.choice("LOG_LEVEL", "log_level", ("debug", "info", "warning", "error"), "info"),
        log_format=LogFormat(source.choice("LOG_FORMAT", "log_format", tuple(LogFormat), LogFormat.CONSOLE)),
        database_url=source.database("DATABASE_URL", "database_url"),
        code_version=source.version("LOCKGATE_BUILD", VERSION),
        checkpoint_dir=Path(
            source.text("LOCKGATE_CHECKPOINT_DIR", "checkpoint_dir") or home / "audit" / "checkpoints"
        ).expanduser(),
        external_orders=ExternalOrders(
            source.choice("LOCKGATE_EXTERNAL_ORDERS", "external_orders", tuple(ExternalOrders), ExternalOrders.HALT)
        ),
        watch_every_ms=source.count("LOCKGATE_WATCH_EVERY_MS", "watch_every_ms", _watch_every_ms(broker)),
        clock_every_ms=source.count("LOCKGATE_CLOCK_EVERY_MS", "clock_every_ms", DEFAULT_CLOCK_EVERY_MS),
        checkpoint_every_ms=source.count(
            "LOCKGATE_CHECKPOINT_EVERY_MS", "checkpoint_every_ms", DEFAULT_CHECKPOINT_EVERY_MS
        ),
    )


def _watch_every_ms(broker: BrokerSettings) -> int:
    """Look at the simulator every second; at Alpaca less often, because looking counts in its requests a minute."""
    return 1_000 if broker.source is BrokerSource.SIMULATOR else 3_000


def _read_file(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        table = tomllib.loads(path.read_text(), parse_float=str)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(str(path), "the file", f"TOML ({error})") from error
    for key, value in table.items():
        allowed = FILE_TABLES if isinstance(value, dict) else FILE_KEYS
        if key not in allowed:
            raise SettingsError(
                f"{path.name}: {key}", str(value), f"one of {', '.join(sorted(FILE_KEYS | FILE_TABLES))}"
            )
    return table
