"""What a flatten states: one closer for each position in its scope, as whoever's the position is."""

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from contracts.codec import decode_event, decode_intent, encode
from contracts.controls import KillReleased
from contracts.decisions import Decision
from contracts.enums import KillMode, Outcome, Side
from contracts.ids import OPERATOR, AgentId, FillId, Symbol
from contracts.intents import SubmitIntent
from contracts.scopes import Scope
from projections import account
from projections.account import AccountState
from services.risk.answer import Stated
from services.risk.decider import decide
from services.risk.flatten import FIRST_WAIT_MS, ClosingPace, closing_intents
from services.risk.rederive import stated_in
from tests.risk_world import (
    AAPL,
    NOW,
    PAPER,
    STAMP,
    body,
    bought,
    evidence,
    kill,
    limits_set,
    observed,
    quote,
)
from tests.risk_world import state_of as state_from
from tests.risk_world import stated as in_stream

D = Decimal


def engaged(scope: str = "account") -> Any:
    return replace(kill(KillMode.FLATTEN), scope=Scope(scope))


def traded(state: AccountState, agent: str, qty: str, side: str = "buy", **fields: Any) -> AccountState:
    """Let an agent trade: approved, and filled at once."""
    name = f"{agent}-{side}"
    content = body(name, qty=qty, side=side, **fields)
    decision = decide(state, in_stream(content, name, agent), evidence(quote()), STAMP)
    assert decision.order_id is not None, decision.reason
    return filled(account.evolve(state, decision, 20), decision, qty)


def filled(state: AccountState, decision: Decision, qty: str) -> AccountState:
    assert decision.order_id is not None
    assert decision.terms is not None
    fill = replace(
        bought(qty),
        order_id=decision.order_id,
        fill_id=FillId(f"f-{decision.intent_id}"),
        side=decision.terms.side,
    )
    return account.evolve(state, fill, 21)


def start() -> AccountState:
    return state_from(limits_set(), observed())


def closers(
    state: AccountState, pace: ClosingPace | None = None, now_ms: int = 0
) -> list[tuple[Stated, SubmitIntent]]:
    found = []
    for stated in closing_intents(state, PAPER, 30, pace or ClosingPace(), now_ms):
        intent = decode_intent(stated.body)
        assert isinstance(intent, SubmitIntent)
        found.append((stated, intent))
    return found


def test_an_agents_flatten_closes_its_own_shares_for_it_and_leaves_the_others() -> None:
    state = traded(traded(start(), "alice", "10"), "bob", "5")
    state = account.evolve(state, engaged("agent.alice"), 25)
    ((stated, intent),) = closers(state)
    assert (stated.agent, stated.closes_for, intent.side, intent.qty) == (OPERATOR, "alice", Side.SELL, D(10))
    decision = decide(state, stated, evidence(quote()), STAMP)
    assert (decision.outcome, decision.on_behalf_of) == (Outcome.APPROVED, "alice")
    state = filled(account.evolve(state, decision, 31), decision, "10")
    assert not state.agents.book("alice").positions[AAPL].qty
    assert state.agents.book("bob").positions[AAPL].qty == D(5)
    assert not closers(state)


def test_a_closer_decides_the_same_again_from_the_journal() -> None:
    state = account.evolve(traded(start(), "alice", "10"), engaged("agent.alice"), 25)
    ((stated, _),) = closers(state)
    decision = decide(state, stated, evidence(quote()), STAMP)
    again = decode_event(encode(decision))
    assert isinstance(again, Decision)
    assert encode(decide(state, stated_in(again, PAPER), again.evidence, STAMP)) == encode(decision)


def test_a_strategys_flatten_closes_what_its_book_holds() -> None:
    state = traded(start(), "bob", "10", meta={"strategy": "momo"})
    state = account.evolve(traded(state, "alice", "5"), engaged("strategy.momo"), 25)
    ((stated, intent),) = closers(state)
    assert (intent.qty, intent.meta.strategy, stated.closes_for) == (D(10), "momo", "bob")
    decision = decide(state, stated, evidence(quote()), STAMP)
    state = filled(account.evolve(state, decision, 31), decision, "10")
    assert not state.strategies.book("momo").positions[AAPL].qty
    assert not state.agents.book("bob").positions[AAPL].qty
    assert state.agents.book("alice").positions[AAPL].qty == D(5)


def test_a_strategy_that_two_agents_traded_is_closed_for_one_after_the_other() -> None:
    state = traded(start(), "bob", "10", meta={"strategy": "momo"})
    state = traded(state, "alice", "5", meta={"strategy": "momo"})
    state = account.evolve(state, engaged("strategy.momo"), 25)
    for owner, qty in (("alice", "5"), ("bob", "10")):
        (stated,) = closing_intents(state, PAPER, len(owner), ClosingPace(), 0)
        assert stated.closes_for == owner
        decision = decide(state, stated, evidence(quote()), STAMP)
        state = filled(account.evolve(state, decision, 31), decision, qty)
    assert not closers(state)
    assert not state.positions[AAPL].qty


def test_a_symbols_flatten_closes_the_accounts_position_in_it() -> None:
    state = traded(traded(start(), "alice", "10"), "bob", "5")
    ((_, intent),) = closers(account.evolve(state, engaged("symbol.AAPL"), 25))
    assert intent.qty == D(15)
    assert not closers(account.evolve(state, engaged("symbol.MSFT"), 25))


def test_a_closer_never_turns_the_accounts_own_position_around() -> None:
    state = traded(start(), "alice", "10")
    others = replace(bought("7", side=Side.SELL), fill_id=FillId("of-nobody-we-know"))
    state = account.evolve(account.evolve(state, others, 22), engaged("agent.alice"), 25)
    held, whole = state.agents.book("alice").exposure.of(AAPL).position_qty, state.positions[AAPL].qty
    ((_, intent),) = closers(state)
    assert intent.qty == min(held, whole) == whole


def test_no_second_closer_is_stated_while_one_works_or_too_soon_after_one_that_ended() -> None:
    state, pace = account.evolve(traded(start(), "alice", "10"), engaged(), 25), ClosingPace()
    ((stated, _),) = closers(state, pace)
    working = account.evolve(state, decide(state, stated, evidence(quote()), STAMP), 31)
    assert not closers(working, pace, FIRST_WAIT_MS)
    assert not closers(state, pace, FIRST_WAIT_MS - 1)
    assert len(closers(state, pace, FIRST_WAIT_MS)) == 1
    assert not closers(state, pace, FIRST_WAIT_MS * 2)


def test_two_flattens_over_one_position_state_one_closer() -> None:
    state = traded(start(), "alice", "10")
    state = account.evolve(account.evolve(state, engaged(), 25), engaged("agent.alice"), 26)
    assert len(closers(state)) == 1


def test_nothing_is_closed_unless_a_switch_says_flatten() -> None:
    state = traded(start(), "alice", "10")
    assert not closers(state)
    assert not closers(account.evolve(state, kill(KillMode.CANCEL_ALL), 25))
    released = KillReleased(epoch=0, at=NOW, by="ana", reason="looked")
    assert not closers(account.evolve(account.evolve(state, engaged(), 25), released, 26))


def test_the_ids_of_closers_name_the_kill_and_stay_tokens() -> None:
    state = account.evolve(traded(start(), "alice", "10"), engaged("agent." + "alice"), 25)
    ((stated, _),) = closers(state)
    assert stated.intent_id == "flatten-25-AAPL-30"
    assert AgentId("alice") == stated.closes_for
    assert Symbol("AAPL") in state.positions
