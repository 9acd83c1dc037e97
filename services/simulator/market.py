"""The live market: the newest quote of every symbol, from the tape or pinned by hand."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import cycle

import msgspec

from services.simulator.core.numbers import CENT, cents
from services.simulator.core.quotes import Quote
from services.simulator.core.sessions import MarketHours
from services.simulator.tape.forms import Bar, Tick, merged
from services.simulator.tape.reel import Reel

MINUTE = timedelta(minutes=1)
MOST_CATCH_UP_TICKS = 4
MOST_TOUCHED_MINUTES = 10_000


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """A quote set by hand; unless silent it is repeated with fresh times, as often as the tape ticks."""

    quote: Quote
    silent: bool = False


def dollars(price_cents: int) -> Decimal:
    """Return cents as dollars."""
    return price_cents * CENT


def whole_minute(moment: datetime) -> datetime:
    """Return the start of the minute a moment lies in."""
    return moment.replace(second=0, microsecond=0)


def quote_of(symbol: str, tick: Tick, time: datetime) -> Quote:
    """Return a tape tick as a quote of a time."""
    return Quote(
        symbol=symbol,
        bid=dollars(tick.bid),
        ask=dollars(tick.ask),
        bid_size=tick.bid_size,
        ask_size=tick.ask_size,
        last=dollars(tick.last),
        last_size=tick.last_size,
        time=time,
    )


class Market:
    """Plays the reels; time comes in as an argument."""

    def __init__(self, reels: dict[str, Reel], hours: MarketHours, now: datetime) -> None:
        """Start with the quote every reel shows now."""
        self.reels = reels
        self.hours = hours
        self.pins: dict[str, Pin] = {}
        self.frozen: set[str] = set()
        self.touched: dict[tuple[str, datetime], Bar] = {}
        self._rota = cycle(reels.values())
        self._places = {symbol: reel.newest(now) for symbol, reel in reels.items()}
        self._quotes = {symbol: self._tape_quote(symbol) for symbol in reels}

    def quote(self, symbol: str) -> Quote | None:
        """Return the newest quote of a symbol, or None when it has no reel."""
        return self._quotes.get(symbol)

    def quotes(self) -> Iterable[Quote]:
        """Return the newest quote of every symbol."""
        return self._quotes.values()

    def advance(self, now: datetime) -> list[Quote]:
        """Play the reels up to now and return the new quotes, each symbol's in order of time."""
        if not self.hours.is_tradable(now, extended=True):
            return []
        self._look_ahead(now)
        fresh: list[Quote] = []
        for symbol, reel in self.reels.items():
            target = reel.newest(now)
            if target > self._places[symbol]:
                fresh += self._played(reel, target, now)
        return fresh

    def _look_ahead(self, now: datetime) -> None:
        """Prepare the next minute of one symbol after the other, so that no minute starts with a stall."""
        reel = next(self._rota)
        reel.ticks_at(reel.reel_minute(now) + 1)

    def pin(self, quote: Quote, *, silent: bool) -> None:
        """Hold a symbol at a quote until it is released."""
        self.pins[quote.symbol] = Pin(quote=quote, silent=silent)
        self._show(quote, touched=True)

    def release(self, symbols: Iterable[str]) -> None:
        """Let the tape quote these symbols again."""
        for symbol in symbols:
            self.pins.pop(symbol, None)

    def freeze(self, symbols: Iterable[str]) -> None:
        """Stop quoting these symbols: their quotes grow stale."""
        self.frozen |= set(symbols) & self.reels.keys()

    def resume(self, symbols: Iterable[str]) -> None:
        """Quote these symbols again, from where the tape is by then."""
        self.frozen -= set(symbols)

    def _played(self, reel: Reel, target: tuple[int, int], now: datetime) -> list[Quote]:
        symbol, place = reel.symbol, self._places[reel.symbol]
        self._places[symbol] = target
        pin = self.pins.get(symbol)
        if symbol in self.frozen or (pin is not None and pin.silent):
            return []
        if pin is not None:
            return [self._show(msgspec.structs.replace(pin.quote, time=now), touched=True)]
        minute, index = target
        first = place[1] + 1 if place[0] == minute else max(0, index - MOST_CATCH_UP_TICKS + 1)
        ticks = reel.ticks_at(minute)[max(first, index - MOST_CATCH_UP_TICKS + 1) : index + 1]
        quotes = [quote_of(symbol, tick, reel.time_of(minute, tick)) for tick in ticks]
        return [self._show(quote, touched=False) for quote in quotes]

    def _show(self, quote: Quote, *, touched: bool) -> Quote:
        self._quotes[quote.symbol] = quote
        minute = (quote.symbol, whole_minute(quote.time))
        if touched or minute in self.touched:
            self._touch(minute, int(cents(quote.last) / CENT), quote.last_size)
        return quote

    def _touch(self, minute: tuple[str, datetime], price: int, size: int) -> None:
        """Keep the true bar of a minute in which a price was set by hand."""
        bar = Bar(price, price, price, price, size)
        old = self.touched.pop(minute, None)
        self.touched[minute] = merged([old, bar]) if old else bar
        while len(self.touched) > MOST_TOUCHED_MINUTES:
            del self.touched[next(iter(self.touched))]

    def _tape_quote(self, symbol: str) -> Quote:
        reel, (minute, index) = self.reels[symbol], self._places[symbol]
        tick = reel.ticks_at(minute)[index]
        return quote_of(symbol, tick, reel.time_of(minute, tick))
