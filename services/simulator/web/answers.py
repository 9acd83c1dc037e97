"""JSON answers in Alpaca's two dialects, and the reading of queries and bodies."""

from collections.abc import Mapping
from datetime import UTC, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from aiohttp import web
from multidict import MultiMapping

from services.simulator.core.errors import BrokerError, malformed
from services.simulator.core.sessions import NEW_YORK

TRADING_JSON = msgspec.json.Encoder()  # decimals as strings
DATA_JSON = msgspec.json.Encoder(decimal_format="number")


def trading(body: Any, status: int = 200) -> web.Response:
    """Answer as the trading API does: every number a string."""
    return web.Response(body=TRADING_JSON.encode(body), status=status, content_type="application/json")


def market_data(body: Any) -> web.Response:
    """Answer as the market data API does: prices are JSON numbers, written exactly."""
    return web.Response(body=DATA_JSON.encode(body), content_type="application/json")


def refusal(error: BrokerError) -> web.Response:
    """Answer with an error body."""
    return trading(error.body(), error.status)


def words(query: MultiMapping[str], name: str) -> tuple[str, ...]:
    """Return a list parameter, whether its items are joined by commas or its key repeats."""
    return tuple(word.strip() for text in query.getall(name, []) for word in text.split(",") if word.strip())


def flag(query: Mapping[str, str], name: str) -> bool:
    """Return a boolean parameter in any letter case; absent is false."""
    text = query.get(name, "false").lower()
    if text not in {"true", "false"}:
        raise malformed(f"invalid {name}")
    return text == "true"


def moment(query: Mapping[str, str], name: str) -> datetime | None:
    """Return a time parameter: RFC 3339, or a date that begins at New York's midnight."""
    text = query.get(name)
    if not text:
        return None
    try:
        parsed = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise malformed(f"invalid {name}: {text}") from error
    if "T" not in text and parsed.time() == time(0):
        return parsed.replace(tzinfo=NEW_YORK).astimezone(UTC)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def number(query: Mapping[str, str], name: str) -> Decimal | None:
    """Return a decimal parameter."""
    text = query.get(name)
    if not text:
        return None
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise malformed(f"invalid {name}") from error


def whole(query: Mapping[str, str], name: str, default: int, largest: int) -> int:
    """Return an integer parameter from 1 to its largest value."""
    text = query.get(name) or str(default)
    if not text.isdigit() or not 1 <= int(text) <= largest:
        raise malformed(f"{name} must be between 1 and {largest}")
    return int(text)


def choice(query: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    """Return a parameter that is one of some words; the first is the default."""
    text = (query.get(name) or allowed[0]).lower()
    if text not in allowed:
        raise malformed(f"invalid {name}: {text}")
    return text
