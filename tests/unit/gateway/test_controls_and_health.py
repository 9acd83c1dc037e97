"""The kill switch, health, and the document that describes every route."""

from decimal import Decimal

import pytest

from contracts import subjects
from contracts.broker import KillVerified
from contracts.controls import KillEngaged, KillReleased
from contracts.enums import KillMode
from contracts.scopes import ACCOUNT
from services.runtime.health import ProcessState
from services.runtime.ports import JournalUnavailableError
from tests.unit.gateway.world import PAPER, START, World

pytestmark = pytest.mark.anyio
KILL = "/v1/controls/kill_switch"


async def test_any_trading_key_may_engage_and_the_record_names_it(world: World):
    answer = (await world.call("POST", KILL, {"enabled": True, "mode": "cancel_all", "reason": "odd fills"})).json()

    on = {"kill_switch": True, "mode": "cancel_all", "scope": "account", "seq": 1}
    assert answer == {"status": "ok", "message": None} | on
    record = world.journal.events[0]
    assert record.subject == subjects.control(PAPER)
    assert isinstance(record.event, KillEngaged)
    assert (record.event.by, record.event.reason, record.event.epoch) == ("subject-demo", "odd fills", 0)
    assert (await world.call("GET", "/v1/state")).json()["kill_switch"] is True


@pytest.mark.parametrize(
    ("body", "mode"),
    [({"enabled": True}, "block_new"), ({"enabled": True, "mode": "cancel_only"}, "cancel_all")],
)
async def test_the_mode_has_a_default_and_an_old_name(world: World, body: dict[str, object], mode: str):
    assert (await world.call("POST", KILL, body)).json()["mode"] == mode


async def test_an_unknown_mode_is_refused_with_the_modes_there_are(world: World):
    response = await world.call("POST", KILL, {"enabled": True, "mode": "halt"})

    assert response.status_code == 400
    assert response.json()["details"] == {"modes": ["block_new", "cancel_all", "flatten"]}
    assert not world.journal.events


@pytest.mark.parametrize("body", [{}, {"enabled": "yes"}, {"enabled": 1}, {"enabled": True, "force": True}, []])
async def test_a_body_that_is_not_clear_changes_nothing(world: World, body: object):
    assert (await world.call("POST", KILL, body)).status_code == 400
    assert not world.journal.events


async def test_a_narrower_mode_does_not_loosen_a_wider_one(world: World):
    await world.tell(KillEngaged(epoch=0, at=START, mode=KillMode.FLATTEN, by="ana", reason="fire"))

    answer = (await world.call("POST", KILL, {"enabled": True, "mode": "block_new"})).json()

    assert (answer["mode"], answer["seq"]) == ("flatten", 1)
    assert len(world.journal.events) == 1


async def test_a_wider_mode_widens(world: World):
    await world.call("POST", KILL, {"enabled": True, "mode": "block_new"})

    answer = (await world.call("POST", KILL, {"enabled": True, "mode": "flatten"})).json()

    assert (answer["mode"], answer["seq"]) == ("flatten", 2)


async def test_only_an_operator_with_a_reason_releases(world: World):
    await world.call("POST", KILL, {"enabled": True})

    agents = await world.call("POST", KILL, {"enabled": False, "reason": "fine now"})
    silent = await world.call("POST", KILL, {"enabled": False, "reason": "  "}, key="operator")
    operators = await world.call("POST", KILL, {"enabled": False, "reason": "looked into it"}, key="operator")

    assert agents.status_code == 403
    assert (silent.status_code, silent.json()["details"]) == (400, {"missing": ["reason"]})
    assert operators.json()["kill_switch"] is False
    assert isinstance(world.journal.events[-1].event, KillReleased)
    assert len(world.journal.events) == 2


async def test_an_agents_key_engages_its_own_switch_and_no_others(world: World):
    own = (await world.call("POST", KILL, {"enabled": True, "scope": "agent.demo"})).json()
    others = await world.call("POST", KILL, {"enabled": True, "scope": "agent.eve"})
    symbols = await world.call("POST", KILL, {"enabled": True, "scope": "symbol.AAPL"})
    operators = await world.call("POST", KILL, {"enabled": True, "scope": "symbol.AAPL"}, key="operator")

    assert (own["kill_switch"], own["scope"]) == (True, "agent.demo")
    assert (others.status_code, symbols.status_code, operators.status_code) == (403, 403, 200)
    state = (await world.call("GET", "/v1/state")).json()
    assert (state["kill_switch"], state["kill"]) == (False, None)
    assert [kill["scope"] for kill in state["kills"]] == ["agent.demo", "symbol.AAPL"]


