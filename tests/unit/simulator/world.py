"""The pure broker on virtual time: one account, quotes set by hand, its file in memory."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from services.simulator.core.assets import listed
from services.simulator.core.book import AccountState
from services.simulator.core.broker import Broker
from services.simulator.core.errors import BrokerError
from services.simulator.core.events import TradeUpdate  # noqa: TC001  # told in a field
from services.simulator.core.forms import OrderBody, order_request, parse_body
from services.simulator.core.orders import Order
from services.simulator.core.quotes import Quote
from services.simulator.core.replacing import ReplaceBody
from services.simulator.core.rules import Rules
from services.simulator.store import Store

START = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # a Monday, 10:00 in New York
RULES = Rules(ack_ms=10, route_ms=5, fill_ms=50, cancel_ms=10, partial_percent=0)

OPENED: list[Store] = []  # closed after each test, see conftest


class World:
    """A broker, a clock that only moves when told, and everything the broker has told."""

    def __init__(self, rules: Rules = RULES, cash: str = "100000", start: datetime = START) -> None:
        self.now = start
        self.rules = rules
        self.updates: list[TradeUpdate] = []  # everything told, oldest first
        self.store = Store(":memory:")
        OPENED.append(self.store)
        self.quotes: dict[str, Quote] = {}
        self.set_quote("AAPL", "99.90", "100.00")
        self.set_quote("MSFT", "399.90", "400.00")
        self._account = AccountState(
            id="account",
            account_number="PA1",
            created_at=start,
            cash_usd=Decimal(cash),
            last_equity_usd=Decimal(cash),
            equity_day=start.date(),
        )
        self.broker = self._open()

    def _open(self) -> Broker:
        assets = {symbol: listed(symbol) for symbol in ("AAPL", "MSFT")}
        broker = Broker(self.store.book(lambda: self._account), self.rules, self, self.store, assets)
        broker.resume(self.store.last_rank(), self.store.last_event_id(), self.now)
        return broker

    def restart(self) -> None:
        """Forget everything that is not in the file."""
        self.broker = self._open()

    def quote(self, symbol: str) -> Quote | None:
        return self.quotes.get(symbol)

    def set_quote(self, symbol: str, bid: str, ask: str, last: str | None = None) -> None:
        low, high = Decimal(bid), Decimal(ask)
        self.quotes[symbol] = Quote(
            symbol=symbol,
            bid=low,
            ask=high,
            bid_size=100,
            ask_size=100,
            last=(low + high) / 2 if last is None else Decimal(last),
            last_size=1,
            time=self.now,
        )

    def move(self, symbol: str, bid: str, ask: str, last: str | None = None) -> None:
        """Set a quote and let the broker match against it."""
        self.set_quote(symbol, bid, ask, last)
        self.act(lambda broker, now: broker.lifecycle.quoted(symbol, now))

    def act[T](self, action: Callable[[Broker, datetime], T]) -> T:
        try:
            return action(self.broker, self.now)
        finally:
            changes = self.broker.recorder.take()
            self.store.save(changes, self.broker.book)
            self.updates += changes.updates

    def wait(self, ms: int) -> None:
        """Let time pass, step by step as things fall due."""
        end = self.now + timedelta(milliseconds=ms)
        while (due := self.broker.lifecycle.next_due()) is not None and due <= end:
            self.now = max(self.now, due)
            self.act(lambda broker, now: broker.lifecycle.advance(now))
        self.now = end

    def submit(self, **fields: Any) -> Order:
        body = {"symbol": "AAPL", "side": "buy", "type": "market", "time_in_force": "day", **fields}
        form = order_request(parse_body(msgspec.json.encode(body), OrderBody))
        return self.act(lambda broker, now: broker.submit(form, now))

    def filled(self, **fields: Any) -> Order:
        """Submit an order and wait until it has had its chance to fill."""
        order = self.submit(**fields)
        self.wait(100)
        return self.order(order.id)

    def replace(self, order_id: str, **fields: Any) -> Order:
        body = parse_body(msgspec.json.encode(fields), ReplaceBody)
        return self.act(lambda broker, now: broker.replace(order_id, body, now))

    def cancel(self, order_id: str) -> None:
        self.act(lambda broker, now: broker.cancel(order_id, now))

    def order(self, order_id: str) -> Order:
        return self.broker.find(order_id).order

    def events(self, order_id: str) -> list[str]:
        return [update.event for update in self.updates if update.order.id == order_id]


def refusal(action: Callable[[], object]) -> BrokerError:
    """Return the refusal an action meets."""
    try:
        action()
    except BrokerError as error:
        return error
    raise AssertionError("nothing was refused")
