"""Every (status, report) that matters, and that repeated, late and reordered reports add nothing."""

from decimal import Decimal

import pytest

from contracts.enums import EndCause, OrderStatus
from contracts.ids import AgentId
from contracts.orders import OrderAcknowledged, OrderCanceled, OrderExpired, OrderFilled, OrderRejected, OrderReported
from contracts.reasons import RejectionCode
from services.oms.brokers.port import Accepted, Ambiguous, NotSent, RateLimited, Rejected
from services.oms.decider import (
    Blocked,
    CancelAsked,
    CancelFailed,
    NeverArrived,
    Reported,
    SubmitAnswered,
    Updated,
)
from tests.unit.oms.order_stories import NOW, STAMP, after, events, execution, names, order, report, unsent, update

S = OrderStatus
REJECTION = Rejected(code=RejectionCode.FORBIDDEN, broker_code="403/40310000", message="buying power")


@pytest.mark.parametrize(
    ("status", "shown", "written"),
    [
        (S.PENDING_SUBMIT, "pending_new", ["OrderAcknowledged"]),
        (S.PENDING_SUBMIT, "accepted", ["OrderAcknowledged"]),
        (S.PENDING_SUBMIT, "a status from the future", ["OrderAcknowledged", "OrderReported"]),
        (S.PENDING_SUBMIT, "accepted_for_bidding", ["OrderAcknowledged"]),
        (S.PENDING_SUBMIT, "pending_review", ["OrderAcknowledged"]),
        (S.PENDING_SUBMIT, "held", ["OrderAcknowledged", "OrderHeld"]),
        (S.PENDING_SUBMIT, "", ["OrderAcknowledged"]),
        (S.PENDING_SUBMIT, "new", ["OrderAcknowledged", "OrderWorking"]),
        (S.PENDING_SUBMIT, "canceled", ["OrderAcknowledged", "OrderCanceled"]),
        (S.PENDING_SUBMIT, "rejected", ["OrderAcknowledged", "OrderRejected"]),
        (S.UNKNOWN, "pending_new", ["OrderAcknowledged"]),
        (S.UNKNOWN, "expired", ["OrderAcknowledged", "OrderExpired"]),
    ],
)
def test_an_unconfirmed_order_becomes_known_and_then_what_the_broker_shows(status, shown, written):
    assert names(events(order(status, known=False), Reported(report(shown)))) == written


@pytest.mark.parametrize(
    ("status", "shown", "written"),
    [
        (S.ACKED, "pending_new", []),
        (S.ACKED, "new", ["OrderWorking"]),
        (S.WORKING, "new", []),
        (S.WORKING, "pending_new", []),
        (S.WORKING, "canceled", ["OrderCanceled"]),
        (S.WORKING, "expired", ["OrderExpired"]),
        (S.WORKING, "rejected", ["OrderRejected"]),
        (S.WORKING, "done_for_day", ["OrderDoneForDay"]),
        (S.WORKING, "calculated", ["OrderDoneForDay"]),
        (S.DONE_FOR_DAY, "done_for_day", []),
        (S.DONE_FOR_DAY, "new", ["OrderWorking"]),
        (S.WORKING, "stopped", ["OrderSuspended"]),
        (S.WORKING, "suspended", ["OrderSuspended"]),
        (S.SUSPENDED, "suspended", []),
        (S.SUSPENDED, "new", ["OrderWorking"]),
        (S.HELD, "held", []),
        (S.HELD, "new", ["OrderWorking"]),
        (S.HELD, "canceled", ["OrderCanceled"]),
        (S.WORKING, "replaced", []),
        (S.WORKING, "pending_replace", []),
        (S.PENDING_REPLACE, "new", []),
        (S.PENDING_REPLACE, "canceled", ["OrderCanceled"]),
        (S.WORKING, "filled", ["OrderCompleted"]),
        (S.CANCELED, "filled", []),
        (S.WORKING, "quantum", ["OrderReported"]),
        (S.PENDING_CANCEL, "new", []),
        (S.PENDING_CANCEL, "canceled", ["OrderCanceled"]),
        (S.CANCELED, "new", []),
        (S.CANCELED, "canceled", []),
        (S.EXPIRED, "canceled", []),
        (S.FILLED, "new", []),
    ],
)
def test_a_known_order_moves_only_where_the_table_lets_it(status, shown, written):
    assert names(events(order(status), Reported(report(shown)))) == written


