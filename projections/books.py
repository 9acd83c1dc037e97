"""Whose shares they are: positions, exposure and pace of each agent and of each strategy. All money is USD.

A fill belongs to whoever stated its order, with two rules that keep the parts equal to the account's whole. Shares
that nobody stated (taken over from the broker, bought by the operator) are common: whoever trades against them
uses their own first and the common ones next. What the operator, or an order from outside, closes beyond the common
shares is taken from those who hold them, in the order of their names.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from immutables import Map
from msgspec.structs import replace

from contracts.base import Value
from contracts.enums import Side
from contracts.ids import Symbol
from contracts.values import ZERO
from projections import positions
from projections.exposure import Exposure, SymbolExposure, with_position, with_symbol, with_working
from projections.pace import NO_PACE, Pace
from projections.pace import with_order as counted_in
from projections.positions import Position


class Book(Value, frozen=True, kw_only=True):
    """One owner's part of the account; `profit_usd` is realised and unrealised, at the marks last seen.

    `opening_usd` is the profit with which the exchange day began, `peak_usd` the highest since; `submits` and
    `turnover_usd` are the day's, too.
    """

    positions: Map[Symbol, Position] = Map()
    exposure: Exposure = Exposure()
    open_orders: int = 0
    profit_usd: Decimal = ZERO
    opening_usd: Decimal = ZERO
    peak_usd: Decimal = ZERO
    submits: int = 0
    turnover_usd: Decimal = ZERO
    pace: Pace = NO_PACE

    @property
    def day_loss_usd(self) -> Decimal:
        """Give how far the owner's profit stands below where the day began (negative: above)."""
        return self.opening_usd - self.profit_usd

    @property
    def drawdown_usd(self) -> Decimal:
        """Give how far the owner's profit stands below its highest of the day."""
        return self.peak_usd - self.profit_usd


EMPTY_BOOK = Book()


class Family(Value, frozen=True, kw_only=True):
    """The books of all agents, or of all strategies, and the shares that belong to none of them."""

    books: Map[str, Book] = Map()
    common: Map[Symbol, Decimal] = Map()

    def book(self, name: str) -> Book:
        """Give one owner's book, empty when there is none."""
        return self.books.get(name, EMPTY_BOOK)

    def usable(self, name: str, symbol: Symbol) -> SymbolExposure:
        """Give what an owner may trade against: their own shares, and the common ones when on the same side."""
        own = self.book(name).exposure.of(symbol)
        common = self.common.get(symbol, ZERO)
        if own.position_qty * common < 0 or not common:
            return own
        return with_position(own, own.position_qty + common, own.mark_price)


NO_BOOKS = Family()


class Working(NamedTuple):
    """What an order's change adds to what works: shares, their worst value, open orders."""

    symbol: Symbol
    side: Side
    qty: Decimal
    notional_usd: Decimal
    orders: int


def _put(family: Family, name: str, book: Book) -> Family:
    return replace(family, books=family.books.set(name, book))


def with_order(family: Family, name: str, more: Working) -> Family:
    """Count a change of what works for one owner."""
    book = family.book(name)
    if not more.qty and not more.notional_usd:
        if not more.orders:
            return family
        return _put(family, name, replace(book, open_orders=book.open_orders + more.orders))
    one = with_working(book.exposure.of(more.symbol), more.side, more.qty, more.notional_usd)
    exposure = with_symbol(book.exposure, more.symbol, one)
    return _put(family, name, replace(book, exposure=exposure, open_orders=book.open_orders + more.orders))


def after_fill(family: Family, name: str | None, symbol: Symbol, change: Decimal, price: Decimal) -> Family:
    """Fold a fill of a signed quantity by an owner, or by nobody of this family."""
    for owner, part in tuple(_shared_out(family, name, symbol, change)):
        if owner is None:
            family = with_common(family, symbol, part)
        else:
            position = family.book(owner).positions.get(symbol) or Position(symbol=symbol)
            family = _with_owned(family, owner, positions.after_fill(position, part, price), price)
    return family


