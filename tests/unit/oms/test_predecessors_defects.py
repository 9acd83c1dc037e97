"""What the predecessor was measured to get wrong in following orders, row by row, with the right answers.

The rows are those of its table of defects that concern orders after their approval: 1 to 7 and 15.
"""

from decimal import Decimal

import pytest

from contracts.enums import KillMode, OrderStatus, Side
from contracts.ids import AgentId
from services.oms.decider import CancelAsked, Reported, Updated
from tests.unit.oms.oms_world import OmsWorld
from tests.unit.oms.order_stories import AAPL, after, decision, execution, order, report, terms, unsent, update
from tests.waiting import until

S = OrderStatus


def test_row_1_three_partials_to_sixty_and_a_cancel_leave_sixty():
    partials = [execution(1, 10, "10", 10, "10"), execution(2, 20, "10", 30, "10"), execution(3, 30, "10", 60, "10")]
    state = after(
        order(), *(Updated(one) for one in partials), Updated(update("canceled", report("canceled", 60, "10")))
    )
    assert (state.status, state.filled_qty) == (S.CANCELED, 60)


def test_row_2_a_fill_that_arrives_before_new_fills_the_order():
    state = after(unsent(), Updated(execution(1, 100, "10", 100, "10")), Updated(update("new", report("new"))))
    assert (state.status, state.filled_qty) == (S.FILLED, 100)


def test_row_3_fifty_at_ten_and_fifty_at_twelve_average_eleven():
    state = after(order(), Updated(execution(1, 50, "10", 50, "10")), Updated(execution(2, 50, "12", 100, "11")))
    assert (state.status, state.avg_price) == (S.FILLED, 11)


def test_row_4_a_partial_while_a_cancel_is_pending_counts():
    state = after(order(), CancelAsked(AgentId("demo")), Updated(execution(1, 50, "10", 50, "10")))
    assert (state.status, state.filled_qty) == (S.PENDING_CANCEL, 50)


def test_row_5_a_fractional_fill_counts_exactly():
    state = after(order(qty="1.5"), Updated(execution(1, "1.5", "10", "1.5", "10", "1.5")))
    assert (state.status, state.filled_qty) == (S.FILLED, Decimal("1.5"))


def test_row_6_a_comparison_moves_an_unheard_order_to_filled():
    state = after(unsent(), Reported(report("filled", 100, "10.5")))
    assert (state.status, state.filled_qty, state.avg_price) == (S.FILLED, 100, Decimal("10.5"))


@pytest.mark.anyio
async def test_row_7_selling_more_than_is_held_realises_the_long_and_opens_the_short_at_its_price():
    world = OmsWorld()
    async with world.running():
        world.broker.quote(AAPL, Decimal("9.90"), Decimal(10))
        bought = await world.approve(decision("i-1", terms(10, limit=None)))
        await world.settled(bought, "filled")
        world.broker.quote(AAPL, Decimal(12), Decimal("12.10"))
        sold = await world.approve(decision("i-2", terms(25, Side.SELL, None)))
        await world.settled(sold, "filled")
    held = world.core.state.account.positions[AAPL]
    assert (held.qty, held.avg_price, held.realized_usd) == (-15, 12, 20)


@pytest.mark.anyio
async def test_row_15_while_killed_to_flatten_an_order_that_closes_still_closes():
    world = OmsWorld()
    async with world.running():
        bought = await world.approve(decision("i-1", terms(10, limit=None)))
        await world.settled(bought, "filled")
        await world.engage(KillMode.FLATTEN)
        await until(lambda: world.core.state.account.kill is not None)
        closing = await world.approve(decision("i-2", terms(10, Side.SELL, None), reduces=True))
        await world.settled(closing, "filled")
        await until(lambda: not world.core.state.account.positions[AAPL].qty)
    assert world.broker.book.holdings[AAPL].qty == 0
