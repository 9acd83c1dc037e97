"""Keeps what is usual for every symbol up to date, and publishes it whenever it changes."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import date

from contracts.ids import Symbol
from contracts.market import Bar
from services.regime import usual
from services.regime.bars import days_before, newest_minutes
from services.regime.data_rest import DataRest, NoDataError
from services.regime.feed_wire import MINUTE
from services.regime.publications import Publications
from services.regime.usual import Usual
from services.runtime.ports import Clock
from services.runtime.telemetry import get_logger

REFRESH_EVERY_MS = 300_000
RETRY_AFTER_MS = 15_000


class Almanac:
    """What is usual for the symbols under watch: days from REST now and then, minutes as they come."""

    def __init__(self, symbols: Sequence[Symbol], publications: Publications, clock: Clock, source: str) -> None:
        """Begin without a bar."""
        self.known = {symbol: Usual(symbol=symbol) for symbol in symbols}
        self._publications = publications
        self._clock = clock
        self._source = source
        self._unpublished: set[Symbol] = set()
        self._was_open = False
        self._days_until: date | None = None
        self._log = get_logger("regime")

    async def keep_fresh(self, rest: DataRest, feed: str | None, first_wait_ms: int) -> None:
        """Ask for newest minutes for ever, and on a new day for the days before it; sooner when no answer came."""
        wait_ms = first_wait_ms
        while True:
            await asyncio.sleep(wait_ms / 1000)
            wait_ms = await self.refresh(rest, feed)

    async def refresh(self, rest: DataRest, feed: str | None) -> int:
        """Ask for newest minutes, and once a day for days; give the milliseconds after which to ask again."""
        symbols, today = tuple(self.known), self._clock.trading_day(self._clock.now())
        try:
            if self._days_until != today:
                self.take(await days_before(rest, symbols, today, self._source))
                self._days_until = today
            for bar in await newest_minutes(rest, symbols, self._source, feed):
                self.hear(bar)
        except NoDataError as error:
            self._log.warning("no bars to tell what is usual", error=str(error))
            return RETRY_AFTER_MS
        return REFRESH_EVERY_MS

    def take(self, days: Iterable[Bar]) -> None:
        """Take the daily bars before today, oldest first."""
        by_symbol: dict[Symbol, list[Bar]] = {symbol: [] for symbol in self.known}
        for bar in days:
            if bar.symbol in by_symbol:
                by_symbol[bar.symbol].append(bar)
        for symbol, listed in by_symbol.items():
            self._put(usual.with_days(self.known[symbol], listed))

    def hear(self, bar: Bar) -> None:
        """Take a minute bar as it comes; of longer ones only those that were asked for count."""
        known = self.known.get(bar.symbol)
        if known is not None and bar.timeframe == MINUTE:
            self._put(usual.with_last(known, bar))

    def tick(self) -> None:
        """Publish what could not be published before, and everything once the link is back."""
        is_open = self._publications.is_open()
        if is_open and not self._was_open:
            self._unpublished |= set(self.known)
        self._was_open = is_open
        if is_open and self._unpublished:
            waiting, self._unpublished = self._unpublished, set()
            for symbol in sorted(waiting):
                self._publish(symbol)

    def _put(self, new: Usual) -> None:
        if new == self.known[new.symbol]:
            return
        self.known[new.symbol] = new
        if self._publications.is_open():
            self._publish(new.symbol)
        else:
            self._unpublished.add(new.symbol)

    def _publish(self, symbol: Symbol) -> None:
        told = usual.stats(self.known[symbol], self._clock.now(), self._source)
        if told is not None:
            self._publications.publish(told)
