"""Worst-case exposure: positions plus everything that may still fill, at the worst plausible price. All USD.

Per symbol, `long` is what is held or could come to be held if every buy filled and no sell did, `short` the
mirror image; exposure is the larger. The account's totals are kept beside the symbols, so that one decision
costs the same with ten open orders as with ten thousand.
"""

from decimal import Decimal

from immutables import Map
from msgspec.structs import replace

from contracts.base import Value
from contracts.enums import Side
from contracts.ids import Symbol
from contracts.values import ZERO


class SymbolExposure(Value, frozen=True, kw_only=True):
    """One symbol's position, mark, and working quantities with their worst-case value."""

    position_qty: Decimal = ZERO
    mark_price: Decimal = ZERO
    buy_qty: Decimal = ZERO
    buy_notional_usd: Decimal = ZERO
    sell_qty: Decimal = ZERO
    sell_notional_usd: Decimal = ZERO

    @property
    def value_usd(self) -> Decimal:
        """Give the position's signed market value."""
        return self.position_qty * self.mark_price

    @property
    def long_usd(self) -> Decimal:
        """Give the worst case on the long side; buys that only cover a short add nothing."""
        if self.position_qty >= 0:
            return self.value_usd + self.buy_notional_usd
        return self.buy_notional_usd if self.buy_qty > -self.position_qty else ZERO

    @property
    def short_usd(self) -> Decimal:
        """Give the worst case on the short side as a positive amount; sells that only reduce a long add nothing."""
        if self.position_qty <= 0:
            return self.sell_notional_usd - self.value_usd
        return self.sell_notional_usd if self.sell_qty > self.position_qty else ZERO

    @property
    def exposure_usd(self) -> Decimal:
        """Give the larger of both sides."""
        return max(self.long_usd, self.short_usd)

    def reducible_qty(self, side: Side) -> Decimal:
        """Give how many shares an order on this side may have and still strictly reduce the position."""
        if side is Side.SELL:
            return max(self.position_qty - self.sell_qty, ZERO)
        return max(-self.position_qty - self.buy_qty, ZERO)


NO_EXPOSURE = SymbolExposure()


class Exposure(Value, frozen=True, kw_only=True):
    """The account's exposure: by symbol, and as totals."""

    symbols: Map[Symbol, SymbolExposure] = Map()
    gross_usd: Decimal = ZERO
    long_usd: Decimal = ZERO
    short_usd: Decimal = ZERO

    @property
    def net_usd(self) -> Decimal:
        """Give the worst net amount, long or short, that could stand if one side filled whole and the other not."""
        return max(self.long_usd, self.short_usd, ZERO)

    def of(self, symbol: Symbol) -> SymbolExposure:
        """Give one symbol's exposure, empty when there is none."""
        return self.symbols.get(symbol, NO_EXPOSURE)


def _long_total(one: SymbolExposure) -> Decimal:
    return one.long_usd if one.position_qty >= 0 else one.long_usd + one.value_usd


def _short_total(one: SymbolExposure) -> Decimal:
    return one.short_usd if one.position_qty <= 0 else one.short_usd - one.value_usd


def with_symbol(exposure: Exposure, symbol: Symbol, new: SymbolExposure) -> Exposure:
    """Put one symbol's new exposure in, and move the totals by the difference.

    Net long counts every position at its signed value plus the buys that open; net short is its mirror image.
    """
    old = exposure.of(symbol)
    gone = not (new.position_qty or new.buy_qty or new.sell_qty)
    known = symbol in exposure.symbols
    symbols = exposure.symbols.set(symbol, new) if not gone or known else exposure.symbols
    return Exposure(
        symbols=symbols,
        gross_usd=exposure.gross_usd + new.exposure_usd - old.exposure_usd,
        long_usd=exposure.long_usd + _long_total(new) - _long_total(old),
        short_usd=exposure.short_usd + _short_total(new) - _short_total(old),
    )


def with_working(one: SymbolExposure, side: Side, qty: Decimal, notional_usd: Decimal) -> SymbolExposure:
    """Add (or with negative amounts take away) working shares on one side, with their worst-case value."""
    if side is Side.BUY:
        return replace(one, buy_qty=one.buy_qty + qty, buy_notional_usd=one.buy_notional_usd + notional_usd)
    return replace(one, sell_qty=one.sell_qty + qty, sell_notional_usd=one.sell_notional_usd + notional_usd)


def with_position(one: SymbolExposure, qty: Decimal, mark_price: Decimal) -> SymbolExposure:
    """Set the position and the price it is valued at."""
    return replace(one, position_qty=qty, mark_price=mark_price)
