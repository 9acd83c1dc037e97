"""Positions, cash and cost are exact, through zero and back."""

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from services.simulator.core.orders import Execution, Side
from services.simulator.core.positions import Position, after_fill, signed
from tests.unit.simulator.world import World

DAY = date(2026, 11, 23)
FILLS = st.tuples(
    st.sampled_from(["buy", "sell"]),
    st.integers(1, 500),
    st.decimals("0.01", "900", places=2),
)


def folded(*fills: tuple[Side, int, str]) -> Position:
    position: Position | None = None
    for side, qty, price in fills:
        position = after_fill(position, "AAPL", side, Execution(Decimal(qty), Decimal(price)), DAY)
    assert position is not None
    return position


def test_average_cost_is_weighted_and_stays_when_part_is_sold() -> None:
    bought = folded(("buy", 10, "100"), ("buy", 30, "104"))
    assert bought.avg_entry_price == Decimal(103)
    sold = folded(("buy", 10, "100"), ("buy", 30, "104"), ("sell", 15, "120"))
    assert (sold.qty, sold.avg_entry_price) == (Decimal(25), Decimal(103))


def test_a_fill_through_zero_opens_the_rest_at_its_own_price() -> None:
    crossed = folded(("sell", 10, "100"), ("buy", 15, "90"))
    assert (crossed.qty, crossed.avg_entry_price, crossed.cost_usd) == (Decimal(5), Decimal(90), Decimal(450))


def test_a_short_position_has_a_negative_cost() -> None:
    short = folded(("sell", 10, "100"))
    assert (short.qty, short.cost_usd, short.avg_entry_price) == (Decimal(-10), Decimal(-1000), Decimal(100))


@given(st.lists(FILLS, min_size=1, max_size=30))
def test_the_quantity_is_the_sum_of_fills_and_a_flat_position_costs_nothing(
    fills: list[tuple[Side, int, Decimal]],
) -> None:
    position = folded(*[(side, qty, str(price)) for side, qty, price in fills])
    assert position.qty == sum(signed(side, Decimal(qty)) for side, qty, _ in fills)
    assert position.qty != 0 or position.cost_usd == 0
    assert position.qty * position.cost_usd >= 0


def test_cash_changes_by_exactly_what_was_traded() -> None:
    world = World()
    world.filled(qty="3")
    world.filled(notional="77.77")
    world.move("AAPL", "101.11", "101.12")
    world.filled(side="sell", qty="2")
    spent = Decimal(300) + Decimal("0.7777") * 100
    assert world.broker.book.account.cash_usd == Decimal(100_000) - spent + 2 * Decimal("101.11")