async def test_a_symbols_switch_is_the_symbols_however_it_is_written(world: World):
    answer = (await world.call("POST", KILL, {"enabled": True, "scope": "symbol.brk.b"}, key="operator")).json()
    assert answer["scope"] == "symbol.BRK.B"


async def test_a_release_leaves_other_scopes_on(world: World):
    for scope in ("account", "agent.demo"):
        await world.call("POST", KILL, {"enabled": True, "scope": scope})

    body = {"enabled": False, "scope": "firm", "reason": "looked into it"}
    answer = (await world.call("POST", KILL, body, key="operator")).json()

    assert (answer["kill_switch"], answer["scope"]) == (False, "account")
    assert [kill["scope"] for kill in (await world.call("GET", "/v1/state")).json()["kills"]] == ["agent.demo"]


async def test_a_scope_that_is_none_is_refused(world: World):
    assert (await world.call("POST", KILL, {"enabled": True, "scope": "everything"})).status_code == 400
    assert not world.journal.events


async def test_while_the_kill_file_is_there_the_account_is_not_released(world: World):
    await world.call("POST", KILL, {"enabled": True})
    world.gateway.kill_file.path.touch()

    body = {"enabled": False, "reason": "looked into it"}
    refused = await world.call("POST", KILL, body, key="operator")
    world.gateway.kill_file.path.unlink()
    released = await world.call("POST", KILL, body, key="operator")

    assert (refused.status_code, refused.json()["code"]) == (409, "kill_file_present")
    assert "remove it first" in refused.json()["message"]
    assert released.status_code == 200


async def test_the_proof_of_a_kill_is_shown_with_its_switch(world: World):
    seq = (await world.call("POST", KILL, {"enabled": True, "mode": "flatten"})).json()["seq"]
    proof = KillVerified(
        epoch=0,
        at=START,
        scope=ACCOUNT,
        mode=KillMode.FLATTEN,
        engaged_seq=seq,
        blocked_after_ms=Decimal("0.8"),
        flat_after_ms=Decimal(640),
        orders_left=0,
        positions_left=0,
        silent_after_ms=Decimal("2.8"),
    )
    await world.tell(proof, subjects.broker(PAPER))

    shown = (await world.call("GET", "/v1/state")).json()["kill"]["proof"]

    assert (shown["blocked_after_ms"], shown["silent_after_ms"], shown["flat_after_ms"]) == ("0.8", "2.8", "640")
    assert (shown["orders_left"], shown["positions_left"], shown["engaged_seq"]) == (0, 0, seq)


async def test_an_unconfirmed_control_says_so(world: World, monkeypatch: pytest.MonkeyPatch):
    async def lose(*_: object, **__: object) -> int:
        raise JournalUnavailableError("not confirmed")

    monkeypatch.setattr(world.journal, "append", lose)

    response = await world.call("POST", KILL, {"enabled": True})

    assert response.status_code == 503
    assert "not known" in response.json()["message"]


async def test_health_is_ok_when_every_process_is_ready(world: World):
    response = await world.call("GET", "/health", key=None)

    assert response.status_code == 200
    health = response.json()
    assert health["status"] == "ok"
    assert (health["mode"], health["broker"], health["account"]) == ("paper", "simulator", "paper")
    assert set(health["processes"]) == {"gateway", "risk", "oms", "regime", "audit"}
    assert health["processes"]["risk"] == {"state": "ready"}


@pytest.mark.parametrize("state", ["unreachable", "starting", "draining"])
async def test_health_is_degraded_and_names_what_is_not_ready(world: World, state: str):
    world.watch.known["oms"] = state

    response = await world.call("GET", "/health", key=None)

    assert response.status_code == 503
    assert (response.json()["status"], response.json()["not_ready"]) == ("degraded", ["oms"])


async def test_a_draining_gateway_is_not_healthy(world: World):
    world.own_state = ProcessState.DRAINING

    assert (await world.call("GET", "/health", key=None)).json()["not_ready"] == ["gateway"]
