"""What surrounds equities at Alpaca: screeners computed from the tape, and what this market does not have.

There are no options, corporate actions or news here, so their lists are truthfully empty.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from aiohttp import web

from services.simulator.core.errors import forbidden, malformed, not_found, unprocessable
from services.simulator.core.numbers import cents
from services.simulator.desk import Clock
from services.simulator.history import History, TimedBar
from services.simulator.market import Market, dollars
from services.simulator.web import ticks
from services.simulator.web.answers import choice, market_data, moment, trading, whole, words

MOST_SCREENED = 100
ACTIONS = frozenset({"dividend", "merger", "spinoff", "split"})
LONGEST_ANNOUNCED = timedelta(days=91)  # a day of slack for summer time
DEFAULT_SCREENED = 10
CONDITIONS = {"trade": {"@": "Regular Sale"}, "quote": {"R": "Regular Two Sided Open"}}
EXCHANGES = {ticks.EXCHANGE: "IEX"}


class SurroundingRoutes:
    """The handlers of screeners, tables and empty lists."""

    def __init__(self, market: Market, history: History, clock: Clock) -> None:
        """Screen this market."""
        self._market = market
        self._history = history
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/v1beta1/screener/stocks/most-actives", self.most_active),
            web.get("/v1beta1/screener/stocks/movers", self.movers),
            web.get("/v2/stocks/meta/conditions/{kind}", self.conditions),
            web.get("/v2/stocks/meta/exchanges", self.exchanges),
            web.get("/v2/corporate_actions/announcements", self.announcements),
            web.get("/v2/corporate_actions/announcements/{id}", self.nothing_by_id),
            web.get("/v1/corporate-actions", self.corporate_actions),
            web.get("/v1beta1/news", self.news),
            web.get("/v1beta1/fixed_income/latest/quotes", self.fixed_income),
            web.get("/v2/options/contracts", self.option_contracts),
            web.get("/v2/options/contracts/{id}", self.nothing_by_id),
            web.route("*", "/v1/locates{rest:.*}", self.locates),
        ]

    async def most_active(self, request: web.Request) -> web.Response:
        """Rank the symbols by today's volume or trades."""
        top = whole(request.query, "top", DEFAULT_SCREENED, MOST_SCREENED)
        by_trades = choice(request.query, "by", ("volume", "trades")) == "trades"
        found = [
            {"symbol": symbol, "volume": bar["v"], "trade_count": bar["n"]}
            for symbol, bar in ((symbol, ticks.bar(days[-1])) for symbol, days in self._days())
        ]
        key = "trade_count" if by_trades else "volume"
        found.sort(key=lambda row: row[key], reverse=True)
        return market_data({"most_actives": found[:top], "last_updated": self._clock()})

    async def movers(self, request: web.Request) -> web.Response:
        """Rank the symbols by today's change."""
        top = whole(request.query, "top", DEFAULT_SCREENED, MOST_SCREENED)
        found = [_mover(symbol, days[0], days[1]) for symbol, days in self._days() if len(days) > 1]
        found.sort(key=lambda row: row["percent_change"], reverse=True)
        return market_data(
            {
                "gainers": [row for row in found if row["change"] > 0][:top],
                "losers": [row for row in reversed(found) if row["change"] < 0][:top],
                "market_type": "stocks",
                "last_updated": self._clock(),
            }
        )

    async def conditions(self, request: web.Request) -> web.Response:
        """Return the condition codes that the tape uses."""
        kind = request.match_info["kind"]
        if kind not in CONDITIONS:
            raise not_found(f"no conditions of {kind}")
        return market_data(CONDITIONS[kind])

    async def exchanges(self, _request: web.Request) -> web.Response:
        """Return the exchange codes that the tape uses."""
        return market_data(EXCHANGES)

    async def announcements(self, request: web.Request) -> web.Response:
        """Return no announcements, once the required parameters are there and name at most 90 days."""
        query = request.query
        for name in ("ca_types", "since", "until"):
            if not query.get(name):
                raise malformed(f"{name} is required")
        if unknown := set(words(query, "ca_types")) - ACTIONS:
            raise malformed(f"invalid ca_types: {min(unknown)}")
        since, until = moment(query, "since"), moment(query, "until")
        if since is None or until is None or not since <= until <= since + LONGEST_ANNOUNCED:
            raise malformed("until must be on or after since, and at most 90 days later")
        return trading([])

    async def corporate_actions(self, _request: web.Request) -> web.Response:
        """Return no corporate actions."""
        return market_data({"corporate_actions": {}, "next_page_token": None})

    async def news(self, _request: web.Request) -> web.Response:
        """Return no news."""
        return market_data({"news": [], "next_page_token": None})

    async def fixed_income(self, _request: web.Request) -> web.Response:
        """Return no quotes of bonds."""
        return market_data({"quotes": {}})

    async def option_contracts(self, _request: web.Request) -> web.Response:
        """Return no option contracts: only equities are listed."""
        return trading({"option_contracts": [], "next_page_token": None})

    async def nothing_by_id(self, request: web.Request) -> web.Response:
        """Say that there is nothing under an id."""
        raise not_found(f"not found: {request.match_info['id']}")

    async def locates(self, request: web.Request) -> web.Response:
        """Refuse locates, as paper accounts do."""
        if request.method not in {"GET", "POST"}:
            raise unprocessable("method not supported")
        raise forbidden("locates are not available on paper accounts")

    def _days(self) -> list[tuple[str, list[TimedBar]]]:
        now = self._clock()
        found = [(symbol, self._history.last_days(symbol, now)) for symbol in self._market.reels]
        return [(symbol, days) for symbol, days in found if days]


def _mover(symbol: str, before: TimedBar, today: TimedBar) -> dict[str, Any]:
    change = today.bar.close - before.bar.close
    percent = Decimal(change * 100) / before.bar.close
    return {
        "symbol": symbol,
        "percent_change": cents(percent),
        "change": dollars(change),
        "price": dollars(today.bar.close),
    }