def undone(family: Family, name: str | None, symbol: Symbol, change: Decimal, price: Decimal) -> Family:
    """Take a fill back from whoever stated its order."""
    if name is None:
        return with_common(family, symbol, -change)
    position = family.book(name).positions.get(symbol) or Position(symbol=symbol)
    return _with_owned(family, name, positions.undone(position, change, price), ZERO)


def with_common(family: Family, symbol: Symbol, change: Decimal) -> Family:
    """Move the shares that belong to nobody of this family."""
    left = family.common.get(symbol, ZERO) + change
    if left:
        return replace(family, common=family.common.set(symbol, left))
    return replace(family, common=family.common.delete(symbol)) if symbol in family.common else family


def marked(family: Family, symbol: Symbol, price: Decimal) -> Family:
    """Value a symbol anew in every book that holds it."""
    for name in sorted(family.books):
        position = family.books[name].positions.get(symbol)
        if position is not None and position.qty:
            family = _with_owned(family, name, position, price)
    return family


def with_submit(family: Family, name: str | None, spent_usd: Decimal, at: datetime) -> Family:
    """Count one approved order that takes new risk, at its worst value."""
    if name is None:
        return family
    book = family.book(name)
    new = replace(
        book,
        submits=book.submits + 1,
        turnover_usd=book.turnover_usd + spent_usd,
        pace=counted_in(book.pace, at),
    )
    return _put(family, name, new)


def in_day(family: Family) -> Family:
    """Begin a new exchange day in every book; one that holds nothing and has nothing working is let go."""
    kept = {name: _in_day(book) for name, book in family.books.items() if book.open_orders or _holds(book)}
    return replace(family, books=Map(kept))


def _holds(book: Book) -> bool:
    return any(position.qty for position in book.positions.values())


def _in_day(book: Book) -> Book:
    return replace(book, opening_usd=book.profit_usd, peak_usd=book.profit_usd, submits=0, turnover_usd=ZERO)


def _with_owned(family: Family, name: str, new: Position, mark_price: Decimal) -> Family:
    """Put an owner's position in, and move the owner's exposure and profit with it."""
    book = family.book(name)
    was, old = book.exposure.of(new.symbol), book.positions.get(new.symbol)
    one = with_position(was, new.qty, mark_price)
    worth_was = ZERO if old is None else old.cash_usd + old.qty * was.mark_price
    profit = book.profit_usd + new.cash_usd + new.qty * one.mark_price - worth_was
    book = replace(
        book,
        positions=book.positions.set(new.symbol, new),
        exposure=with_symbol(book.exposure, new.symbol, one),
        profit_usd=profit,
        peak_usd=max(book.peak_usd, profit),
    )
    return _put(family, name, book)


def _shared_out(
    family: Family, name: str | None, symbol: Symbol, change: Decimal
) -> Iterator[tuple[str | None, Decimal]]:
    """Say whose position a fill moves, and by how much; the parts come to the whole."""
    left = change
    if name is not None:
        part = _against(family.book(name).exposure.of(symbol).position_qty, left)
        left -= part
        if not left:
            yield name, part
            return
        common_part = _against(family.common.get(symbol, ZERO), left)
        if common_part:
            yield None, common_part
        yield name, change - common_part
        return
    part = _against(family.common.get(symbol, ZERO), left)
    left -= part
    for owner in sorted(family.books) if left else ():
        taken = _against(family.books[owner].exposure.of(symbol).position_qty, left)
        if taken:
            yield owner, taken
            left -= taken
    yield None, part + left


def _against(held: Decimal, change: Decimal) -> Decimal:
    """Give the part of a signed change that closes what is held."""
    if held * change >= 0:
        return ZERO
    return change if abs(change) <= abs(held) else -held
