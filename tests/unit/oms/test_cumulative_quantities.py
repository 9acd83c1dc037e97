"""Updates whose quantity is the order's total: they are told from single executions by the average price."""

from decimal import Decimal

from contracts.orders import OrderFilled
from services.oms.decider import Updated, decide
from tests.unit.oms.order_stories import STAMP, execution, order


def fills(*events: object) -> list[tuple[Decimal, Decimal]]:
    return [(event.qty, event.price) for event in events if isinstance(event, OrderFilled)]


def test_a_total_at_the_last_price_after_a_lost_fill_counts_at_the_average():
    told = decide(order(qty=12), Updated(execution(2, 12, "149.54", 12, "149.5775", size=12)), STAMP)
    assert fills(*told) == [(12, Decimal("149.5775"))]


def test_an_execution_whose_average_is_only_rounded_counts_at_its_own_price():
    told = decide(order(qty=12), Updated(execution(1, 12, "149.5449", 12, "149.54", size=12)), STAMP)
    assert fills(*told) == [(12, Decimal("149.5449"))]
