"""/v2/positions: list, get, close one, close all."""

import uuid
from decimal import Decimal
from typing import Any

from aiohttp import web

from services.simulator.core.assets import Asset
from services.simulator.core.errors import BrokerError, forbidden, not_found
from services.simulator.core.numbers import ZERO, cents, nanos, plain
from services.simulator.core.positions import Position
from services.simulator.core.sessions import new_york_day
from services.simulator.desk import Desk
from services.simulator.history import History, previous_close
from services.simulator.market import dollars
from services.simulator.web.answers import flag, number, trading


def share(part: Decimal, whole: Decimal) -> Decimal:
    """Return part over whole to nine decimals, 0 when there is no whole."""
    return nanos(part / whole) if whole else ZERO


class PositionRoutes:
    """The handlers of positions at one desk."""

    def __init__(self, desk: Desk, history: History) -> None:
        """Serve this desk, with yesterday's closes from this history."""
        self._desk = desk
        self._history = history
        self._by_asset_id = {asset.id: asset.symbol for asset in desk.broker.assets.values()}

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/v2/positions", self.index),
            web.delete("/v2/positions", self.close_all),
            web.post("/v2/positions/{symbol}/exercise", self.exercise),
            web.post("/v2/positions/{symbol}/do-not-exercise", self.exercise),
            web.get("/v2/positions/{symbol:.+}", self.get),
            web.delete("/v2/positions/{symbol:.+}", self.close),
        ]

    async def index(self, _request: web.Request) -> web.Response:
        """Return all positions."""
        return trading([self.form(position) for position in self._desk.broker.book.positions.values()])

    async def get(self, request: web.Request) -> web.Response:
        """Return one position."""
        position = self._desk.broker.book.positions.get(self._symbol(request))
        if position is None:
            raise not_found("position does not exist")
        return trading(self.form(position))

    async def close(self, request: web.Request) -> web.Response:
        """Close one position or part of it."""
        symbol = self._symbol(request)
        qty, percentage = number(request.query, "qty"), number(request.query, "percentage")
        return trading(self._desk.act(lambda broker, now: broker.close(symbol, qty, percentage, now)))

    async def close_all(self, request: web.Request) -> web.Response:
        """Close all positions."""
        cancel_orders = flag(request.query, "cancel_orders")
        outcomes = self._desk.act(lambda broker, now: broker.close_all(now, cancel_orders=cancel_orders))
        return trading([_outcome(symbol, outcome) for symbol, outcome in outcomes], status=207)

    async def exercise(self, request: web.Request) -> web.Response:
        """Refuse an instruction for an option: none is listed here, so none is held."""
        raise forbidden(f"no available position for {request.match_info['symbol']}")

    def form(self, position: Position) -> dict[str, Any]:
        """Return a position as the wire shows it, valued at the last trade."""
        symbol, qty, cost = position.symbol, position.qty, position.cost_usd
        asset = self._asset(symbol)
        price = self._desk.broker.mark(symbol)
        lastday = self._lastday_price(symbol, price)
        value, profit = qty * price, qty * price - cost
        opened_today = position.opened_on == new_york_day(self._desk.clock())
        intraday = profit if opened_today else qty * (price - lastday)
        start_value = abs(cost) if opened_today else abs(qty * lastday)
        held = self._desk.broker.book.held_qty(symbol)
        return {
            "asset_id": asset.id,
            "symbol": symbol,
            "exchange": asset.exchange,
            "asset_class": asset.asset_class,
            "asset_marginable": asset.marginable,
            "qty": plain(qty),
            "avg_entry_price": position.avg_entry_price,
            "side": "long" if qty > 0 else "short",
            "market_value": nanos(value),
            "cost_basis": nanos(cost),
            "unrealized_pl": nanos(profit),
            "unrealized_plpc": share(profit, abs(cost)),
            "unrealized_intraday_pl": nanos(intraday),
            "unrealized_intraday_plpc": share(intraday, start_value),
            "current_price": cents(price) if price >= 1 else plain(price),
            "lastday_price": plain(lastday),
            "change_today": share(price - lastday, lastday),
            "qty_available": plain(qty - held if qty > 0 else qty + held),
        }

    def _asset(self, symbol: str) -> Asset:
        return self._desk.broker.assets[symbol]

    def _lastday_price(self, symbol: str, price: Decimal) -> Decimal:
        bar = previous_close(self._history, symbol, self._desk.clock())
        return price if bar is None else dollars(bar.close)

    def _symbol(self, request: web.Request) -> str:
        asked = request.match_info["symbol"]
        try:
            return self._by_asset_id.get(str(uuid.UUID(asked)), asked)
        except ValueError:
            pass
        symbol = asked.upper()
        if symbol not in self._desk.broker.assets:
            raise BrokerError(404, 40410000, f"symbol not found: {symbol}")
        return symbol


def _outcome(symbol: str, outcome: Any) -> dict[str, Any]:
    if isinstance(outcome, BrokerError):
        return {"symbol": symbol, "status": outcome.status, "body": outcome.body()}
    return {"symbol": symbol, "status": 200, "body": outcome}
