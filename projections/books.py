"""Whose shares they are: positions, exposure and pace of each agent and of each strategy. All money is USD.

A fill belongs to whoever stated its order, with two rules that keep the parts equal to the account's whole. Shares
that no book owns (taken over from the broker, bought by the operator) are common: whoever trades against them
uses their own first and the common ones next. What the operator, or an order from outside, closes beyond the common
shares is taken from those who own them, in the order of their names.
"""

from collections.abc import Iterator, Mapping
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
from projections.recent import Recent


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
    messages: Pace = NO_PACE
    """What was approved to go to the broker: orders, changes and cancels, exits among them."""
    recent: Recent = ()

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
    """The books of all agents, or of all strategies, and how many shares they own together; the rest is common."""

    books: Map[str, Book] = Map()
    owned: Map[Symbol, Decimal] = Map()

    def book(self, name: str) -> Book:
        """Give one owner's book, empty when there is none."""
        return self.books.get(name, EMPTY_BOOK)

    def usable(self, name: str, symbol: Symbol, account: SymbolExposure) -> SymbolExposure:
        """Give what an owner may trade against: their own shares, and the common ones when on the same side.

        `account` is the account's position in the symbol; common shares that others' working exits hold are no part.
        """
        own = self.book(name).exposure.of(symbol)
        common = account.position_qty - self.owned.get(symbol, ZERO)
        if own.position_qty * common < 0 or not common:
            return own
        free = max(abs(common) - self._claimed(name, symbol, account, common), ZERO)
        return with_position(own, own.position_qty + (free if common > 0 else -free), own.mark_price)

    def _claimed(self, name: str, symbol: Symbol, account: SymbolExposure, common: Decimal) -> Decimal:
        """Give how many common shares the others' working orders may take, beyond what these own themselves."""
        side, sign = (Side.SELL, 1) if common > 0 else (Side.BUY, -1)
        claimed = account.working_qty(side)
        if not claimed:
            return ZERO
        for owner, book in self.books.items():
            one = book.exposure.of(symbol)
            working = one.working_qty(side)
            claimed -= working if owner == name else min(working, max(one.position_qty * sign, ZERO))
        return max(claimed, ZERO)


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


class Fill(NamedTuple):
    """A fill of a signed quantity in an account that held `held` before it, and what now works less for it."""

    symbol: Symbol
    change: Decimal
    price: Decimal
    held: Decimal
    working: Working | None = None


def after_fill(family: Family, name: str | None, fill: Fill) -> Family:
    """Fold a fill by an owner, or by nobody of this family."""
    for owner, part in _shared_out(family, name, fill):
        position = family.book(owner).positions.get(fill.symbol) or Position(symbol=fill.symbol)
        new = positions.after_fill(position, part, fill.price)
        family = _with_owned(family, owner, new, fill.price, fill.working if owner == name else None)
    return family


def undone(family: Family, name: str | None, symbol: Symbol, change: Decimal, price: Decimal) -> Family:
    """Take a fill back from whoever stated its order."""
    if name is None:
        return family
    position = family.book(name).positions.get(symbol) or Position(symbol=symbol)
    return _with_owned(family, name, positions.undone(position, change, price), ZERO)


def marked(family: Family, prices: Mapping[Symbol, Decimal]) -> Family:
    """Value what every book holds anew."""
    changed = {name: _marked(book, prices) for name, book in family.books.items()}
    return Family(books=family.books.update(changed), owned=family.owned)


def _marked(book: Book, prices: Mapping[Symbol, Decimal]) -> Book:
    exposure, gained = book.exposure, ZERO
    for symbol, position in book.positions.items():
        price = prices.get(symbol)
        if price is None or not position.qty:
            continue
        was = exposure.of(symbol)
        one = with_position(was, position.qty, price)
        gained += position.qty * (one.mark_price - was.mark_price)
        exposure = with_symbol(exposure, symbol, one)
    if exposure is book.exposure:
        return book
    profit = book.profit_usd + gained
    return replace(book, exposure=exposure, profit_usd=profit, peak_usd=max(book.peak_usd, profit))


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


def with_change(family: Family, name: str | None, more_usd: Decimal, at: datetime) -> Family:
    """Count approved new terms: one in the pace, none in the day, and what they make an order worth more."""
    if name is None:
        return family
    book = family.book(name)
    new = replace(book, turnover_usd=book.turnover_usd + more_usd, pace=counted_in(book.pace, at))
    return _put(family, name, new)


def in_day(family: Family) -> Family:
    """Begin a new exchange day in every book; one that holds nothing and did nothing on the day before is let go."""
    kept = {name: _in_day(book) for name, book in family.books.items() if _matters(book)}
    return replace(family, books=Map(kept))


def _matters(book: Book) -> bool:
    """Say whether a book is worth keeping; the last minute's orders count on in its rates over the day's change."""
    held = any(position.qty for position in book.positions.values())
    return held or book.open_orders > 0 or book.submits > 0


def _in_day(book: Book) -> Book:
    return replace(book, opening_usd=book.profit_usd, peak_usd=book.profit_usd, submits=0, turnover_usd=ZERO)


def _with_owned(family: Family, name: str, new: Position, mark_price: Decimal, more: Working | None = None) -> Family:
    """Put an owner's position in, and move the owner's exposure and profit with it."""
    book, symbol = family.book(name), new.symbol
    was, old = book.exposure.of(symbol), book.positions.get(symbol)
    one = with_position(was, new.qty, mark_price)
    if more is not None:
        one = with_working(one, more.side, more.qty, more.notional_usd)
    worth_was = ZERO if old is None else old.cash_usd + old.qty * was.mark_price
    profit = book.profit_usd + new.cash_usd + new.qty * one.mark_price - worth_was
    book = replace(
        book,
        positions=book.positions.set(symbol, new),
        exposure=with_symbol(book.exposure, symbol, one),
        open_orders=book.open_orders + (0 if more is None else more.orders),
        profit_usd=profit,
        peak_usd=max(book.peak_usd, profit),
    )
    owned = family.owned
    if new.qty != was.position_qty:
        owned = owned.set(symbol, owned.get(symbol, ZERO) + new.qty - was.position_qty)
    return Family(books=family.books.set(name, book), owned=owned)


def _shared_out(family: Family, name: str | None, fill: Fill) -> tuple[tuple[str, Decimal], ...]:
    """Say whose position a fill moves, and by how much; what is left over moves the common shares."""
    symbol, change = fill.symbol, fill.change
    if name is None:
        left = change - _against(fill.held - family.owned.get(symbol, ZERO), change)
        return tuple(_taken_by_name(family, symbol, left)) if left and family.owned.get(symbol) else ()
    left = change - _against(family.book(name).exposure.of(symbol).position_qty, change)
    common_part = _against(fill.held - family.owned.get(symbol, ZERO), left) if left else ZERO
    return ((name, change - common_part),)


def _taken_by_name(family: Family, symbol: Symbol, left: Decimal) -> Iterator[tuple[str, Decimal]]:
    for owner in sorted(family.books):
        taken = _against(family.books[owner].exposure.of(symbol).position_qty, left)
        if taken:
            yield owner, taken
            left -= taken


def _against(held: Decimal, change: Decimal) -> Decimal:
    """Give the part of a signed change that closes what is held."""
    if held * change >= 0:
        return ZERO
    return change if abs(change) <= abs(held) else -held
