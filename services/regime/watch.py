"""Watches the symbols: passes market data on, folds it, and records every change of regime, once."""

from collections.abc import Sequence
from typing import Any

from contracts.enums import Regime
from contracts.ids import Symbol
from contracts.market import MarketMessage, Quote, SymbolStatus, is_decisive
from contracts.subjects import MARKET_WIDE
from contracts.thresholds import DEFAULTS, Thresholds
from services.regime import decider, market_wide
from services.regime.decider import Condition
from services.regime.publications import Publications
from services.runtime.ports import Clock
from services.runtime.telemetry import get_logger


class Watch:
    """The symbols under watch, and the market they make up."""

    def __init__(
        self,
        symbols: Sequence[Symbol],
        publications: Publications,
        clock: Clock,
        thresholds: Thresholds = DEFAULTS,
    ) -> None:
        """Begin to watch; nothing is known yet."""
        now = clock.now()
        self.conditions = {symbol: Condition(symbol=symbol, watched_since=now) for symbol in symbols}
        self.market: Regime | None = None
        self._publications = publications
        self._clock = clock
        self._thresholds = thresholds
        self._newest_quote: Quote | None = None
        self._published = 0
        self._dropped = 0
        self._log = get_logger("regime")

    async def restore(self) -> None:
        """Take up the regimes on record, so that a restart records no change that is none."""
        for symbol, condition in self.conditions.items():
            last = await self._publications.last_change(symbol)
            if last is not None:
                self.conditions[symbol] = decider.evolve(condition, last, last.at)
        last = await self._publications.last_change(MARKET_WIDE)
        self.market = None if last is None else last.regime

    async def hear(self, message: MarketMessage) -> None:
        """Pass one quote, bar or halt on, and record the change of regime that it brings."""
        condition = self.conditions.get(message.symbol)
        if condition is None or (isinstance(message, Quote) and decider.is_outdated(condition, message)):
            return
        self._pass_on(message)
        now = self._clock.now()
        self.conditions[message.symbol] = decider.evolve(condition, message, now, self._thresholds)
        await self._judge(message.symbol)

    async def tick(self) -> None:
        """Look at every symbol again, because quotes grow old without a word."""
        for symbol in self.conditions:
            await self._judge(symbol)

    def facts(self) -> dict[str, Any]:
        """Give what health shows: counts, the age of the newest quote in ms, and the regimes."""
        newest = self._newest_quote
        age_ms = None if newest is None else round((self._clock.now() - newest.at).total_seconds() * 1000)
        regimes = {symbol: condition.regime for symbol, condition in self.conditions.items()}
        return {
            "symbols": len(self.conditions),
            "last_quote_age_ms": age_ms,
            "published": self._published,
            "dropped": self._dropped,
            "market": self.market,
            "regimes": regimes,
        }

    def _pass_on(self, message: MarketMessage) -> None:
        if isinstance(message, Quote) and (self._newest_quote is None or message.at >= self._newest_quote.at):
            self._newest_quote = message
        if isinstance(message, SymbolStatus) and not is_decisive(message):
            return  # whoever asks for the last status wants to know whether the symbol is halted
        if self._publications.is_open():
            self._publications.publish(message)
            self._published += 1
        else:
            self._dropped += 1  # kept for later it would only be an old quote

    async def _judge(self, symbol: Symbol) -> None:
        if not self._publications.is_open():
            return  # a change that cannot be recorded now is found again by a later tick
        now = self._clock.now()
        change = decider.decide(self.conditions[symbol], now, self._thresholds)
        if change is None:
            return
        await self._publications.record(change)
        self.conditions[symbol] = decider.evolve(self.conditions[symbol], change, now, self._thresholds)
        self._log.info("regime", symbol=symbol, regime=change.regime, was=change.previous, reasons=change.reasons)
        await self._judge_market()

    async def _judge_market(self) -> None:
        known = (c.regime for c in self.conditions.values() if c.regime is not None)
        change = market_wide.decide(known, self.market, self._clock.now())
        if change is not None:
            await self._publications.record(change)
            self.market = change.regime
            self._log.info("regime", symbol=change.symbol, regime=change.regime, reasons=change.reasons)
