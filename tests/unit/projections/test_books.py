"""Books of agents and strategies: parts of one whole, whoever trades."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from contracts.enums import Side
from contracts.ids import Symbol
from contracts.values import ZERO
from projections import books
from projections.books import NO_BOOKS, Book, Family, Fill, Working
from projections.exposure import SymbolExposure

AAPL = Symbol("AAPL")
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
NAMES = st.sampled_from([None, "ada", "bob"])
FILLS = st.lists(st.tuples(NAMES, st.integers(-20, 20).filter(bool), st.integers(90, 110)), max_size=30)


class Account(NamedTuple):
    """A family of books, and the position that the account has."""

    family: Family = NO_BOOKS
    qty: Decimal = ZERO

    def filled(self, name: str | None, qty: int, price: int = 100) -> "Account":
        fill = Fill(AAPL, Decimal(qty), Decimal(price), self.qty)
        return Account(books.after_fill(self.family, name, fill), self.qty + qty)

    def held(self, name: str) -> Decimal:
        return self.family.book(name).exposure.of(AAPL).position_qty

    @property
    def common(self) -> Decimal:
        return self.qty - self.family.owned.get(AAPL, ZERO)


@given(FILLS)
def test_what_is_owned_is_what_the_books_hold(fills: list[tuple[str | None, int, int]]) -> None:
    account = Account()
    for name, qty, price in fills:
        account = account.filled(name, qty, price)
        owned = sum((account.held(owner) for owner in account.family.books), ZERO)
        assert owned == account.family.owned.get(AAPL, ZERO)


@given(FILLS)
def test_what_is_common_is_moved_only_by_what_must(fills: list[tuple[str | None, int, int]]) -> None:
    """The same, told by a naive ledger of shares."""
    account, own, common = Account(), {"ada": 0, "bob": 0}, 0
    for name, qty, price in fills:
        account = account.filled(name, qty, price)
        for _ in range(abs(qty)):
            step = 1 if qty > 0 else -1
            if name is not None and (own[name] * step < 0 or common * step >= 0):
                own[name] += step
            elif name is None and common * step >= 0 and any(held * step < 0 for held in own.values()):
                own[next(owner for owner in sorted(own) if own[owner] * step < 0)] += step
            else:
                common += step
        assert (account.held("ada"), account.held("bob"), account.common) == (own["ada"], own["bob"], common)


@given(FILLS)
def test_profit_is_cash_and_what_the_shares_are_worth(fills: list[tuple[str | None, int, int]]) -> None:
    account = Account()
    for name, qty, price in fills:
        account = account.filled(name, qty, price)
    for book in account.family.books.values():
        worth = sum(
            one.cash_usd + one.qty * book.exposure.of(symbol).mark_price for symbol, one in book.positions.items()
        )
        assert book.profit_usd == worth
        assert book.peak_usd >= book.profit_usd


def test_an_agent_uses_its_own_shares_first_and_the_common_ones_next() -> None:
    account = Account().filled(None, 10).filled("ada", 5).filled("ada", -12)
    assert (account.held("ada"), account.common) == (0, 3)


def test_what_the_operator_closes_is_taken_from_the_common_shares_and_then_by_name() -> None:
    account = Account().filled("bob", 5).filled("ada", 5).filled(None, 2).filled(None, -9)
    assert (account.held("ada"), account.held("bob"), account.common) == (0, 3, 0)


def test_nobody_uses_what_another_agent_owns() -> None:
    family, qty = Account().filled("ada", 5).filled(None, 2)
    assert family.usable("bob", AAPL, SymbolExposure(position_qty=qty)).position_qty == 2
    assert family.usable("ada", AAPL, SymbolExposure(position_qty=qty)).position_qty == 7


def test_a_fill_that_is_undone_leaves_no_trace() -> None:
    more = Account().filled("ada", 5).filled("ada", 3, 110)
    after = Account(books.undone(more.family, "ada", AAPL, Decimal(3), Decimal(110)), Decimal(5))
    assert (after.held("ada"), after.common) == (5, 0)
    assert after.family.book("ada").positions[AAPL].avg_price == 100


def test_what_works_counts_for_its_owner_alone() -> None:
    order = Working(AAPL, Side.BUY, Decimal(10), Decimal(1000), 1)
    family = books.with_order(NO_BOOKS, "ada", order)
    assert family.book("ada").exposure.totals.gross_usd == 1000
    assert family.book("ada").open_orders == 1
    assert family.book("bob") == Book()


def test_a_new_day_counts_anew_and_forgets_books_with_nothing_in_them() -> None:
    family = books.with_submit(Account().filled("ada", 5).family, "ada", Decimal(500), NOW)
    family = books.marked(family, {AAPL: Decimal(90)})
    family = books.with_submit(family, "bob", Decimal(100), NOW)
    ada = family.book("ada")
    assert (ada.submits, ada.turnover_usd, ada.day_loss_usd, ada.drawdown_usd) == (1, 500, 50, 50)
    after = books.in_day(family)
    ada = after.book("ada")
    assert (ada.submits, ada.turnover_usd, ada.day_loss_usd, ada.drawdown_usd) == (0, 0, 0, 0)
    assert after.book("bob").pace.total == 1  # the last minute counts on
    assert "bob" not in books.in_day(after).books


def test_an_order_that_a_fill_ends_is_open_no_more_in_its_owners_book() -> None:
    family = books.with_order(NO_BOOKS, "ada", Working(AAPL, Side.BUY, Decimal(10), Decimal(1000), 1))
    ends = Working(AAPL, Side.BUY, Decimal(-10), Decimal(-1000), -1)
    family = books.after_fill(family, "ada", books.Fill(AAPL, Decimal(10), Decimal(100), ZERO, ends))
    assert family.book("ada").open_orders == 0
