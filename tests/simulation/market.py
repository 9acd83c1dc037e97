"""The simulated market: a few symbols that wander, jump, and fall silent."""

from decimal import Decimal

from contracts import codec, subjects
from contracts.ids import Symbol
from contracts.market import Quote
from tests.simulation.chance import CENT, Chance
from tests.simulation.server import Server
from tests.simulation.venue import Venue
from tests.simulation.venue_order import Quoted

OPENING = {Symbol("AAPL"): Decimal(100), Symbol("MSFT"): Decimal(60), Symbol("SPY"): Decimal(150)}
HALF_SPREAD = Decimal("0.02")


class Market:
    """Moves the venue's quotes and publishes them as the market data process does."""

    def __init__(self, server: Server, venue: Venue, chance: Chance) -> None:
        self.still = False
        self._server = server
        self._venue = venue
        self._chance = chance
        self._mids = dict(OPENING)
        self._silent_until: dict[Symbol, float] = {}
        self._seq = 0

    def open(self) -> None:
        """Give every symbol its first quote and let it wander."""
        for symbol in self._mids:
            self._step(symbol)

    def jump(self, symbol: Symbol, part: Decimal) -> None:
        self._mids[symbol] *= 1 + part
        self._publish(symbol)

    def silence(self, symbol: Symbol, seconds: float) -> None:
        self._silent_until[symbol] = self._server.loop.time() + seconds

    def _step(self, symbol: Symbol) -> None:
        if not self.still:
            self._mids[symbol] *= 1 + Decimal(self._chance.whole(-12, 12)) / 10_000
        if self._silent_until.get(symbol, 0.0) <= self._server.loop.time():
            self._publish(symbol)
        self._server.loop.at(self._server.loop.time() + self._chance.between(0.3, 2.5), self._step, symbol)

    def _publish(self, symbol: Symbol) -> None:
        mid = self._mids[symbol].quantize(CENT)
        quoted = Quoted(mid - HALF_SPREAD, mid + HALF_SPREAD)
        self._seq += 1
        quote = Quote(
            symbol=symbol,
            bid_price=quoted.bid,
            ask_price=quoted.ask,
            bid_size=Decimal(100),
            ask_size=Decimal(100),
            at=self._server.clock.now(),
            seq=self._seq,
            source="simulated",
        )
        self._server.publish(subjects.quote(symbol), codec.encode(quote))
        self._venue.quote(symbol, quoted)
