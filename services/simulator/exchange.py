"""Puts one simulator together and keeps its market moving."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime

from aiohttp import web

from services.simulator.core.assets import listed
from services.simulator.core.book import AccountState, Book
from services.simulator.core.broker import Broker
from services.simulator.core.quotes import Quote
from services.simulator.core.sessions import MarketHours, new_york_day, session
from services.simulator.desk import Clock, Desk
from services.simulator.faults_board import FaultBoard
from services.simulator.faults_clock import SkewedClock
from services.simulator.faults_orders import OrderFaults
from services.simulator.faults_updates import UpdateFaults
from services.simulator.history import History, TimedBar, midnight
from services.simulator.market import MINUTE, Market, whole_minute
from services.simulator.settings import Settings, keys
from services.simulator.store import Store
from services.simulator.tape.library import Pace, TapeError, tracks
from services.simulator.tape.reel import Reel
from services.simulator.web.account import AccountRoutes
from services.simulator.web.activities import ActivityRoutes
from services.simulator.web.answers import trading
from services.simulator.web.control import ControlRoutes
from services.simulator.web.data import DataRoutes
from services.simulator.web.data_stream import DataStream
from services.simulator.web.faults import FaultRoutes
from services.simulator.web.gate import Gate, RateRule
from services.simulator.web.markets import MarketRoutes
from services.simulator.web.orders import OrderRoutes
from services.simulator.web.portfolio import PortfolioRoutes
from services.simulator.web.positions import PositionRoutes
from services.simulator.web.reference import ReferenceRoutes
from services.simulator.web.surroundings import SurroundingRoutes
from services.simulator.web.trade_stream import TradeStream
from services.simulator.web.watchlists import WatchlistRoutes

PULSE_SECONDS = 0.02
FEEDS = ("iex", "sip", "delayed_sip", "boats", "overnight", "test")


def wall_clock() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


class Exchange:
    """One broker, one market, one web application."""

    def __init__(self, settings: Settings, clock: Clock = wall_clock) -> None:
        """Open the data folder and take up where the last run stopped; needs a running event loop."""
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        self._faults = FaultBoard(time.monotonic)
        with ExitStack() as opened:
            self._store = opened.enter_context(closing(Store(settings.data_dir / "broker.sqlite")))
            self._open(settings, clock())
            opened.pop_all()  # it stays open until `close`

    def _open(self, settings: Settings, now: datetime) -> None:
        """Join tape, account and wire."""
        reels = self._reels(settings, now)
        rules = settings.rules()
        self._market = Market(reels, MarketHours(rules.always_open), now)
        self._history = History(self._market)
        book = self._store.book(lambda: new_account(settings, now))
        refuse_unquoted(book, reels)
        assets = {symbol: listed(symbol) for symbol in sorted(reels)}
        broker = Broker(book, rules, self._market, self._store, assets)
        broker.resume(self._store.last_rank(), self._store.last_event_id(), now)
        OrderFaults(self._faults, broker)
        self._broker_clock = SkewedClock(self._faults, self._clock)
        self.desk = Desk(broker, self._store, self._broker_clock)
        self._broker_clock.moved = self.desk.clock_moved
        self.keys = keys(settings)
        rate = RateRule(per_minute=settings.rate_limit_per_minute, message=settings.rate_limit_message)
        self._gate = Gate(self.keys, rate, settings.rest_ms, self._faults)
        self._trades = TradeStream(
            self.keys, settings.trade_streams, self._faults, text=settings.trade_frames == "text"
        )
        self._data = DataStream(self.keys, settings.data_streams, self._faults)
        self._updates = UpdateFaults(self._faults, self._trades)
        self.desk.publish.append(self._updates.publish)
        self._minute = whole_minute(now)

    def application(self) -> web.Application:
        """Return the web application with every route."""
        app = web.Application(middlewares=[self._gate.middleware()])
        cuts = {"disconnect_stream": self._trades.cut, "disconnect_data": self._data.cut}
        parts = (
            OrderRoutes(self.desk),
            PositionRoutes(self.desk, self._history),
            AccountRoutes(self.desk),
            ActivityRoutes(self.desk),
            PortfolioRoutes(self.desk),
            ReferenceRoutes(self.desk),
            MarketRoutes(self.desk),
            DataRoutes(self._market, self._history, self._clock),
            WatchlistRoutes(self.desk),
            SurroundingRoutes(self._market, self._history, self._clock),
            ControlRoutes(self.desk, self._market, self._clock, self.spread),
            FaultRoutes(self._faults, self.desk, cuts),
        )
        for part in parts:
            app.add_routes(part.routes())
        app.add_routes([web.get(f"/v2/{feed}", self._data.connect) for feed in FEEDS])
        app.add_routes([web.get("/stream", self._trades.connect), web.get("/health", self._health)])
        closers: tuple[Callable[[], Awaitable[None]], ...] = (self._trades.close, self._data.close)

        async def shut(_app: web.Application) -> None:
            for close in closers:
                await close()

        app.on_shutdown.append(shut)
        return app

    def spread(self, quotes: list[Quote]) -> None:
        """Match against new quotes, then tell them."""
        self.desk.quoted(quotes)
        self._data.publish_quotes(quotes)

    async def play(self) -> None:
        """Keep the market moving until cancelled."""
        while True:
            now = self._clock()
            self.spread(self._market.advance(now))
            if whole_minute(now) > self._minute:
                self._end_minute(now)
            self.desk.each_minute()
            await asyncio.sleep(PULSE_SECONDS)

    def close(self) -> None:
        """Stop the alarm and close the file."""
        self._updates.close()
        self._broker_clock.close()
        self.desk.close()
        self._store.close()

    def _end_minute(self, now: datetime) -> None:
        self._minute = whole_minute(now)
        start = self._minute - MINUTE
        minutes = {symbol: self._history.minute(symbol, start) for symbol in self._market.reels}
        self._data.publish_bars([(s, TimedBar(start, bar)) for s, bar in minutes.items() if bar is not None])
        today = session(new_york_day(now))
        if today is not None and today.open < now:
            days = {symbol: self._history.day(symbol, today, now) for symbol in self._market.reels}
            stamp = midnight(today.day)
            told = [(s, TimedBar(stamp, bar)) for s, bar in days.items() if bar is not None]
            self._data.publish_bars(told, kind="d")

    def _reels(self, settings: Settings, now: datetime) -> dict[str, Reel]:
        """Place every track in time; the tape starts at its first minute with the data folder."""
        kept = self._store.note("tape_anchor")
        anchor = datetime.fromisoformat(kept.decode()) if kept else whole_minute(now)
        if kept is None:
            self._store.keep("tape_anchor", anchor.isoformat().encode())
        pace = Pace(quotes_per_second=float(settings.quotes_per_second), speed=settings.speed, seed=settings.seed)
        return {track.symbol: Reel(track, anchor, settings.speed) for track in tracks(settings.tape, pace)}

    async def _health(self, _request: web.Request) -> web.Response:
        return trading({"status": "ok", "symbols": len(self._market.reels)})


def refuse_unquoted(book: Book, reels: dict[str, Reel]) -> None:
    """Refuse a tape that has no price for something the account holds or works."""
    held = {*book.positions, *(ticket.order.symbol for ticket in book.tickets.values())}
    if missing := sorted(held - reels.keys()):
        raise TapeError(f"the account holds or works {', '.join(missing)}, which this tape does not quote")


def new_account(settings: Settings, now: datetime) -> AccountState:
    """Return a fresh paper account."""
    identity = uuid.uuid4()
    return AccountState(
        id=str(identity),
        account_number=f"PA{identity.hex[:10].upper()}",
        created_at=now,
        cash_usd=settings.cash,
        last_equity_usd=settings.cash,
        equity_day=new_york_day(now),
    )
