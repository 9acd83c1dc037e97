"""Kill switches of one agent, strategy or symbol bind new risk there alone; exits always pass."""

from typing import Any

import pytest
from msgspec.structs import replace

from contracts.broker import KillVerified
from contracts.controls import KillReleased
from contracts.enums import KillMode, Outcome
from contracts.reasons import DenialCode as C
from contracts.scopes import ACCOUNT, FIRM, Scope
from projections import account
from tests.risk_world import NOW, answer, body, bought, evidence, kill, limits_set, observed, quote, state_of

READY = (limits_set(), observed())
MOMO = {"meta": {"strategy": "momo"}}


def engaged(scope: str, mode: KillMode = KillMode.BLOCK_NEW) -> Any:
    return replace(kill(mode), scope=Scope(scope))


@pytest.mark.parametrize(
    ("scope", "agent", "fields", "outcome"),
    [
        ("agent.alice", "alice", {}, Outcome.DENIED),
        ("agent.alice", "bob", {}, Outcome.APPROVED),
        ("strategy.momo", "alice", MOMO, Outcome.DENIED),
        ("strategy.momo", "alice", {}, Outcome.APPROVED),
        ("symbol.AAPL", "alice", {}, Outcome.DENIED),
        ("symbol.MSFT", "alice", {}, Outcome.APPROVED),
        ("firm", "alice", {}, Outcome.DENIED),
    ],
)
def test_a_switch_binds_its_scope_and_names_it(
    scope: str, agent: str, fields: dict[str, Any], outcome: Outcome
) -> None:
    decision = answer(state_of(*READY, engaged(scope)), body(**fields), evidence(quote()), agent=agent)
    assert decision.outcome is outcome
    if outcome is Outcome.DENIED:
        assert decision.reason is not None
        assert decision.reason.code is C.KILL_SWITCH
        assert decision.reason.scope == (None if scope == FIRM else scope)


def test_an_exit_passes_every_switch() -> None:
    state = state_of(*READY, bought("10"), *(engaged(scope) for scope in ("account", "agent.demo", "symbol.AAPL")))
    assert answer(state, body(side="sell", qty="10"), evidence(quote())).outcome is Outcome.APPROVED


@pytest.mark.parametrize(
    ("scope", "agent", "kind", "outcome"),
    [
        ("account", "demo", "limit", Outcome.DENIED),
        ("agent.demo", "demo", "limit", Outcome.DENIED),
        ("agent.demo", "other", "limit", Outcome.APPROVED),
        ("account", "demo", "market", Outcome.APPROVED),
        ("account", "_operator", "limit", Outcome.APPROVED),
    ],
)
def test_while_a_flatten_closes_an_agent_leaves_at_the_market(
    scope: str, agent: str, kind: str, outcome: Outcome
) -> None:
    """An exit that rests would hold the shares that the flatten wants, again and again."""
    state = state_of(*READY, bought("10"), engaged("agent.nobody"), engaged(scope, KillMode.FLATTEN))
    price = {"limit_price": "105.00"} if kind == "limit" else {"limit_price": None}
    stated = body(side="sell", qty="10", order_type=kind, **price)
    decision = answer(state, stated, evidence(quote()), agent=agent)
    assert decision.outcome is outcome
    if outcome is Outcome.DENIED:
        assert decision.reason is not None
        assert "at the market only" in decision.reason.message


def test_a_proof_stays_with_its_switch_until_that_is_widened() -> None:
    proof = KillVerified(
        epoch=1,
        at=NOW,
        scope=ACCOUNT,
        mode=KillMode.CANCEL_ALL,
        engaged_seq=3,
        blocked_after_ms=None,
        flat_after_ms=None,
        orders_left=0,
        positions_left=0,
    )
    state = state_of(*READY, kill(KillMode.CANCEL_ALL), proof)
    assert state.standing.kills[ACCOUNT].proof == proof
    widened = account.evolve(state, kill(KillMode.FLATTEN), 9)
    assert widened.standing.kills[ACCOUNT].proof is None
    assert account.evolve(widened, proof, 10).standing.kills[ACCOUNT].proof is None


def test_a_release_of_the_firm_is_one_of_the_account() -> None:
    released = KillReleased(epoch=0, at=NOW, by="ana", reason="looked", scope=FIRM)
    assert not state_of(*READY, kill(), released).standing.kills
