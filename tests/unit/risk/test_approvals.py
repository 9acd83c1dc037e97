"""An order that a person must see first: held, let go at the market of that moment, refused, or forgotten in time."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
from msgspec.structs import replace

from contracts import codec
from contracts.controls import EpochTaken
from contracts.decisions import Decision, Evidence
from contracts.enums import Action, KillMode, Outcome, Role
from contracts.ids import OPERATOR, AgentId, IntentId, Symbol, order_id_for
from contracts.orders import OrderWorking
from contracts.reasons import DenialCode as C
from contracts.subjects import quote as quote_subject
from projections.account import AccountState, evolve
from projections.held import held_name
from projections.state_codec import decode_state, encode_state
from services.risk.core import RiskCore
from services.risk.market import NOTHING_SEEN, MarketWatch
from services.risk.rederive import Rederivation
from tests.risk_world import (
    DEMO,
    NOW,
    PAPER,
    answer,
    body,
    evidence,
    intent,
    kill,
    limits_set,
    quote,
    state_of,
    stated,
)
from tests.unit.risk.row import READY
from tests.unit.risk.rows_mandates import approval, granted, held_in, revoked

D = Decimal
THRESHOLD = granted(approval_from_usd=D(1000), approval_wait_ms=60_000)
WATCHED = (*READY, THRESHOLD)
MINE = held_name(DEMO, IntentId("i"))


def hold(*events: Any, content: bytes | None = None) -> tuple[AccountState, Decision]:
    before = state_of(*WATCHED, *events)
    held = answer(before, content or body())
    assert held.outcome is Outcome.HELD, held.reason
    return evolve(before, held, 9), held


def said(state: AccountState, *, approve: bool = True, seen: Evidence | None = None) -> Decision:
    return answer(state, approval(held="i", approve=approve), seen, OPERATOR)


def code_of(decision: Decision) -> C | None:
    return None if decision.reason is None else decision.reason.code


def test_an_order_worth_the_threshold_waits_and_nothing_is_set_aside() -> None:
    state, held = hold()
    assert (held.action, held.order_id, held.reservation, held.valid_until) == (Action.SUBMIT, None, None, None)
    assert held.held_until == NOW + timedelta(milliseconds=60_000)
    assert held.reason is not None
    assert (held.reason.code, held.reason.limit, held.reason.attempted) == (C.NEEDS_APPROVAL, D(1000), D(1000))
    assert held.reason.needs_human
    assert not state.orders
    assert (state.exposure.totals.gross_usd, state.day.submits) == (0, 0)
    assert state.held[MINE].body == body()
    assert decode_state(encode_state(state)) == state


def test_without_a_word_on_how_long_it_waits_a_quarter_of_an_hour() -> None:
    held = answer(state_of(*READY, granted(approval_from_usd=D(1))), body())
    assert held.held_until == NOW + timedelta(minutes=15)


def test_an_order_that_some_control_denies_does_not_wait_for_anybody() -> None:
    assert code_of(answer(state_of(*WATCHED, kill()), body())) is C.KILL_SWITCH


def test_an_order_that_counts_on_what_risk_has_not_read_does_not_wait_for_anybody() -> None:
    assert code_of(answer(state_of(*WATCHED), body(if_state_seq=10**9))) is C.STATE_CHANGED


def test_a_dry_run_of_what_would_wait_says_so_and_asks_nobody() -> None:
    decision = answer(state_of(*WATCHED), body(dry_run=True))
    assert (decision.outcome, code_of(decision), decision.held_until) == (Outcome.DENIED, C.NEEDS_APPROVAL, None)
    assert not evolve(state_of(*WATCHED), decision, 9).held


def test_what_a_person_lets_go_is_the_agents_own_order_on_the_operators_word() -> None:
    state, _ = hold(content=body(meta={"strategy": "calm"}))
    decision = said(state)
    assert (decision.outcome, decision.agent, decision.on_behalf_of) == (Outcome.APPROVED, OPERATOR, DEMO)
    assert decision.order_id == order_id_for(PAPER, DEMO, IntentId("i"))
    assert (decision.correlation_id, decision.strategy) == ("i", "calm")
    after = evolve(state, decision, 10)
    order = after.orders[decision.order_id]
    assert (order.agent, order.intent_id, order.strategy) == (DEMO, IntentId("i"), "calm")
    assert after.agents.book(DEMO).turnover_usd == D(1000)
    assert not after.held


def test_an_intent_is_let_go_once() -> None:
    state, _ = hold()
    after = evolve(state, said(state), 10)
    assert code_of(said(after)) is C.NOT_HELD


def test_what_a_person_refuses_is_gone_and_no_order_comes_of_it() -> None:
    state, _ = hold()
    decision = said(state, approve=False)
    assert (decision.outcome, decision.action, decision.order_id) == (Outcome.APPROVED, Action.DISMISS, None)
    after = evolve(state, decision, 10)
    assert not after.held
    assert not after.orders
    assert code_of(said(after)) is C.NOT_HELD


def test_in_the_last_moment_it_may_be_let_go_and_a_moment_later_not() -> None:
    state, held = hold()
    assert held.held_until is not None
    last, late = (held.held_until + timedelta(microseconds=more) for more in (0, 1))
    assert said(state, seen=evidence(quote(at=last), at=last)).outcome is Outcome.APPROVED
    over = said(state, seen=evidence(quote(at=late), at=late))
    assert code_of(over) is C.APPROVAL_EXPIRED
    assert not evolve(state, over, 10).held


def test_whatever_is_decided_after_its_time_lets_an_intent_go() -> None:
    state, held = hold()
    assert held.held_until is not None
    late = held.held_until + timedelta(microseconds=1)
    other = answer(state, body("other", qty="1"), evidence(quote(at=late), at=late), "eve")
    assert not evolve(state, replace(other, intent_id=IntentId("other")), 10).held


def test_a_person_lets_go_at_the_market_of_that_moment() -> None:
    state, _ = hold(content=body(order_type="market", limit_price=None))
    assert code_of(said(state, seen=evidence())) is C.NO_QUOTE
    dearer = said(state, seen=evidence(quote("600.00", "600.01")))
    assert code_of(dearer) is C.MAX_ORDER_NOTIONAL
    assert MINE in evolve(state, dearer, 10).held, "it may be let go when the market has come back"
    assert said(state).outcome is Outcome.APPROVED


def test_between_holding_and_letting_go_the_world_may_have_changed() -> None:
    state, _ = hold()
    assert code_of(said(evolve(state, kill(KillMode.BLOCK_NEW), 10))) is C.KILL_SWITCH
    assert code_of(said(evolve(state, revoked(), 10))) is C.NO_MANDATE
    assert code_of(said(evolve(state, granted(symbols=(Symbol("SPY"),), version=2), 10))) is C.MANDATE_FORBIDS
    assert code_of(said(evolve(state, limits_set(2, max_gross_exposure_usd=D(999)), 10))) is C.MAX_GROSS_EXPOSURE


def test_a_persons_word_grows_stale_but_the_intents_age_does_not_count() -> None:
    state, _ = hold()
    later = NOW + timedelta(seconds=55)
    assert said(state, seen=evidence(quote(at=later), at=later)).outcome is Outcome.APPROVED
    slow = evidence(quote(at=later), at=later, received_at=NOW)
    assert code_of(said(state, seen=slow)) is C.STALE_INTENT


def test_only_the_operator_lets_go() -> None:
    state, _ = hold()
    assert code_of(answer(state, approval(held="i"))) is C.NOT_YOUR_ORDER
    assert code_of(answer(state, approval(held="i"), agent="eve")) is C.NOT_YOUR_ORDER


def test_an_agent_takes_back_what_is_its_own_and_nobody_elses() -> None:
    state, _ = hold()
    taking_back = approval(held="i", approve=False)
    assert code_of(answer(state, taking_back, agent="eve")) is C.NOT_YOUR_ORDER
    decision = answer(state, taking_back)
    assert (decision.outcome, decision.action, decision.order_id) == (Outcome.APPROVED, Action.DISMISS, None)
    after = evolve(state, decision, 10)
    assert not after.held
    assert code_of(said(after)) is C.NOT_HELD


def test_the_operator_himself_waits_for_nobody() -> None:
    state = state_of(*WATCHED, granted(OPERATOR, approval_from_usd=D(1)))
    assert answer(state, body(), agent=OPERATOR).outcome is Outcome.APPROVED


def test_a_replacement_beyond_the_threshold_waits_too() -> None:
    small = answer(state_of(*WATCHED), body(qty="5"))
    assert small.order_id is not None
    working = OrderWorking(epoch=1, at=NOW, order_id=small.order_id, broker_status="new")
    changing = intent("replace", order_id=small.order_id, qty="10")
    state, held = hold(small, working, content=changing)
    assert (held.action, held.order_id, state.orders[small.order_id].replacement) == (Action.REPLACE, None, None)
    decision = said(state)
    assert (decision.outcome, decision.action, decision.order_id) == (
        Outcome.APPROVED,
        Action.REPLACE,
        small.order_id,
    )
    after = evolve(state, decision, 10)
    assert not after.held
    asked = after.orders[small.order_id].replacement
    assert asked is not None
    assert asked.terms.qty == 10


def test_agents_wait_in_lines_of_their_own() -> None:
    state = evolve(held_in(wanted=10), granted("eve", approval_from_usd=D(1)), 50)
    assert code_of(answer(state, body())) is C.NEEDS_APPROVAL
    assert answer(state, body()).outcome is Outcome.DENIED
    assert answer(state, body(), agent="eve").outcome is Outcome.HELD


def test_the_market_of_a_held_intent_is_found_by_its_name() -> None:
    state, _ = hold()
    watch, content = MarketWatch(), approval(held="i")
    seen = quote()
    watch._keep(watch._quotes, quote_subject(Symbol("AAPL")).encode(), codec.encode(seen))
    assert watch.evidence_for(content, state).quote == seen
    assert watch.evidence_for(approval(held="other"), state) == NOTHING_SEEN
    assert watch.evidence_for(intent("approval", agent=5, held_intent_id="i", approve=True), state) == NOTHING_SEEN


def test_the_journal_alone_gives_every_answer_again_and_the_same_state() -> None:
    core, journal = RiskCore("test"), [EpochTaken(epoch=1, at=NOW, role=Role.RISK, owner="r", code_version="test")]
    journal += [replace(event, epoch=1) if event.epoch else event for event in WATCHED]
    for seq, event in enumerate(journal, 1):
        core.take(seq, event)
    core.go_live(1)
    words = [
        (DEMO, "a", body("a")),
        (DEMO, "b", body("b")),
        (OPERATOR, "w1", approval("w1", "a")),
        (OPERATOR, "w2", approval("w2", "b", approve=False)),
        (OPERATOR, "w3", approval("w3", "a")),
        (DEMO, "c", body("c")),
    ]
    for agent, intent_id, content in words:
        decision = core.decide(stated(content, intent_id, AgentId(agent)), evidence(quote()))
        journal.append(decision)
        core.take(len(journal), decision)
        core.stands(decision, len(journal))
    outcomes = [(event.outcome, code_of(event)) for event in journal if isinstance(event, Decision)]
    assert outcomes == [
        (Outcome.HELD, C.NEEDS_APPROVAL),
        (Outcome.HELD, C.NEEDS_APPROVAL),
        (Outcome.APPROVED, None),
        (Outcome.APPROVED, None),
        (Outcome.DENIED, C.NOT_HELD),
        (Outcome.HELD, C.NEEDS_APPROVAL),
    ]
    again = Rederivation(PAPER)
    for seq, event in enumerate(journal, 1):
        stored = codec.encode(event)
        assert list(again.take(seq, codec.decode_event(stored), stored)) == []
    assert encode_state(again.finish()) == encode_state(core.state)
    assert list(core.state.held) == [held_name(DEMO, IntentId("c"))]
    assert msgspec.json.decode(core.save())
