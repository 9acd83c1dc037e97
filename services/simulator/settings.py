"""Everything the simulator can be told, from flags or from `LOCKGATE_SIM_*` variables."""

import argparse
import secrets
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import msgspec

from services.simulator.core.forms import ONE_CHANCE
from services.simulator.core.rules import Check, Rules

PREFIX = "LOCKGATE_SIM_"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One start of the simulator; times in milliseconds unless the name says otherwise."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 0
    key_id: str = ""
    secret_key: str = ""
    control_key: str = ""
    tape: str = "default"
    speed: int = 1
    quotes_per_second: Decimal = Decimal(2)
    seed: int = 1
    market_hours: str = "always"
    cash: Decimal = Decimal(100_000)
    multiplier: int = 4
    ack_ms: int = 15
    route_ms: int = 4
    fill_ms: int = 75
    cancel_ms: int = 15
    rest_ms: int = 0
    partial_percent: int = 10
    wash_trades: bool = True
    gtc_days: int = 90
    buy_stop_collar: bool = True
    stop_side_checked: bool = True
    replacement_carries_fills: bool = True
    client_id_reuse: bool = False
    done_for_day: bool = False
    entitled_tifs: str = "ioc,fok,opg,cls"
    check_order: str = "id,blocks,wash,position,power"
    power_formula: str = "equity"
    rate_limit_per_minute: int = 0
    rate_limit_message: str = "too many requests."
    trade_frames: str = "binary"
    trade_streams: int = 1
    data_streams: int = 1

    def rules(self) -> Rules:
        """Return the part of the settings that the pure broker knows."""
        return Rules(
            ack_ms=self.ack_ms,
            route_ms=self.route_ms,
            fill_ms=self.fill_ms,
            cancel_ms=self.cancel_ms,
            partial_percent=self.partial_percent,
            seed=self.seed,
            multiplier=self.multiplier,
            always_open=self.market_hours == "always",
            wash_trades=self.wash_trades,
            gtc_days=self.gtc_days,
            buy_stop_collar=self.buy_stop_collar,
            stop_side_checked=self.stop_side_checked,
            replacement_carries_fills=self.replacement_carries_fills,
            client_id_reuse=self.client_id_reuse,
            done_for_day=self.done_for_day,
            entitled_tifs=frozenset(listed(self.entitled_tifs)),
            check_order=msgspec.convert(listed(self.check_order), tuple[Check, ...]),
            power_formula="last_equity" if self.power_formula == "last_equity" else "equity",
        )


