"""Controls on what is sent, beside their rows: whose repeats count, when to come again, and what is never held up."""

from datetime import timedelta
from decimal import Decimal

import pytest

from contracts.enums import Outcome
from contracts.ids import AgentId
from contracts.scopes import agent_scope
from projections import account
from tests.risk_world import NOW, answer, body, bought, evidence, intent, limits_set, observed, quote, state_of
from tests.unit.risk.row import ready
from tests.unit.risk.rows_layers import layer
from tests.unit.risk.rows_portfolio import MORE, REPEATS, TWICE, canceled, changed, with_order

MS = timedelta(milliseconds=1)


def test_another_agent_may_state_what_the_first_one_did() -> None:
    assert answer(TWICE, body(), agent="eve").outcome is Outcome.APPROVED


def test_who_waits_as_long_as_was_said_may_state_the_same_order_again() -> None:
    state = with_order(with_order(ready(**REPEATS), 0), 1, at=NOW + 300 * MS)
    asked = NOW + 400 * MS
    reason = answer(state, body(), evidence(quote(at=asked), at=asked)).reason
    assert reason is not None
    assert reason.retry_after_ms == 600
    later = asked + 600 * MS
    assert answer(state, body(), evidence(quote(at=later), at=later)).outcome is Outcome.APPROVED
    early = later - MS
    assert answer(state, body(), evidence(quote(at=early), at=early)).outcome is Outcome.DENIED


def test_who_waits_as_long_as_was_said_has_a_message_again() -> None:
    state = canceled(5, message_rate_per_min=4)  # cancels are never denied, so more may be counted than are allowed
    reason = answer(state, body()).reason
    assert reason is not None
    assert reason.retry_after_ms is not None
    at = NOW + reason.retry_after_ms * MS
    state = account.evolve(state, observed(at=at), 90)
    assert answer(state, body(), evidence(quote(at=at), at=at)).outcome is Outcome.APPROVED


@pytest.mark.parametrize("limits", [{"message_rate_per_min": 0}, {"replace_rate_per_min": 0}, {"max_open_orders": 0}])
def test_cancels_and_exits_are_never_held_up(limits: dict[str, int]) -> None:
    state = with_order(state_of(limits_set(), observed(), bought("10")), 0, side="sell", qty="4")
    state = account.evolve(state, limits_set(2, **limits), 50)
    assert answer(state, intent("cancel", order_id="lg-0")).outcome is Outcome.APPROVED
    assert answer(state, intent("cancel_all")).outcome is Outcome.APPROVED
    assert answer(state, intent("close", symbol="AAPL")).outcome is Outcome.APPROVED
    assert answer(state, body(side="sell", qty="2")).outcome is Outcome.APPROVED


def test_a_cancel_of_all_counts_as_many_messages_as_it_names_orders() -> None:
    state = with_order(with_order(ready(), 0), 1)
    assert state.messages.total == 2
    state = account.evolve(state, answer(state, intent("cancel_all")), 60)
    assert (state.messages.total, state.agents.book("demo").messages.total) == (4, 4)


def test_an_agents_layer_bounds_its_own_messages_alone() -> None:
    demo = AgentId("demo")
    state = account.evolve(ready(), layer(agent_scope(demo), message_rate_per_min=1), 5)
    state = with_order(state, 0)
    reason = answer(state, body()).reason
    assert reason is not None
    assert (reason.code, reason.scope, reason.attempted) == ("MESSAGE_RATE", "agent.demo", Decimal(2))
    assert answer(state, body(), agent="eve").outcome is Outcome.APPROVED


def test_turnover_of_new_terms_counts_what_they_add_and_gives_nothing_back() -> None:
    state = changed(0)
    assert state.day.turnover_usd == 1000
    state = account.evolve(state, answer(state, MORE), 70)
    assert (state.day.turnover_usd, state.agents.book("demo").turnover_usd) == (2000, 2000)
    assert changed(3).day.turnover_usd == 1000
