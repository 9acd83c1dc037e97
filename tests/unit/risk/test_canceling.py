"""A cancel of all names what is meant by whoever may mean it: all, one symbol, one agent, entries alone."""

from typing import Any

from msgspec.structs import replace

from contracts.decisions import Decision
from contracts.enums import Action, LegRole, Outcome
from contracts.ids import OPERATOR, OrderId, leg_id_for
from contracts.orders import OrderLegAdded
from contracts.reasons import DenialCode as C
from projections import account
from services.risk.decider import decide
from tests.risk_world import NOW, STAMP, answer, body, bought, evidence, intent, limits_set, observed, quote, state_of
from tests.risk_world import stated as stated_by

READY = (limits_set(order_rate_per_min=99), observed())


def ordered(state: Any, intent_id: str, agent: str = "demo", **fields: Any) -> Decision:
    seen = evidence(quote())
    return decide(state, stated_by(body(intent_id, **fields), intent_id, agent), seen, STAMP)


LONG = state_of(*READY, bought("10"))
ENTRY = ordered(LONG, "entry", qty="1")
EXIT = ordered(LONG, "exit", side="sell", qty="3")
THEIRS = ordered(LONG, "theirs", "eve", qty="1")
BRACKET = ordered(LONG, "bracket", qty="1", order_class="oto", stop_loss={"stop_price": "90"})
PARENT = OrderId(str(BRACKET.order_id))
TERMS = BRACKET.terms
assert TERMS is not None
LEG = OrderLegAdded(
    epoch=1,
    at=NOW,
    order_id=leg_id_for(PARENT, LegRole.STOP_LOSS),
    agent=BRACKET.agent,
    parent_id=PARENT,
    role=LegRole.STOP_LOSS,
    broker_order_id="b-leg",
    client_order_id="c-leg",
    broker_status="held",
    terms=replace(TERMS, side=EXIT.terms.side if EXIT.terms else TERMS.side),
)
STATE = state_of(*READY, bought("10"), ENTRY, EXIT, THEIRS, BRACKET, LEG)


def named(who: str = "demo", /, **fields: Any) -> list[str]:
    decision = answer(STATE, intent("cancel_all", **fields), evidence(), who)
    assert (decision.outcome, decision.action) == (Outcome.APPROVED, Action.CANCEL_ALL)
    return list(decision.order_ids)


def ids(*decisions: Decision) -> list[str]:
    return sorted(str(one.order_id) for one in decisions)


def test_entries_alone_leaves_every_exit_working() -> None:
    assert named(entries_only=True) == ids(ENTRY, BRACKET)
    assert named() == sorted([*ids(ENTRY, EXIT, BRACKET), LEG.order_id])


def test_the_operator_may_name_whose_and_an_agent_only_itself() -> None:
    assert named(OPERATOR, agent="eve") == ids(THEIRS)
    assert named(OPERATOR, agent="demo", entries_only=True) == ids(ENTRY, BRACKET)
    assert named(OPERATOR, agent="nobody") == []
    assert named("eve", agent="eve") == ids(THEIRS)
    denied = answer(STATE, intent("cancel_all", agent="demo"), evidence(), "eve")
    assert denied.reason is not None
    assert (denied.outcome, denied.reason.code) == (Outcome.DENIED, C.NOT_YOUR_ORDER)


def test_a_symbol_and_an_agent_together_narrow_what_is_meant() -> None:
    assert named(OPERATOR, agent="demo", symbol="SPY") == []
    assert named(OPERATOR, symbol="AAPL", entries_only=True) == ids(ENTRY, THEIRS, BRACKET)
    assert account.evolve(STATE, answer(STATE, intent("cancel_all"), evidence()), 99).orders == STATE.orders
