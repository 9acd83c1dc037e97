"""Market data over REST: latest values, snapshots, and history in pages."""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
from aiohttp import web

from services.simulator.core.errors import BrokerError
from services.simulator.core.quotes import Quote
from services.simulator.core.sessions import new_york_day
from services.simulator.desk import Clock
from services.simulator.history import History, Span, TimedBar, midnight, timeframe
from services.simulator.market import Market
from services.simulator.web import ticks
from services.simulator.web.answers import choice, market_data, moment, whole, words

LONGEST_PAGE = 10_000
DEFAULT_PAGE = 1_000
INSTANT = timedelta(microseconds=1)

Source = Callable[[str, Span], Iterator[tuple[datetime, dict[str, Any]]]]


class Page(msgspec.Struct, frozen=True):
    """Where the next page begins: a symbol and the time of the last item shown of it."""

    symbol: str
    time: datetime

    def token(self) -> str:
        """Return the page as an opaque token."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode()


def page(token: str | None) -> Page | None:
    """Read a token back."""
    if not token:
        return None
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(token), type=Page)
    except (binascii.Error, msgspec.DecodeError) as error:
        raise BrokerError(400, None, "invalid page_token") from error


class DataRoutes:
    """The handlers of /v2/stocks."""

    def __init__(self, market: Market, history: History, clock: Clock) -> None:
        """Serve this market and its past."""
        self._market = market
        self._history = history
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """Return the routes: for many symbols, and the older forms for one."""
        latest = {"quotes": self._quote, "trades": self._trade, "bars": self._bar}
        found: list[web.RouteDef] = [
            web.get("/v2/stocks/snapshots", self.snapshots),
            web.get("/v2/stocks/{symbol}/snapshot", self.snapshot),
        ]
        for kind, one in latest.items():
            found += [
                web.get(f"/v2/stocks/{kind}/latest", self._latest(kind, one)),
                web.get(f"/v2/stocks/{{symbol}}/{kind}/latest", self._latest_one(kind[:-1], one)),
                web.get(f"/v2/stocks/{kind}", self._past(kind)),
                web.get(f"/v2/stocks/{{symbol}}/{kind}", self._past_one(kind)),
            ]
        return found

    async def snapshots(self, request: web.Request) -> web.Response:
        """Return the snapshot of several symbols, without a wrapper."""
        return market_data({symbol: self._snapshot(symbol) for symbol in self._known(request)})

    async def snapshot(self, request: web.Request) -> web.Response:
        """Return the snapshot of one symbol."""
        symbol = self._one(request)
        return market_data({"symbol": symbol, **self._snapshot(symbol)})

    def _quote(self, symbol: str) -> dict[str, Any]:
        return ticks.quote(self._newest(symbol))

    def _trade(self, symbol: str) -> dict[str, Any]:
        return ticks.trade(self._newest(symbol))

    def _bar(self, symbol: str) -> dict[str, Any]:
        return ticks.bar(self._history.latest_minute(symbol, self._clock()))

    def _newest(self, symbol: str) -> Quote:
        found = self._market.quote(symbol)
        if found is None:
            raise BrokerError(404, 40410000, f"no quote found for {symbol}")
        return found

    def _snapshot(self, symbol: str) -> dict[str, Any]:
        days = [ticks.bar(day) for day in self._history.last_days(symbol, self._clock())]
        return {
            "latestTrade": self._trade(symbol),
            "latestQuote": self._quote(symbol),
            "minuteBar": self._bar(symbol),
            "dailyBar": days[-1] if days else None,
            "prevDailyBar": days[-2] if len(days) > 1 else None,
        }

    def _latest(self, kind: str, one: Callable[[str], dict[str, Any]]) -> Any:
        async def answer(request: web.Request) -> web.Response:
            return market_data({kind: {symbol: one(symbol) for symbol in self._known(request)}})

        return answer

    def _latest_one(self, word: str, one: Callable[[str], dict[str, Any]]) -> Any:
        async def answer(request: web.Request) -> web.Response:
            symbol = self._one(request)
            return market_data({"symbol": symbol, word: one(symbol)})

        return answer

    def _past(self, kind: str) -> Any:
        async def answer(request: web.Request) -> web.Response:
            symbols = sorted(self._known(request))
            items, token = self._paged(request, symbols, self._source(kind, request))
            return market_data({kind: items, "next_page_token": token})

        return answer

    def _past_one(self, kind: str) -> Any:
        async def answer(request: web.Request) -> web.Response:
            symbol = self._one(request)
            items, token = self._paged(request, [symbol], self._source(kind, request))
            return market_data({"symbol": symbol, kind: items.get(symbol, []), "next_page_token": token})

        return answer

    def _source(self, kind: str, request: web.Request) -> Source:
        now = self._clock()
        if kind == "bars":
            frame = timeframe(request.query.get("timeframe", ""))
            return lambda symbol, span: _bars(self._history.bars(symbol, frame, span, now))
        spell = ticks.quote if kind == "quotes" else ticks.trade
        return lambda symbol, span: ((found.time, spell(found)) for found in self._history.quotes(symbol, span, now))

    def _paged(
        self, request: web.Request, symbols: list[str], source: Source
    ) -> tuple[dict[str, list[Any]], str | None]:
        """Collect items symbol after symbol until the page is full, and say where the next one begins."""
        limit = whole(request.query, "limit", DEFAULT_PAGE, LONGEST_PAGE)
        span, begin = self._span(request), page(request.query.get("page_token"))
        items: dict[str, list[Any]] = {}
        last: Page | None = None
        for symbol in symbols if begin is None else [s for s in symbols if s >= begin.symbol]:
            rest = _after(span, begin.time) if begin is not None and symbol == begin.symbol else span
            for at, item in source(symbol, rest):
                if limit == 0 and last is not None:
                    return items, last.token()
                items.setdefault(symbol, []).append(item)
                last, limit = Page(symbol, at), limit - 1
        return items, None

    def _span(self, request: web.Request) -> Span:
        now = self._clock()
        start = moment(request.query, "start") or midnight(new_york_day(now))
        end = moment(request.query, "end") or now
        return Span(start, end, choice(request.query, "sort", ("asc", "desc")) == "desc")

    def _known(self, request: web.Request) -> Iterable[str]:
        asked = words(request.query, "symbols")
        if not asked:
            raise BrokerError(400, None, "symbols is required")
        return [symbol for symbol in dict.fromkeys(s.upper() for s in asked) if symbol in self._market.reels]

    def _one(self, request: web.Request) -> str:
        symbol = request.match_info["symbol"].upper()
        if symbol not in self._market.reels:
            raise BrokerError(404, 40410000, f"symbol not found: {symbol}")
        return symbol


def _bars(found: Iterator[TimedBar]) -> Iterator[tuple[datetime, dict[str, Any]]]:
    return ((timed.time, ticks.bar(timed)) for timed in found)


def _after(span: Span, time: datetime) -> Span:
    if span.backwards:
        return Span(span.start, time - INSTANT, backwards=True)
    return Span(time + INSTANT, span.end)
