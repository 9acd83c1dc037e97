"""Reads a journal's bytes with nothing but JSON and arithmetic, and counts what was at stake at every place of it.

It shares no code with what it checks: orders, fills and marks are booked here again, the slow and plain way.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)
OVER = {"order.canceled.v1", "order.expired.v1", "order.rejected.v1", "order.completed.v1"}


@dataclass
class Order:
    """One order as approved, and new terms that were approved and not yet answered."""

    symbol: str
    side: str
    agent: str
    strategy: str | None
    qty: Decimal
    price: Decimal
    new: tuple[Decimal, Decimal] | None = None
    filled: Decimal = ZERO
    over: bool = False
    fills: set[str] = field(default_factory=set)

    @property
    def most(self) -> Decimal:
        return self.qty if self.new is None else max(self.qty, self.new[0])

    @property
    def left(self) -> Decimal:
        return ZERO if self.over else max(self.most - self.filled, ZERO)

    @property
    def left_usd(self) -> Decimal:
        return self.left * (self.price if self.new is None else max(self.price, self.new[1]))


@dataclass
class Stake:
    """What one symbol puts at stake, USD: each side alone, and as it adds to the net."""

    long: Decimal = ZERO
    short: Decimal = ZERO
    net_long: Decimal = ZERO
    net_short: Decimal = ZERO


class Ledger:
    """Orders, positions by owner, and marks; `owner` none means the account."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.positions: dict[str | None, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        self.marks: dict[str, Decimal] = {}
        self.turnover: dict[str | None, Decimal] = defaultdict(Decimal)
        self.observed: dict[str, Any] = {}

    def take(self, event: dict[str, Any]) -> None:
        """Book one event."""
        kind = event["type"]
        if kind == "decision.v1":
            self._decide(event)
        elif kind == "broker.account_observed.v1":
            self.observed = event
            for shown in event["positions"]:
                if shown["symbol"] in self.positions[None] and shown["current_price"] is not None:
                    self.marks[shown["symbol"]] = Decimal(shown["current_price"])
        elif kind.startswith("order.") and event["order_id"] in self.orders:
            self._move(self.orders[event["order_id"]], kind, event)

    def _decide(self, event: dict[str, Any]) -> None:
        reserved = event["reservation"]
        if event["outcome"] != "approved" or reserved is None:
            return
        qty, price = Decimal(reserved["qty"]), Decimal(reserved["price_usd"])
        if not reserved["reduces"]:
            seen = event["evidence"]["quote"]
            self.marks[seen["symbol"]] = (Decimal(seen["bid_price"]) + Decimal(seen["ask_price"])) / 2
        if event["action"] == "submit":
            order = Order(reserved["symbol"], reserved["side"], event["agent"], event["strategy"], qty, price)
            self.orders[event["order_id"]] = order
            more = qty * price
        else:
            order = self.orders[event["order_id"]]
            order.new = (qty, price)
            more = max(qty * price - order.qty * order.price, ZERO)
        if not reserved["reduces"]:
            for owner in (None, order.agent, f"strategy {order.strategy}"):
                self.turnover[owner] += more

    def _move(self, order: Order, kind: str, event: dict[str, Any]) -> None:
        if kind == "order.filled.v1" and event["fill_id"] not in order.fills:
            order.fills.add(event["fill_id"])
            qty = Decimal(event["qty"])
            order.filled += qty
            self.marks[order.symbol] = Decimal(event["price"])
            change = qty if order.side == "buy" else -qty
            self._share(order, change)
            self.positions[None][order.symbol] += change
            self.positions[order.agent][order.symbol] += change
        elif kind == "order.replaced.v1":
            price = (
                max(order.price, Decimal(event["terms"]["limit_price"] or 0)) if order.new is None else order.new[1]
            )
            order.qty, order.price, order.new = Decimal(event["terms"]["qty"]), price, None
        elif kind == "order.replace_rejected.v1":
            order.new = None
        if kind in OVER or order.filled >= order.most:
            order.over = True

    def _share(self, order: Order, change: Decimal) -> None:
        """Move what strategies own: one closes its own first, then what is nobody's; others take that first."""
        known = [name for name in self.positions if name is not None and name.startswith("strategy ")]
        nobodys = self.positions[None][order.symbol] - sum(self.positions[name][order.symbol] for name in known)
        if order.strategy is not None:
            own = self.positions[f"strategy {order.strategy}"]
            left = change - against(own[order.symbol], change)
            own[order.symbol] += change - against(nobodys, left)
            return
        left = change - against(nobodys, change)
        for name in sorted(known):
            taken = against(self.positions[name][order.symbol], left)
            self.positions[name][order.symbol] += taken
            left -= taken

    def open_orders(self, owner: str | None = None) -> int:
        return sum(not order.over for order in self._of(owner))

    def _of(self, owner: str | None) -> Iterable[Order]:
        for order in self.orders.values():
            if owner is None or owner in {order.agent, f"strategy {order.strategy}"}:
                yield order

    def stakes(self, owner: str | None = None) -> dict[str, Stake]:
        """Count what every symbol puts at stake for one owner."""
        buys: dict[str, list[Decimal]] = defaultdict(lambda: [ZERO, ZERO, ZERO, ZERO])
        for order in self._of(owner):
            if order.left:
                at = 0 if order.side == "buy" else 2
                buys[order.symbol][at] += order.left
                buys[order.symbol][at + 1] += order.left_usd
        held = self.positions[owner]
        return {symbol: self._stake(held[symbol], symbol, buys[symbol]) for symbol in {*buys, *held}}

    def _stake(self, qty: Decimal, symbol: str, working: list[Decimal]) -> Stake:
        buy_qty, buy_usd, sell_qty, sell_usd = working
        value = qty * self.marks.get(symbol, ZERO)
        long = value + buy_usd if qty >= 0 else (buy_usd if buy_qty > -qty else ZERO)
        short = sell_usd - value if qty <= 0 else (sell_usd if sell_qty > qty else ZERO)
        return Stake(long, short, buy_usd + value, sell_usd - value)


def against(held: Decimal, change: Decimal) -> Decimal:
    """Give the part of a signed change that closes what is held."""
    if held * change >= 0:
        return ZERO
    return change if abs(change) <= abs(held) else -held


def events_of(bodies: Iterable[bytes]) -> list[dict[str, Any]]:
    """Read the journal's bytes, in the order in which they stand there; the first has sequence 1."""
    return [json.loads(body) for body in bodies]


def in_risks_order(events: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Give events as risk knew of them: before a decision only what others had written up to its `state_seq`."""
    others: list[tuple[int, dict[str, Any]]] = []
    for seq, event in enumerate(events, 1):
        if event["type"] != "decision.v1":
            others.append((seq, event))
            continue
        while others and others[0][0] <= event["state_seq"]:
            yield others.pop(0)[1]
        yield event
    yield from (event for _, event in others)
