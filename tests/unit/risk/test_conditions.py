"""Compare and set: of two intents that count on the same state one passes, live and in every replay alike."""

import json
from typing import Any

from contracts.decisions import Decision, checks_of
from contracts.enums import Outcome
from contracts.ids import IntentId, OrderId, Symbol
from contracts.orders import OrderAcknowledged, OrderCanceled, OrderReplaceRejected
from contracts.reasons import DenialCode as C
from projections import account
from services.risk.core import RiskCore
from tests.risk_world import (
    NOW,
    answer,
    body,
    bought,
    evidence,
    intent,
    limits_set,
    observed,
    quote,
    state_of,
    stated,
)

READY = (limits_set(), observed())
SEEN = evidence(quote())


def code_of(decision: Decision) -> str | None:
    return None if decision.reason is None else decision.reason.code


def acknowledged(order_id: str | None) -> OrderAcknowledged:
    return OrderAcknowledged(
        epoch=1, at=NOW, order_id=OrderId(str(order_id)), broker_order_id=f"b-{order_id}", broker_status="new"
    )


def live(*events: Any) -> RiskCore:
    core = RiskCore("test")
    for seq, event in enumerate((*READY, *events), 1):
        core.take(seq, event)
    core.go_live(1)
    return core


def asked(core: RiskCore, intent_id: str, agent: str = "demo", **fields: Any) -> Decision:
    return core.decide(stated(body(intent_id, **fields), intent_id, agent), SEEN)


def test_of_two_agents_that_saw_the_same_state_one_wins_and_the_other_looks_again() -> None:
    core = live()
    first, second = asked(core, "a", if_state_seq=2), asked(core, "b", "eve", if_state_seq=2)
    assert (first.outcome, code_of(second)) == (Outcome.APPROVED, C.STATE_CHANGED)
    assert second.reason is not None
    assert (second.reason.retryable, second.reason.retry_after_ms) == (True, 1000)

    core.stands(first, 3)
    core.stands(second, 4)
    core.take(5, acknowledged(first.order_id))
    again = asked(core, "c", "eve", if_state_seq=2)
    assert again.reason is not None
    assert (again.reason.code, again.reason.retryable, again.reason.limit) == (C.STATE_CHANGED, False, 5)
    assert asked(core, "d", "eve", if_state_seq=5).outcome is Outcome.APPROVED


def test_what_happens_in_another_symbol_breaks_no_condition() -> None:
    core = live()
    other = asked(core, "a", symbol="SPY")
    assert other.outcome is Outcome.DENIED  # there is no quote for it
    core.take(3, bought("5"))
    spy = core.decide(stated(body("b", symbol="MSFT", if_state_seq=2), "b"), SEEN)
    assert code_of(spy) == C.NO_QUOTE  # its condition holds


def test_a_replace_that_the_broker_has_not_answered_is_a_change_under_way() -> None:
    core = live()
    order = asked(core, "a")
    core.stands(order, 3)
    core.take(4, acknowledged(order.order_id))
    change = intent("replace", "r", order_id=order.order_id, limit_price="99.00", if_state_seq=4)
    assert core.decide(stated(change, "r"), SEEN).outcome is Outcome.APPROVED
    assert code_of(asked(core, "b", if_state_seq=4)) == C.STATE_CHANGED
    core.take(6, OrderReplaceRejected(epoch=1, at=NOW, order_id=OrderId(str(order.order_id)), detail="no"))
    assert asked(core, "c", if_state_seq=6).outcome is Outcome.APPROVED


def test_a_fill_of_an_order_that_was_let_go_is_a_change_too() -> None:
    state = state_of(*READY, bought("10"))
    assert state.changes.symbols[Symbol("AAPL")] == 3
    assert code_of(answer(state, body(if_state_seq=2))) == C.STATE_CHANGED


def test_live_and_replayed_states_judge_conditions_alike() -> None:
    core = live()
    decisions = [asked(core, f"i{number}", if_state_seq=2 + number) for number in range(3)]
    for seq, decision in enumerate(decisions, 3):
        core.stands(decision, seq)
    core.take(6, acknowledged(decisions[0].order_id))
    core.take(7, OrderCanceled(epoch=1, at=NOW, order_id=OrderId(str(decisions[0].order_id))))
    events = (*READY, *decisions, acknowledged(decisions[0].order_id))
    canceled = OrderCanceled(epoch=1, at=NOW, order_id=OrderId(str(decisions[0].order_id)))
    replayed = state_of(*events, canceled)
    assert core.state.changes == replayed.changes
    assert replayed.changes.awaited == account.EMPTY.changes.awaited


def test_conditions_stand_on_the_record_as_they_were_stated() -> None:
    decision = answer(state_of(*READY), body(if_position="0", if_state_seq=2))
    assert decision.outcome is Outcome.APPROVED
    kept = json.loads(bytes(decision.intent))
    assert (kept["if_position"], kept["if_state_seq"]) == ("0", 2)


def test_the_first_condition_that_does_not_hold_is_named_before_any_control() -> None:
    state = state_of(limits_set(symbol_allowlist=()), observed())
    content = body(if_position="1", if_state_seq=0, expected_price="1", price_tolerance_bps="0", qty="100000")
    decision = answer(state, content)
    assert (code_of(decision), checks_of(decision)) == (C.POSITION_CHANGED, ())
    assert IntentId("i") == decision.intent_id
