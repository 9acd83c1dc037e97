"""The request budget as arithmetic: who may go when, at given times."""

import pytest

from services.oms.brokers.budget import EXIT_PACE_MS, WINDOW_MS, Purpose, RateLimitTold, RequestBudget

READ, RISK, EXIT = Purpose.READ, Purpose.NEW_RISK, Purpose.EXIT


def gone(budget: RequestBudget, purpose: Purpose, now_ms: int, at_most: int = 10_000) -> int:
    """Send until the budget says wait; give how many went."""
    for count in range(at_most):
        if budget.take(purpose, now_ms):
            return count
    return at_most


def test_new_risk_leaves_the_reserve_of_exits_and_the_share_of_reads():
    budget = RequestBudget()
    assert gone(budget, RISK, 0) == 130
    assert gone(budget, READ, 0) == 30
    assert gone(budget, RISK, 0) == 0
    assert gone(budget, EXIT, 0) == 40


def test_reads_leave_room_for_orders():
    budget = RequestBudget()
    assert gone(budget, READ, 0) == 100
    assert gone(budget, RISK, 0) == 60


def test_no_minute_holds_more_than_the_limit_wherever_it_begins():
    budget = RequestBudget(30)
    sent = [at for at in range(0, 5 * WINDOW_MS, 500) for purpose in (RISK, READ) if not budget.take(purpose, at)]
    assert max(sum(begin <= at < begin + WINDOW_MS for at in sent) for begin in sent) <= 30
    assert len(sent) > 4 * 20


@pytest.mark.parametrize("purpose", [READ, RISK])
def test_after_the_wait_that_was_named_a_request_may_go_and_before_it_none(purpose: Purpose):
    budget = RequestBudget()
    budget.take(EXIT, 0)
    gone(budget, purpose, 1_000)
    wait_ms = budget.take(purpose, 5_000)
    assert wait_ms > 0
    assert budget.take(purpose, 5_000 + wait_ms - 1) > 0
    assert budget.take(purpose, 5_000 + wait_ms) == 0


def test_a_spent_budget_paces_exits_and_never_stops_them():
    budget = RequestBudget(10)
    gone(budget, EXIT, 0)
    assert budget.take(EXIT, 1) == EXIT_PACE_MS - 1
    assert all(budget.take(EXIT, step * EXIT_PACE_MS) == 0 for step in range(1, 100))


def test_a_429_halts_new_risk_and_reads_for_its_time_and_no_exit():
    budget = RequestBudget()
    budget.refused(1_000, 3_000)
    assert (budget.take(RISK, 1_500), budget.take(READ, 1_500), budget.take(EXIT, 1_500)) == (2_500, 2_500, 0)
    assert budget.facts(1_500)["halted_ms"] == 2_500
    assert budget.take(RISK, 4_000) == budget.take(READ, 4_000) == 0


def test_a_later_and_shorter_429_does_not_shorten_the_halt():
    budget = RequestBudget()
    budget.refused(0, 10_000)
    budget.refused(100, 100)
    assert budget.take(RISK, 5_000) == 5_000


def test_the_limit_that_an_answer_names_holds_from_then_on():
    budget = RequestBudget()
    budget.take(READ, 0)
    budget.ended(0, RateLimitTold(limit=1_000, remaining=999, reset_in_ms=30_000))
    assert gone(budget, RISK, 1) == 1_000 - 200 - 149 - 1


def test_a_limit_that_was_set_is_never_exceeded_whatever_an_answer_names():
    budget = RequestBudget(100)
    budget.take(READ, 0)
    budget.ended(0, RateLimitTold(limit=1_000, remaining=999, reset_in_ms=30_000))
    assert budget.facts(0)["limit_per_min"] == 100
    budget.take(READ, 0)
    budget.ended(0, RateLimitTold(limit=50, remaining=49, reset_in_ms=30_000))
    assert budget.facts(0)["limit_per_min"] == 50


def test_what_others_spent_on_the_same_account_counts_until_the_broker_counts_anew():
    budget = RequestBudget()
    budget.take(READ, 0)
    budget.ended(0, RateLimitTold(limit=200, remaining=75, reset_in_ms=20_000))
    assert gone(budget, RISK, 10) == 75 - 40 - 29
    assert 19_000 < budget.take(RISK, 10) <= 20_000
    assert gone(budget, RISK, 20_001) > 0


def test_answers_that_come_out_of_order_give_nothing_back():
    budget = RequestBudget()
    for _ in range(3):
        budget.take(READ, 0)
    budget.ended(5, RateLimitTold(limit=200, remaining=100, reset_in_ms=20_000))
    budget.ended(6, RateLimitTold(limit=200, remaining=102, reset_in_ms=19_999))
    budget.ended(7, RateLimitTold(limit=200, remaining=101, reset_in_ms=19_998))
    assert budget.facts(8)["left"] == 98


def test_answers_without_headers_leave_our_own_count():
    budget = RequestBudget()
    budget.take(READ, 0)
    budget.ended(0, RateLimitTold())
    assert budget.facts(0) == {"limit_per_min": 200, "sent_last_min": 1, "left": 199, "halted_ms": 0}
