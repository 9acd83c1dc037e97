"""Property: whatever is done to a stream of updates, the order ends with the broker's quantity and average."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.enums import OrderStatus
from services.oms.brokers.port import BrokerOrder, BrokerUpdate
from services.oms.decider import Reported, Updated
from tests.unit.oms.order_stories import after, order, report, unsent, update

MICRO = Decimal("0.000001")
quantities = st.decimals("0.001", "500", places=3)
prices = st.decimals("0.01", "2000", places=2)
executions = st.lists(st.tuples(quantities, prices), min_size=1, max_size=8)


def told(fills: list[tuple[Decimal, Decimal]], ending: str) -> tuple[list[BrokerUpdate], BrokerOrder]:
    """Write a broker's stream for these fills, and the order as the broker shows it in the end."""
    size = sum((qty for qty, _ in fills), Decimal(0)) + (0 if ending == "filled" else 7)
    updates = [update("pending_new", report("pending_new", qty=size)), update("new", report("new", qty=size))]
    total = value = Decimal(0)
    for number, (qty, price) in enumerate(fills):
        total, value = total + qty, value + qty * price
        status = "filled" if total >= size else "partially_filled"
        shown = report(status, total, str(value / total), size)
        event = "fill" if status == "filled" else "partial_fill"
        updates.append(update(event, shown, execution_id=f"e-{number}", qty=qty, price=price))
    last = report(ending, total, str(value / total), size)
    if ending != "filled":
        updates.append(update(ending, last))
    return updates, last


@st.composite
def mangled(draw: st.DrawFn) -> tuple[list[BrokerUpdate], BrokerOrder]:
    """Permute a stream and repeat parts of it."""
    updates, last = told(draw(executions), draw(st.sampled_from(["filled", "canceled", "expired"])))
    repeats = draw(st.lists(st.sampled_from(updates), max_size=6))
    return draw(st.permutations([*updates, *repeats])), last


@settings(max_examples=300, deadline=None)
@given(mangled())
def test_any_order_and_repetition_of_updates_ends_in_the_brokers_quantity_and_average(stream):
    updates, last = stream
    state = after(unsent(last.terms.qty), *(Updated(one) for one in updates))
    assert state.filled_qty == last.filled_qty
    assert abs(state.avg_price - last.filled_avg_price) < MICRO
    assert state.status in {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED}


@settings(max_examples=300, deadline=None)
@given(mangled(), st.data())
def test_any_loss_as_well_is_healed_by_one_report(stream, data):
    updates, last = stream
    kept = [one for one in updates if data.draw(st.booleans())]
    state = after(unsent(last.terms.qty), *(Updated(one) for one in kept), Reported(last))
    assert state.filled_qty == last.filled_qty
    assert abs(state.avg_price - last.filled_avg_price) < MICRO
    assert after(state, Reported(last), *(Updated(one) for one in updates)) == state


@settings(max_examples=200, deadline=None)
@given(executions)
def test_an_undisturbed_stream_counts_each_execution_as_it_was_told(fills):
    updates, last = told(fills, "filled")
    state = after(order(OrderStatus.WORKING, last.terms.qty), *(Updated(one) for one in updates))
    assert state.filled_notional_usd == sum(qty * price for qty, price in fills)
    assert set(state.fills) == {f"e-{number}" for number in range(len(fills))}
