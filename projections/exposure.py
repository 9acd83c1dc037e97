"""Worst-case exposure: positions plus everything that may still fill, at the worst plausible price. All USD.

Per symbol, `long` is what is held or could come to be held if every buy filled and no sell did, `short` the
mirror image; exposure is the larger. The account's totals are kept beside the symbols, so that one decision
costs the same with ten open orders as with ten thousand.
"""

from decimal import Decimal

import msgspec
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

    def working_qty(self, side: Side) -> Decimal:
        """Give how many shares work on one side."""
        return self.sell_qty if side is Side.SELL else self.buy_qty

    def reducible_qty(self, side: Side) -> Decimal:
        """Give how many shares an order on this side may have and still strictly reduce the position."""
        if side is Side.SELL:
            return max(self.position_qty - self.sell_qty, ZERO)
        return max(-self.position_qty - self.buy_qty, ZERO)


class Worst(msgspec.Struct, frozen=True, gc=False):
    """The worst case of one symbol: on each side alone, and as it adds to the account's net on each side."""

    long_usd: Decimal
    short_usd: Decimal
    net_long_usd: Decimal
    net_short_usd: Decimal

    @property
    def exposure_usd(self) -> Decimal:
        """Give the larger of both sides."""
        return max(self.long_usd, self.short_usd)

    def side_usd(self, side: Side) -> Decimal:
        """Give the side that an order makes larger; the other one cannot break a limit through it."""
        return self.long_usd if side is Side.BUY else self.short_usd


def worst(one: SymbolExposure) -> Worst:
    """Work one symbol's worst case out.

    A side alone: buys that only cover a short, and sells that only reduce a long, add nothing; once the working
    quantity goes beyond the position, all of it counts. Net: the position at its signed value with everything
    working on that side, also what covers, because a covered short no longer stands against other symbols' longs.
    """
    qty, buys_usd, sells_usd = one.position_qty, one.buy_notional_usd, one.sell_notional_usd
    if not qty:
        return Worst(buys_usd, sells_usd, buys_usd, sells_usd)
    value_usd = qty * one.mark_price
    net_long_usd, net_short_usd = buys_usd + value_usd, sells_usd - value_usd
    if qty > 0:
        return Worst(net_long_usd, sells_usd if one.sell_qty > qty else ZERO, net_long_usd, net_short_usd)
    return Worst(buys_usd if one.buy_qty > -qty else ZERO, net_short_usd, net_long_usd, net_short_usd)


class Totals(Value, frozen=True, kw_only=True):
    """The account's exposure summed over symbols."""

    gross_usd: Decimal = ZERO
    long_usd: Decimal = ZERO
    short_usd: Decimal = ZERO

    @property
    def net_usd(self) -> Decimal:
        """Give the worst net amount, long or short, that could stand if one side filled whole and the other not."""
        return max(self.long_usd, self.short_usd, ZERO)

    def net_side_usd(self, side: Side) -> Decimal:
        """Give the net amount on the side that an order makes larger."""
        return self.long_usd if side is Side.BUY else self.short_usd


def moved(totals: Totals, old: Worst, new: Worst) -> Totals:
    """Move the totals by what one symbol's change makes of its worst case."""
    return Totals(
        gross_usd=totals.gross_usd + new.exposure_usd - old.exposure_usd,
        long_usd=totals.long_usd + new.net_long_usd - old.net_long_usd,
        short_usd=totals.short_usd + new.net_short_usd - old.net_short_usd,
    )


NO_EXPOSURE = SymbolExposure()
_NO_WORST = worst(NO_EXPOSURE)


class Exposure(Value, frozen=True, kw_only=True):
    """The account's exposure: by symbol, and as totals."""

    symbols: Map[Symbol, SymbolExposure] = Map()
    totals: Totals = Totals()

    def of(self, symbol: Symbol) -> SymbolExposure:
        """Give one symbol's exposure, empty when there is none."""
        return self.symbols.get(symbol, NO_EXPOSURE)


def with_symbol(exposure: Exposure, symbol: Symbol, new: SymbolExposure) -> Exposure:
    """Put one symbol's new exposure in, and move the totals with it."""
    old = exposure.symbols.get(symbol)
    totals = moved(exposure.totals, _NO_WORST if old is None else worst(old), worst(new))
    return Exposure(symbols=exposure.symbols.set(symbol, new), totals=totals)


def with_working(one: SymbolExposure, side: Side, qty: Decimal, notional_usd: Decimal) -> SymbolExposure:
    """Add (or with negative amounts take away) working shares on one side, with their worst-case value."""
    if not qty and not notional_usd:
        return one
    if side is Side.BUY:
        return replace(one, buy_qty=one.buy_qty + qty, buy_notional_usd=one.buy_notional_usd + notional_usd)
    return replace(one, sell_qty=one.sell_qty + qty, sell_notional_usd=one.sell_notional_usd + notional_usd)


def with_position(one: SymbolExposure, qty: Decimal, mark_price: Decimal) -> SymbolExposure:
    """Set the position and the price it is valued at; a price that is none leaves the last one standing."""
    usable = mark_price.is_finite() and mark_price > 0
    return replace(one, position_qty=qty, mark_price=mark_price if usable else one.mark_price)