def test_an_accepted_submit_is_acknowledged_under_the_brokers_id():
    (event,) = events(unsent(), SubmitAnswered(Accepted(order=report("pending_new"))))
    assert isinstance(event, OrderAcknowledged)
    assert (event.broker_order_id, event.epoch, event.at) == ("b-1", STAMP.epoch, NOW)
    assert (event.correlation_id, event.causation_seq) == ("i-1", 3)


def test_a_rejected_submit_is_rejected_with_the_brokers_code():
    (event,) = events(unsent(), SubmitAnswered(REJECTION))
    assert isinstance(event, OrderRejected)
    assert (event.code, event.broker_code) == (RejectionCode.FORBIDDEN, "403/40310000")


def test_a_refusal_is_not_believed_once_the_broker_has_shown_the_order():
    assert events(order(S.WORKING), SubmitAnswered(REJECTION)) == []


def test_an_ambiguous_submit_is_unknown_and_never_rejected():
    state = after(unsent(), SubmitAnswered(Ambiguous(detail="timeout")))
    assert state.status is S.UNKNOWN
    assert state.working_qty == 100


def test_an_ambiguous_answer_says_nothing_when_the_socket_was_faster():
    state = after(unsent(), Updated(update("new", report("new"))))
    assert events(state, SubmitAnswered(Ambiguous(detail="timeout"))) == []


@pytest.mark.parametrize("outcome", [RateLimited(retry_after_ms=5), NotSent(detail="refused")])
def test_what_never_reached_the_book_is_no_event(outcome):
    assert events(unsent(), SubmitAnswered(outcome)) == []


def test_a_stale_decision_expires_and_a_killed_one_is_canceled_before_it_is_sent():
    (stale,) = events(unsent(), Blocked(EndCause.DECISION_STALE))
    (killed,) = events(unsent(), Blocked(EndCause.KILL_SWITCH))
    assert isinstance(stale, OrderExpired)
    assert stale.cause is EndCause.DECISION_STALE
    assert isinstance(killed, OrderCanceled)
    assert killed.cause is EndCause.KILL_SWITCH


def test_an_order_that_may_have_been_sent_is_not_ended_by_us():
    assert events(order(S.UNKNOWN, known=False), Blocked(EndCause.DECISION_STALE)) == []
    assert events(order(S.WORKING), NeverArrived()) == []


def test_an_order_that_never_arrived_expires_with_that_cause_and_still_takes_a_late_fill():
    gone = after(unsent(), SubmitAnswered(Ambiguous(detail="timeout")), NeverArrived())
    assert (gone.status, gone.detail) == (S.EXPIRED, "never_arrived")
    late = after(gone, Updated(execution(1, 100, "10", 100, "10")))
    assert (late.filled_qty, late.broker_order_id) == (100, "b-1")


def test_a_cancel_is_pending_until_the_broker_says_and_falls_back_when_it_will_not():
    asked = after(order(), CancelAsked(AgentId("demo")))
    assert asked.status is S.PENDING_CANCEL
    assert after(asked, Updated(update("canceled", report("canceled")))).status is S.CANCELED
    refused = update("order_cancel_rejected", report("new"), reason="TOO_LATE_TO_CANCEL")
    assert after(asked, Updated(refused)).status is S.WORKING
    assert after(asked, CancelFailed("no answer")).status is S.WORKING


def test_an_ended_order_takes_no_cancel():
    for command in (CancelAsked(AgentId("demo")), CancelFailed("ended")):
        assert events(order(S.FILLED), command) == []


@pytest.mark.parametrize("event", ["restated", "trade_bust", "suspended", "an event from the future"])
def test_unusual_events_are_kept_on_the_record_and_move_nothing(event):
    (written,) = events(order(), Updated(update(event, report("new"), reason="because")))
    assert isinstance(written, OrderReported)
    assert (written.broker_event, written.detail) == (event, "because")


# The predecessor's measured defects, with the right answers.


def test_three_partials_then_a_cancel_keep_what_was_filled():
    partials = [execution(1, 10, "10", 10, "10"), execution(2, 20, "10", 30, "10"), execution(3, 30, "10", 60, "10")]
    canceled = update("canceled", report("canceled", 60, "10"))
    state = after(order(), *(Updated(partial) for partial in partials), Updated(canceled))
    assert (state.status, state.filled_qty) == (S.CANCELED, 60)


