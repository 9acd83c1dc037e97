"""The desk: runs the pure broker on real time, stores what changed, then tells everybody."""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import structlog
from msgspec.structs import replace

from services.simulator.core.broker import Broker
from services.simulator.core.events import TradeUpdate
from services.simulator.core.quotes import Quote
from services.simulator.core.sessions import new_york_day
from services.simulator.market import whole_minute
from services.simulator.store import Store

Clock = Callable[[], datetime]

log = structlog.get_logger()

ARRIVALS_KEPT = 20_000


class Desk:
    """Serialises every action on the broker: act, commit, publish, then set the alarm for what is due."""

    def __init__(self, broker: Broker, store: Store, clock: Clock) -> None:
        """Bind the broker to its store and clock; `publish` receives trade updates after the commit."""
        self.broker = broker
        self.store = store
        self.clock = clock
        self.publish: list[Callable[[TradeUpdate], None]] = []
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_due: datetime | None = None
        self._sampled: datetime | None = None
        self.arrivals: deque[tuple[str, int]] = deque(maxlen=ARRIVALS_KEPT)
        """Client order ids with the monotonic nanosecond at which the request's bytes were here."""

    def act[T](self, action: Callable[[Broker, datetime], T]) -> T:
        """Run one action; when it returns, its changes are stored and told."""
        try:
            return action(self.broker, self.clock())
        finally:
            self._settle()

    def quoted(self, quotes: list[Quote]) -> None:
        """Match open orders against new quotes."""
        now = self.clock()
        for symbol in {quote.symbol for quote in quotes}:
            self.broker.lifecycle.quoted(symbol, now)
        self._settle()

    def clock_moved(self) -> None:
        """Plan what is due anew: the clock was set."""
        self._alarm_due = None
        self.act(lambda broker, now: broker.lifecycle.restart(now))

    def each_minute(self) -> None:
        """Sample the equity once a minute, and roll the day over when New York's date changes."""
        now = self.clock()
        minute = whole_minute(now)
        if minute == self._sampled:
            return
        self._sampled = minute
        worth = self.broker.worth()
        account = self.broker.book.account
        if account.equity_day != new_york_day(now):
            self._roll_day(worth.equity, worth.maintenance, now)
        self.store.sample_equity(minute, worth.equity)

    def _roll_day(self, equity: Decimal, maintenance: Decimal, now: datetime) -> None:
        book = self.broker.book
        book.account = replace(
            book.account,
            last_equity_usd=equity,
            last_maintenance_usd=maintenance,
            equity_day=new_york_day(now),
        )
        self.broker.recorder.changes.account = True
        self._settle()

    def _settle(self) -> None:
        changes = self.broker.recorder.take()
        if changes:
            try:
                self.store.save(changes, self.broker.book)
            except Exception as error:
                # memory is now ahead of the file: only a restart brings them together again
                self._fail(error)
                raise
            for update in changes.updates:
                for tell in self.publish:
                    tell(update)
        self._set_alarm()

    def _fail(self, error: Exception) -> None:
        log.critical("store_failed", error=repr(error))
        if not self.failure.done():
            self.failure.set_exception(error)

    def _set_alarm(self) -> None:
        due = self.broker.lifecycle.next_due()
        if due == self._alarm_due:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm, self._alarm_due = None, due
        if due is not None:
            wait = max(0.0, (due - self.clock()).total_seconds())
            self._alarm = asyncio.get_running_loop().call_later(wait, self._ring)

    def _ring(self) -> None:
        self._alarm = self._alarm_due = None
        self.act(lambda broker, now: broker.lifecycle.advance(now))

    def close(self) -> None:
        """Stop the alarm."""
        if self._alarm is not None:
            self._alarm.cancel()
        if not self.failure.done():
            self.failure.cancel()
