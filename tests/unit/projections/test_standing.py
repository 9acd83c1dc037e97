"""What operators have said that stands: layers, mandates, kill switches by scope."""

from contracts.controls import KillEngaged, KillReleased, LayerSet, MandateGranted, MandateRevoked
from contracts.enums import KillMode
from contracts.ids import AgentId
from contracts.limits import LimitOverride
from contracts.mandates import Mandate
from contracts.scopes import ACCOUNT, FIRM, Scope, agent_scope
from projections import standing
from projections.standing import NOTHING_SAID, Standing, Whose, kills_over
from tests.risk_world import NOW

ADA = AgentId("ada")
MINE = Whose("ada", "momentum", "AAPL")


def engaged(scope: Scope, mode: KillMode = KillMode.BLOCK_NEW) -> KillEngaged:
    return KillEngaged(epoch=0, at=NOW, mode=mode, by="test", reason="test", scope=scope)


def after(*events: standing.StandingEvent) -> Standing:
    state = NOTHING_SAID
    for seq, event in enumerate(events, 1):
        state = standing.evolve(state, event, seq)
    return state


def test_a_layer_stands_until_it_is_taken_away() -> None:
    tight = LimitOverride(max_daily_trades=3)
    setting = LayerSet(epoch=0, at=NOW, scope=FIRM, version=1, limits=tight, by="test", reason="test")
    gone = LayerSet(epoch=0, at=NOW, scope=FIRM, version=2, limits=None, by="test", reason="test")
    assert after(setting).layer(FIRM) == tight
    assert after(setting, gone).layer(FIRM) is None
    assert after(setting, gone).version == 2


def test_a_mandate_stands_until_it_is_revoked() -> None:
    granted = MandateGranted(
        epoch=0, at=NOW, agent=ADA, version=1, mandate=Mandate(expires_at=NOW), by="test", reason="test"
    )
    revoked = MandateRevoked(epoch=0, at=NOW, agent=ADA, version=2, by="test", reason="test")
    assert after().mandate(ADA) is None
    assert after(granted).mandate(ADA) == Mandate(expires_at=NOW)
    assert after(granted, revoked).mandate(ADA) is None
    assert after(granted, revoked).mandates[ADA].version == 2


def test_a_switch_binds_those_in_its_scope_alone() -> None:
    state = after(engaged(agent_scope("ada")), engaged(Scope("symbol.TSLA")), engaged(Scope("strategy.momentum")))
    assert [kill.event.scope for kill in kills_over(state, MINE)] == ["agent.ada", "strategy.momentum"]
    assert [kill.event.scope for kill in kills_over(state, Whose("bob", None, "TSLA"))] == ["symbol.TSLA"]
    assert kills_over(state, Whose("bob", None, "AAPL")) == ()


def test_a_switch_is_released_in_its_own_scope() -> None:
    released = KillReleased(epoch=0, at=NOW, by="test", reason="test", scope=agent_scope("ada"))
    state = after(engaged(agent_scope("ada")), engaged(ACCOUNT), released)
    assert [kill.event.scope for kill in kills_over(state, MINE)] == ["account"]
    assert state.kill_seq == 2


def test_a_narrower_word_does_not_cut_a_switch_back() -> None:
    state = after(engaged(agent_scope("ada"), KillMode.FLATTEN), engaged(agent_scope("ada"), KillMode.CANCEL_ALL))
    assert [(kill.event.mode, kill.seq) for kill in kills_over(state, MINE)] == [(KillMode.FLATTEN, 1)]
