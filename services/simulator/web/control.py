"""/control: what tests and operators may do to the simulator itself, behind a key of its own."""

from collections.abc import Callable
from decimal import Decimal

import msgspec
from aiohttp import web

from services.simulator.core.errors import malformed, not_found
from services.simulator.core.forms import parse_body
from services.simulator.core.numbers import CENT
from services.simulator.core.quotes import Quote
from services.simulator.core.rules import Rules
from services.simulator.desk import Clock, Desk
from services.simulator.market import Market
from services.simulator.store import OrderFilter
from services.simulator.web.answers import trading, whole

MOST_COUNTED_ORDERS = 100_000
DEFAULT_SIZE = 1_000


class QuoteBody(msgspec.Struct, frozen=True, kw_only=True):
    """A quote to pin; `last` is the middle when absent, `silent` stops its repetition."""

    symbol: str
    bid: Decimal
    ask: Decimal
    bid_size: int = DEFAULT_SIZE
    ask_size: int = DEFAULT_SIZE
    last: Decimal | None = None
    silent: bool = False


class SymbolsBody(msgspec.Struct, frozen=True, kw_only=True):
    """Which symbols a command means; all of them when absent."""

    symbols: list[str] | None = None


class LatencyBody(msgspec.Struct, frozen=True, kw_only=True):
    """New latencies in milliseconds and the chance of partial fills; what is absent stays."""

    ack_ms: int | None = None
    route_ms: int | None = None
    fill_ms: int | None = None
    cancel_ms: int | None = None
    partial_percent: int | None = None


class ControlRoutes:
    """The handlers of the control port."""

    def __init__(self, desk: Desk, market: Market, clock: Clock, told: Callable[[list[Quote]], None]) -> None:
        """Control this desk and market; `clock` is right whatever the broker's says, `told` spreads a set quote."""
        self._desk = desk
        self._market = market
        self._clock = clock
        self._told = told

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/control/state", self.state),
            web.get("/control/books", self.books),
            web.get("/control/arrivals", self.arrivals),
            web.post("/control/quote", self.quote),
            web.post("/control/release", self.release),
            web.post("/control/freeze", self.freeze),
            web.post("/control/resume", self.resume),
            web.post("/control/latency", self.latency),
        ]

    async def state(self, request: web.Request) -> web.Response:
        """Return the broker's own truth: open orders, positions, cash, order counts by client id."""
        limit = whole(request.query, "limit", 1_000, MOST_COUNTED_ORDERS)
        book = self._desk.broker.book
        return trading(
            {
                "cash": book.account.cash_usd,
                "reserved": book.reserved_usd,
                "open_orders": [ticket.order for ticket in book.tickets.values()],
                "positions": {symbol: position.qty for symbol, position in book.positions.items()},
                "orders_total": self._desk.store.total_orders(),
                "orders_by_client_id": self._desk.store.order_counts(limit),
                "quotes": {quote.symbol: quote for quote in self._market.quotes()},
                "pinned": sorted(self._market.pins),
                "frozen": sorted(self._market.frozen),
                "rules": self._desk.broker.rules,
            }
        )

    async def books(self, request: web.Request) -> web.Response:
        """Return every order, position and the cash as they are, whatever faults make REST say."""
        limit = whole(request.query, "limit", 1_000, MOST_COUNTED_ORDERS)
        tickets = self._desk.store.orders(OrderFilter(status="all", limit=limit))
        book = self._desk.broker.book
        return trading(
            {
                "cash": book.account.cash_usd,
                "orders": [ticket.order for ticket in tickets],
                "positions": {
                    symbol: {"qty": position.qty, "avg_entry_price": position.avg_entry_price}
                    for symbol, position in book.positions.items()
                },
            }
        )

    async def arrivals(self, _request: web.Request) -> web.Response:
        """Return when each order's bytes were here, on this machine's monotonic clock: what benchmarks measure."""
        return trading(list(self._desk.arrivals))

    async def quote(self, request: web.Request) -> web.Response:
        """Pin a symbol to a quote; orders are matched against it at once."""
        body = parse_body(await request.read(), QuoteBody)
        symbol = body.symbol.upper()
        if symbol not in self._market.reels:
            raise not_found(f"symbol not found: {symbol}")
        prices = [body.bid, body.ask, *([] if body.last is None else [body.last])]
        if not all(price.is_finite() and price > 0 for price in prices):
            raise malformed("bid, ask and last must be above 0")
        middle = ((body.bid + body.ask) / 2).quantize(CENT)
        pinned = Quote(
            symbol=symbol,
            bid=body.bid,
            ask=body.ask,
            bid_size=body.bid_size,
            ask_size=body.ask_size,
            last=middle if body.last is None else body.last,
            last_size=DEFAULT_SIZE,
            time=self._clock(),
        )
        self._market.pin(pinned, silent=body.silent)
        self._told([pinned])
        return trading(pinned)

    async def release(self, request: web.Request) -> web.Response:
        """Let the tape quote symbols again that were pinned."""
        self._market.release(await self._symbols(request))
        return trading({"pinned": sorted(self._market.pins)})

    async def freeze(self, request: web.Request) -> web.Response:
        """Stop all quotes of symbols."""
        self._market.freeze(await self._symbols(request))
        return trading({"frozen": sorted(self._market.frozen)})

    async def resume(self, request: web.Request) -> web.Response:
        """Quote symbols again that were frozen."""
        self._market.resume(await self._symbols(request))
        return trading({"frozen": sorted(self._market.frozen)})

    async def latency(self, request: web.Request) -> web.Response:
        """Change latencies from now on."""
        body = parse_body(await request.read(), LatencyBody)
        given = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not None}
        if any(value < 0 for value in given.values()) or given.get("partial_percent", 0) > 100:  # noqa: PLR2004
            raise malformed("latencies must not be negative, and a chance is at most 100")
        rules: Rules = msgspec.structs.replace(self._desk.broker.rules, **given)
        self._desk.broker.retune(rules)
        return trading(rules)

    async def _symbols(self, request: web.Request) -> list[str]:
        body = parse_body(await request.read(), SymbolsBody)
        if body.symbols is None:
            return list(self._market.reels)
        return [symbol.upper() for symbol in body.symbols]
