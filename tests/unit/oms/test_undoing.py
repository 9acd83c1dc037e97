"""Executions that the venue takes back or corrects: by id, by totals, late, and told twice."""

from decimal import Decimal

from msgspec.structs import replace

from contracts.enums import OrderStatus
from contracts.orders import OrderBusted, OrderCorrected
from services.oms.brokers.port import BrokerUpdate
from services.oms.decider import Reported, Updated
from services.oms.fills import Age
from tests.unit.oms.order_stories import after, events, execution, order, report, update

FIRST, SECOND = Updated(execution(1, 10, "10", 10, "10")), Updated(execution(2, 5, "12", 15, "10.666666667"))


def bust(of: str | None, left: int, average: str | None, **more: object) -> BrokerUpdate:
    shown = report("partially_filled" if left else "new", left, average)
    facts = {"execution_id": "b-9", "previous_execution_id": of, "qty": Decimal(-10), "price": Decimal(10)}
    return update("trade_bust", shown, **(facts | more))


def test_a_bust_takes_back_the_execution_that_it_names_and_only_once():
    busted = Updated(bust("e-1", 5, "12"), Age.NEWER)
    state = after(order(), FIRST, SECOND, busted, busted)
    assert (state.filled_qty, state.filled_notional_usd) == (5, 60)
    assert state.status is OrderStatus.PARTIALLY_FILLED


def test_an_order_that_was_emptied_by_a_bust_works_again():
    state = after(order(), FIRST, Updated(bust("e-1", 0, None), Age.NEWER))
    assert (state.filled_qty, state.status) == (0, OrderStatus.WORKING)


def test_a_bust_of_an_execution_that_was_recovered_takes_what_the_totals_lack():
    state = after(order(), Reported(report("partially_filled", 15, "10.666666667")))
    (written,) = [e for e in events(state, Updated(bust("e-1", 5, "12"), Age.NEWER)) if isinstance(e, OrderBusted)]
    assert (written.fill_id, written.qty, written.price) == ("e-1", 10, 10)


def test_an_execution_told_after_its_bust_never_counts():
    busted = Updated(bust("e-1", 0, None), Age.NEWER)
    late = replace(FIRST, age=Age.OLDER)
    assert after(order(), busted, late).filled_qty == 0
    assert after(order(), FIRST, busted, late).filled_qty == 0


def test_a_bust_that_a_look_up_was_faster_to_show_undoes_nothing_again():
    shown = Reported(report("partially_filled", 5, "12"), Age.NEWER)
    state = after(order(), FIRST, SECOND, shown)
    assert (state.filled_qty, state.filled_notional_usd) == (5, 60)
    assert after(state, Updated(bust("e-1", 5, "12"), Age.SAME)).filled_qty == 5


def test_totals_that_are_older_than_what_was_heard_undo_nothing():
    stale = Reported(report("partially_filled", 5, "12"), Age.OLDER)
    assert after(order(), FIRST, SECOND, stale).filled_qty == 15


def test_totals_that_the_broker_left_out_undo_nothing():
    empty = replace(report("partially_filled"), has_totals=False)
    assert after(order(), FIRST, Reported(empty, Age.NEWER)).filled_qty == 10


def test_a_correction_counts_the_new_execution_in_the_place_of_the_old_once():
    shown = report("partially_filled", 10, "9")
    facts = {"execution_id": "c-1", "previous_execution_id": "e-1", "qty": Decimal(10), "price": Decimal(9)}
    corrected = Updated(update("trade_correct", shown, **facts), Age.NEWER)
    state = after(order(), FIRST, corrected, corrected)
    assert (state.filled_qty, state.filled_notional_usd) == (10, 90)


def test_a_correction_of_an_execution_that_was_never_heard_fits_the_totals():
    shown = report("partially_filled", 10, "9")
    facts = {"execution_id": "c-1", "previous_execution_id": "e-1", "qty": Decimal(10), "price": Decimal(9)}
    corrected = Updated(update("trade_correct", shown, **facts), Age.NEWER)
    for before in ((), (Reported(report("partially_filled", 10, "10")),)):
        state = after(order(), *before, corrected)
        assert (state.filled_qty, state.filled_notional_usd) == (10, 90)


def test_an_average_that_only_a_correction_explains_is_taken_from_the_look_up():
    (written,) = [
        event
        for event in events(after(order(), FIRST), Reported(report("partially_filled", 10, "9.5"), Age.NEWER))
        if isinstance(event, OrderCorrected)
    ]
    assert (written.old_qty, written.old_price, written.qty, written.price) == (10, 10, 10, Decimal("9.5"))
