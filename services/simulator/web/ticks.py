"""Market data as the wire spells it: one-letter keys, with the symbol and type added on sockets."""

from decimal import Decimal
from typing import Any

from services.simulator.core.numbers import NANO
from services.simulator.core.quotes import Quote
from services.simulator.history import TimedBar
from services.simulator.market import dollars

EXCHANGE, TAPE = "V", "C"  # IEX, and the tape of Nasdaq-listed shares
TRADE_SHARES = 100


def quote(found: Quote) -> dict[str, Any]:
    """Return a quote without its symbol."""
    return {
        "t": found.time,
        "ax": EXCHANGE,
        "ap": found.ask,
        "as": found.ask_size,
        "bx": EXCHANGE,
        "bp": found.bid,
        "bs": found.bid_size,
        "c": ["R"],
        "z": TAPE,
    }


def trade(found: Quote) -> dict[str, Any]:
    """Return the trade that a tick of the tape carries; its id is its time in microseconds."""
    return {
        "t": found.time,
        "x": EXCHANGE,
        "p": found.last,
        "s": found.last_size,
        "c": ["@"],
        "i": int(found.time.timestamp() * 1_000_000),
        "z": TAPE,
    }


def bar(found: TimedBar) -> dict[str, Any]:
    """Return a bar; trade count and average price are estimates from volume and range."""
    cents = found.bar
    middle = Decimal(cents.high + cents.low + cents.close) / 300
    return {
        "t": found.time,
        "o": dollars(cents.open),
        "h": dollars(cents.high),
        "l": dollars(cents.low),
        "c": dollars(cents.close),
        "v": cents.volume,
        "n": max(1, cents.volume // TRADE_SHARES),
        "vw": middle.quantize(NANO * 1000),
    }
