"""Books of agents and strategies: parts of one whole, whoever trades."""

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from contracts.enums import Side
from contracts.ids import Symbol
from contracts.values import ZERO
from projections import books
from projections.books import NO_BOOKS, Book, Family, Working

AAPL = Symbol("AAPL")
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
NAMES = st.sampled_from([None, "ada", "bob"])
FILLS = st.lists(st.tuples(NAMES, st.integers(-20, 20).filter(bool), st.integers(90, 110)), max_size=30)


def held(family: Family, name: str) -> Decimal:
    return family.book(name).exposure.of(AAPL).position_qty


def whole(family: Family) -> Decimal:
    return sum((held(family, name) for name in family.books), family.common.get(AAPL, ZERO))


def filled(family: Family, name: str | None, qty: int, price: int = 100) -> Family:
    return books.after_fill(family, name, AAPL, Decimal(qty), Decimal(price))


@given(FILLS)
def test_the_books_and_the_common_shares_come_to_the_whole(fills: list[tuple[str | None, int, int]]) -> None:
    family, total = NO_BOOKS, 0
    for name, qty, price in fills:
        family, total = filled(family, name, qty, price), total + qty
        assert whole(family) == total


@given(FILLS)
def test_profit_is_the_cash_that_came_in_and_what_the_shares_are_worth(
    fills: list[tuple[str | None, int, int]],
) -> None:
    family = NO_BOOKS
    for name, qty, price in fills:
        family = filled(family, name, qty, price)
    for book in family.books.values():
        worth = sum(
            one.cash_usd + one.qty * book.exposure.of(symbol).mark_price for symbol, one in book.positions.items()
        )
        assert book.profit_usd == worth
        assert book.peak_usd >= book.profit_usd


def test_an_agent_uses_its_own_shares_first_and_the_common_ones_next() -> None:
    family = filled(filled(NO_BOOKS, None, 10), "ada", 5)
    family = filled(family, "ada", -12)
    assert (held(family, "ada"), family.common[AAPL]) == (0, 3)


def test_what_the_operator_closes_is_taken_from_the_common_shares_and_then_by_name() -> None:
    family = filled(filled(filled(NO_BOOKS, "bob", 5), "ada", 5), None, 2)
    family = filled(family, None, -9)
    assert (held(family, "ada"), held(family, "bob"), family.common.get(AAPL, ZERO)) == (0, 3, 0)


def test_nobody_uses_what_another_agent_holds() -> None:
    family = filled(filled(NO_BOOKS, "ada", 5), None, 2)
    assert family.usable("bob", AAPL).position_qty == 2
    assert family.usable("ada", AAPL).position_qty == 7


def test_a_fill_that_is_undone_leaves_no_trace() -> None:
    family = filled(NO_BOOKS, "ada", 5)
    more = books.undone(filled(family, "ada", 3, 110), "ada", AAPL, Decimal(3), Decimal(110))
    assert held(more, "ada") == 5
    assert more.book("ada").positions[AAPL].avg_price == 100


def test_what_works_counts_for_its_owner_alone() -> None:
    order = Working(AAPL, Side.BUY, Decimal(10), Decimal(1000), 1)
    family = books.with_order(NO_BOOKS, "ada", order)
    assert family.book("ada").exposure.totals.gross_usd == 1000
    assert family.book("ada").open_orders == 1
    assert family.book("bob") == Book()


def test_a_new_day_counts_anew_and_forgets_books_with_nothing_in_them() -> None:
    family = books.with_submit(filled(NO_BOOKS, "ada", 5), "ada", Decimal(500), NOW)
    family = books.marked(family, AAPL, Decimal(90))
    family = books.with_submit(family, "bob", Decimal(100), NOW)
    ada = family.book("ada")
    assert (ada.submits, ada.turnover_usd, ada.day_loss_usd, ada.drawdown_usd) == (1, 500, 50, 50)
    after = books.in_day(family)
    ada = after.book("ada")
    assert (ada.submits, ada.turnover_usd, ada.day_loss_usd, ada.drawdown_usd) == (0, 0, 0, 0)
    assert "bob" not in after.books
