"""The broker's knobs, and the ports through which it sees prices and its own past."""

from typing import Literal, Protocol

import msgspec

from services.simulator.core.orders import Ticket
from services.simulator.core.quotes import Quote

Check = Literal["id", "blocks", "wash", "position", "power"]
"""A check of a well-formed order; which comes first is visible when an order fails several."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How fast and how this broker works; latencies in milliseconds, chances in percent.

    What Alpaca's documentation leaves open is a rule here, so that both answers can be tried.
    """

    ack_ms: int = 15
    route_ms: int = 4
    fill_ms: int = 75
    cancel_ms: int = 15
    partial_percent: int = 10
    seed: int = 1
    multiplier: int = 4
    always_open: bool = True
    wash_trades: bool = True
    gtc_days: int = 90
    buy_stop_collar: bool = True
    stop_side_checked: bool = True
    replacement_carries_fills: bool = True
    client_id_reuse: bool = False
    done_for_day: bool = False
    entitled_tifs: frozenset[str] = frozenset({"ioc", "fok", "opg", "cls"})
    check_order: tuple[Check, ...] = ("id", "blocks", "wash", "position", "power")
    power_formula: Literal["equity", "last_equity"] = "equity"


class Prices(Protocol):
    """Where the broker looks up the quote it matches against."""

    def quote(self, symbol: str) -> Quote | None:
        """Return the newest quote, or None for a symbol that is not traded."""
        ...


class Archive(Protocol):
    """Every order ever taken, open or not."""

    def find(self, order_id: str) -> Ticket | None:
        """Return the order with this id."""
        ...

    def find_client(self, client_order_id: str) -> Ticket | None:
        """Return the newest order with this client order id."""
        ...

    def legs(self, order_id: str) -> list[Ticket]:
        """Return the orders that hang on this one, oldest first."""
        ...