def listed(text: str) -> list[str]:
    """Return the words of a list joined by commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """What a client must show: the trading key pair, and the key of the control port."""

    key_id: str
    secret_key: str
    control_key: str


HELP = {
    "data_dir": "folder of the broker's file (required)",
    "port": "port on the loopback; 0 takes a free one",
    "key_id": "API key; made once and kept in the data folder when not given",
    "secret_key": "API secret; as key-id",
    "control_key": "key of the control port; as key-id",
    "tape": "default, generated[:SYMBOLS=n,RATE=r], or a folder of recordings",
    "speed": "minutes of tape per minute",
    "quotes_per_second": "synthetic quotes per second for each symbol",
    "seed": "seed of synthetic quotes and partial fills",
    "market_hours": "always or exchange",
    "cash": "dollars a new account starts with",
    "multiplier": "margin multiplier: 1, 2 or 4",
    "ack_ms": "from order to pending_new",
    "route_ms": "from pending_new to new",
    "fill_ms": "from new to the first look at the quote",
    "cancel_ms": "from a cancel to its effect",
    "rest_ms": "added to every REST answer",
    "partial_percent": "chance that a fill comes in pieces",
    "wash_trades": "refuse orders that could meet the account's own",
    "gtc_days": "age at which gtc orders are canceled",
    "buy_stop_collar": "a triggered buy stop gets a limit of 4 % above it, 2.5 % from $50 on",
    "stop_side_checked": "refuse stops that the market has passed already",
    "replacement_carries_fills": "a replacement's qty includes what the old order has filled",
    "client_id_reuse": "a client_order_id is free again once its order has ended",
    "done_for_day": "gtc orders are done_for_day from the close to the next open",
    "entitled_tifs": "of ioc,fok,opg,cls, those the account may use",
    "check_order": "checks of an order, in the order in which they refuse",
    "power_formula": "four-times buying power counts from equity or from last_equity",
    "rate_limit_per_minute": "requests a minute before 429; 0 never (Alpaca: 200)",
    "rate_limit_message": "what a 429 says",
    "trade_frames": "JSON on /stream in binary or text frames",
    "trade_streams": "trade update sockets at once; 0 any number (Alpaca: 1)",
    "data_streams": "authenticated data sockets at once; 0 any number (Alpaca: 1)",
}
BOUNDS = {
    "port": (0, 65_535),
    "speed": (1, 60),
    "quotes_per_second": (Decimal("0.02"), 50),
    "partial_percent": (0, 100),
    "gtc_days": (1, 3650),
    "cash": (0, Decimal(10) ** 10),
}


def settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Return the settings; flags win over variables, and anything odd ends the process with a message."""
    parser = argparse.ArgumentParser(prog="services.simulator", description=__doc__)
    for name, text in HELP.items():
        parser.add_argument(f"--{name.replace('_', '-')}", help=text)
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    known = {name: environment[variable] for name in HELP if (variable := PREFIX + name.upper()) in environment}
    try:
        return checked({**known, **given})
    except ValueError as error:
        parser.error(str(error))


def checked(values: Mapping[str, Any]) -> Settings:
    """Convert texts to settings and check their ranges."""
    if not values.get("data_dir"):
        raise ValueError("--data-dir is required")
    found = msgspec.convert({**values, "data_dir": Path(values["data_dir"])}, Settings, strict=False)
    if found.multiplier not in {1, 2, 4}:
        raise ValueError("--multiplier is 1, 2 or 4")
    _check_words(found)
    for name, (low, high) in BOUNDS.items():
        value = getattr(found, name)
        if not low <= value <= high:
            raise ValueError(f"--{name.replace('_', '-')} must be from {low} to {high}")
    for name in HELP:
        value = getattr(found, name)
        if isinstance(value, int) and name != "seed" and value < 0:
            raise ValueError(f"--{name.replace('_', '-')} must not be negative")
    return found


def _check_words(found: Settings) -> None:
    if found.market_hours not in {"always", "exchange"}:
        raise ValueError("--market-hours is always or exchange")
    if found.power_formula not in {"equity", "last_equity"}:
        raise ValueError("--power-formula is equity or last_equity")
    if found.trade_frames not in {"binary", "text"}:
        raise ValueError("--trade-frames is binary or text")
    if not set(listed(found.entitled_tifs)) <= ONE_CHANCE:
        raise ValueError(f"--entitled-tifs are of {', '.join(sorted(ONE_CHANCE))}")
    if sorted(listed(found.check_order)) != sorted(get_args(Check)):
        raise ValueError(f"--check-order is {', '.join(get_args(Check))} in any order")


def keys(found: Settings) -> Keys:
    """Return the keys that were set, or those made once for this data folder (file mode 0600)."""
    path = found.data_dir / "keys.json"
    if path.exists():
        kept = msgspec.json.decode(path.read_bytes(), type=Keys)
    else:
        kept = Keys(
            key_id=f"PKSIM{secrets.token_hex(8).upper()}",
            secret_key=secrets.token_urlsafe(30),
            control_key=secrets.token_urlsafe(24),
        )
        path.touch(mode=0o600)
        path.write_bytes(msgspec.json.encode(kept))
    return Keys(
        key_id=found.key_id or kept.key_id,
        secret_key=found.secret_key or kept.secret_key,
        control_key=found.control_key or kept.control_key,
    )