def test_a_fill_before_its_new_fills_the_order():
    state = after(unsent(), Updated(execution(1, 100, "10", 100, "10")), Updated(update("new", report("new"))))
    assert (state.status, state.filled_qty) == (S.FILLED, 100)


def test_two_fills_at_different_prices_average_by_quantity():
    state = after(order(), Updated(execution(1, 50, "10", 50, "10")), Updated(execution(2, 50, "12", 100, "11")))
    assert (state.status, state.avg_price) == (S.FILLED, 11)


def test_a_partial_while_a_cancel_is_pending_counts_and_leaves_the_cancel_pending():
    state = after(order(), CancelAsked(AgentId("demo")), Updated(execution(1, 50, "10", 50, "10")))
    assert (state.status, state.filled_qty) == (S.PENDING_CANCEL, 50)


def test_a_fractional_fill_counts_exactly():
    state = after(order(qty="1.5"), Updated(execution(1, "1.5", "10", "1.5", "10", "1.5")))
    assert (state.status, state.filled_qty) == (S.FILLED, Decimal("1.5"))


def test_reconciliation_finds_a_fill_that_nobody_told():
    (acknowledged, filled) = events(unsent(), Reported(report("filled", 100, "10.5")))
    assert isinstance(acknowledged, OrderAcknowledged)
    assert isinstance(filled, OrderFilled)
    assert (filled.qty, filled.price, filled.recovered, filled.fill_id) == (100, Decimal("10.5"), True, "rec-b-1-100")


# Recovery and repetition.


def test_a_recovered_fill_makes_our_average_the_brokers():
    state = after(order(), Updated(execution(1, 40, "10", 40, "10")), Reported(report("filled", 100, "10.6")))
    assert (state.filled_qty, state.avg_price) == (100, Decimal("10.6"))


def test_an_execution_told_after_it_was_recovered_does_not_count_twice():
    recovered = after(order(), Reported(report("filled", 100, "11")))
    assert events(recovered, Updated(execution(1, 50, "10", 50, "10"))) == []
    assert events(recovered, Updated(execution(2, 50, "12", 100, "11"))) == []


def test_an_execution_that_comes_first_brings_the_earlier_one_with_it():
    first, second = execution(1, 60, "10", 60, "10"), execution(2, 40, "12", 100, "10.8")
    written = [event for event in events(order(), Updated(second)) if isinstance(event, OrderFilled)]
    assert [(fill.qty, fill.price, fill.cum_qty) for fill in written] == [(60, 10, 60), (40, 12, 100)]
    assert after(order(), Updated(second), Updated(first)).filled_qty == 100


def test_the_same_update_twice_counts_once():
    fill = Updated(execution(1, 30, "10", 30, "10"))
    assert after(order(), fill, fill).filled_qty == 30


def test_a_terminal_update_that_shows_more_shares_recovers_them_first():
    written = events(order(), Updated(update("canceled", report("canceled", 25, "10"))))
    assert names(written) == ["OrderFilled", "OrderCanceled"]


def test_a_late_fill_after_a_cancel_counts_and_does_not_reopen_the_order():
    state = after(order(), Updated(update("canceled", report("canceled"))), Updated(execution(1, 30, "10", 30, "10")))
    assert (state.status, state.filled_qty) == (S.CANCELED, 30)


def test_a_quantity_in_cumulative_form_adds_only_what_is_new():
    cumulative = update("fill", report("filled", 100, "10"), execution_id="e-2", qty=Decimal(100), price=Decimal(10))
    state = after(order(), Updated(execution(1, 60, "10", 60, "10")), Updated(cumulative))
    assert (state.filled_qty, state.avg_price) == (100, 10)


def test_totals_without_an_average_wait_for_one():
    assert events(order(), Reported(report("partially_filled", 10))) == []


def test_the_time_of_a_fill_is_the_brokers_else_ours():
    (told,) = events(order(), Updated(execution(1, 1, "10", 1, "10")))
    (asked,) = events(order(), Reported(report("partially_filled", 1, "10")))
    assert isinstance(told, OrderFilled)
    assert isinstance(asked, OrderFilled)
    assert (told.filled_at, asked.filled_at) == (NOW, NOW)
