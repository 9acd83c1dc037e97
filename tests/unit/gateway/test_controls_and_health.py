"""The kill switch, health, and the document that describes every route."""

import pytest

from contracts import subjects
from contracts.controls import KillEngaged, KillReleased
from contracts.enums import KillMode
from services.runtime.health import ProcessState
from services.runtime.ports import JournalUnavailableError
from tests.unit.gateway.world import PAPER, START, World

pytestmark = pytest.mark.anyio
KILL = "/v1/controls/kill_switch"


async def test_any_trading_key_may_engage_and_the_record_names_it(world: World):
    answer = (await world.call("POST", KILL, {"enabled": True, "mode": "cancel_all", "reason": "odd fills"})).json()

    assert answer == {"status": "ok", "kill_switch": True, "mode": "cancel_all", "seq": 1, "message": None}
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
