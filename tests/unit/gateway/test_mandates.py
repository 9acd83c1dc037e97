"""What agents may do, and what waits for a person, over HTTP."""

from datetime import timedelta

import pytest

from contracts import subjects
from contracts.controls import KillEngaged, MandateGranted, MandateRevoked
from contracts.enums import KillMode
from contracts.ids import AgentId
from contracts.mandates import Mandate, MandateSide
from services.runtime.ports import ConflictError, JournalUnavailableError
from tests.unit.gateway.world import PAPER, START, World

pytestmark = pytest.mark.anyio
DEMO = "/v1/mandates/demo"
FIRST = {"symbols": ["AAPL"], "budget_per_day_usd": "25000", "reason": "first week"}


async def grant(world: World, **terms: object) -> int:
    return (await world.call("PUT", DEMO, FIRST | terms, key="operator")).status_code


async def test_a_grant_stands_with_its_author_and_reason_and_lasts_thirty_days(world: World):
    response = await world.call("PUT", DEMO, FIRST, key="operator")

    answer = response.json()
    assert (answer["agent"], answer["version"], answer["in_force"], answer["seq"]) == ("demo", 1, True, 1)
    assert answer["mandate"]["sides"] == ["buy", "sell"]
    record = world.journal.events[0]
    assert record.subject == subjects.control(PAPER)
    assert isinstance(record.event, MandateGranted)
    assert (record.event.by, record.event.reason) == ("subject-operator", "first week")
    assert record.event.mandate.expires_at == START + timedelta(days=30)


async def test_versions_count_up_and_a_revocation_is_one(world: World):
    await grant(world)
    await grant(world, symbols=["SPY"])
    revoked = await world.call("DELETE", DEMO, {"reason": "strange orders"}, key="operator")
    again = await world.call("DELETE", DEMO, {"reason": "still strange"}, key="operator")

    assert (revoked.json()["version"], revoked.json()["mandate"], revoked.json()["in_force"]) == (3, None, False)
    assert isinstance(world.journal.events[-1].event, MandateRevoked)
    assert again.status_code == 404
    await grant(world)
    assert (await world.call("GET", DEMO)).json()["version"] == 4


async def test_an_agent_sees_its_own_mandate_and_nobody_elses(world: World):
    await grant(world)

    assert (await world.call("GET", DEMO)).json()["version"] == 1
    assert (await world.call("GET", DEMO, key="eve")).status_code == 404
    assert (await world.call("GET", "/v1/mandates", key="eve")).json()["mandates"] == []
    listed = (await world.call("GET", "/v1/mandates", key="operator")).json()
    assert [one["agent"] for one in listed["mandates"]] == ["demo"]
    assert listed["required"] is False
    assert (await world.call("GET", "/v1/mandates/nobody", key="operator")).status_code == 404


async def test_only_control_changes_what_an_agent_may_do(world: World):
    for method in ("PUT", "PATCH", "DELETE"):
        assert (await world.call(method, DEMO, {"reason": "I want more"})).status_code == 403
    assert not world.journal.events


@pytest.mark.parametrize(
    "body",
    [
        {"symbols": ["aapl"], "reason": "r"},
        {"symbol": ["AAPL"], "reason": "r"},
        {"limits": {"max_order_notional": "5"}, "reason": "r"},
        {"budget_per_day_usd": "NaN", "reason": "r"},
        {"budget_per_day_usd": "-1", "reason": "r"},
        {"hours": {"from_minute": 960, "to_minute": 570}, "reason": "r"},
        {"expires_at": "2026-11-23T14:59:59Z", "reason": "r"},
        {"expires_at": "2026-12-23T15:00:00", "reason": "r"},
        {"sides": ["long"], "reason": "r"},
        {"reason": "  "},
        {},
    ],
)
async def test_a_mandate_that_makes_no_sense_or_has_no_reason_is_refused(world: World, body: dict[str, object]):
    assert (await world.call("PUT", DEMO, body, key="operator")).status_code == 400
    assert not world.journal.events


@pytest.mark.parametrize("agent", ["_operator", "_external", "a.b"])
async def test_who_is_no_agent_gets_no_mandate(world: World, agent: str):
    assert (await world.call("PUT", f"/v1/mandates/{agent}", FIRST, key="operator")).status_code == 400


async def test_tightening_changes_what_is_named_and_refuses_to_widen(world: World):
    await grant(world, approval_from_usd="4000", limits={"max_order_notional_usd": "3000"})
    tighter = {"limits": {"max_daily_trades": 5}, "budget_per_day_usd": 10_000, "reason": "new model"}
    wider = {"budget_per_day_usd": 10_001, "sides": ["buy", "short"], "reason": "please"}

    stands = (await world.call("PATCH", DEMO, tighter, key="operator")).json()["mandate"]
    refused = await world.call("PATCH", DEMO, wider, key="operator")

    assert (stands["budget_per_day_usd"], stands["symbols"]) == ("10000", ["AAPL"])
    assert (stands["limits"]["max_order_notional_usd"], stands["limits"]["max_daily_trades"]) == ("3000", 5)
    assert refused.status_code == 400
    assert "sides, budget_per_day_usd" in refused.json()["message"]
    assert (await world.call("PATCH", "/v1/mandates/eve", tighter, key="operator")).status_code == 404
    assert (await world.call("PATCH", DEMO, {"reason": "nothing"}, key="operator")).status_code == 400


async def test_a_change_of_a_version_that_is_gone_is_a_conflict(world: World):
    await grant(world)

    assert await grant(world, if_version=0) == 409
    assert await grant(world, if_version=1) == 200
    stale = await world.call("DELETE", DEMO, {"reason": "r", "if_version": 1}, key="operator")
    assert (stale.status_code, stale.json()["details"]) == (409, {"version": 2})


async def test_a_control_in_between_is_read_before_the_mandate_is_written(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    append, came = world.journal.append, [KillEngaged(epoch=0, at=START, mode=KillMode.BLOCK_NEW, by="a", reason="r")]

    async def append_late(*args: object, **named: object) -> int:
        if came:
            await append(subjects.control(PAPER), came.pop())
        return await append(*args, **named)  # pyright: ignore[reportArgumentType] - as it was called

    monkeypatch.setattr(world.journal, "append", append_late)
    assert await grant(world) == 200
    assert [type(record.event) for record in world.journal.events] == [KillEngaged, MandateGranted]


async def test_controls_without_end_and_a_broken_journal_are_told(world: World, monkeypatch: pytest.MonkeyPatch):
    for error in (ConflictError("control", 9), JournalUnavailableError("gone")):

        async def fail(*_: object, error: Exception = error, **__: object) -> int:
            raise error

        monkeypatch.setattr(world.journal, "append", fail)
        assert await grant(world) == 503


async def test_what_is_held_waits_with_202_until_a_person_lets_it_go(world: World):
    response = await world.submit(qty=99)
    held = response.json()
    assert (response.status_code, held["status"], held["order_id"]) == (202, "held", None)
    assert held["held_until"] == "2026-11-23T15:15:00Z"
    assert response.headers["location"] == "/v1/intents/i-1"

    waiting = (await world.call("GET", "/v1/approvals")).json()["waiting"]
    assert [(one["agent"], one["intent_id"], one["terms"]["qty"]) for one in waiting] == [("demo", "i-1", "99")]
    assert (await world.call("GET", "/v1/approvals", key="eve")).json()["waiting"] == []

    word = {"approve": True, "reason": "looked at it", "client_intent_id": "w-1"}
    said = (await world.call("POST", "/v1/approvals/demo/i-1", word, key="operator")).json()
    story = (await world.call("GET", "/v1/intents/i-1")).json()
    assert (said["status"], story["status"]) == ("accepted", "held")
    assert story["order_id"] == said["order_id"] == story["order"]["order_id"]
    assert (story["order"]["agent"], story["order"]["intent_id"]) == ("demo", "i-1")
    assert (await world.call("GET", "/v1/approvals")).json()["waiting"] == []
    again = (await world.call("POST", "/v1/approvals/demo/i-1", word, key="operator")).json()
    assert again["decision_seq"] == said["decision_seq"], "the same word again is the same word"


async def test_what_a_person_refuses_waits_no_more(world: World):
    await world.submit(qty=99)
    word = {"approve": False, "reason": "too large"}

    said = (await world.call("POST", "/v1/approvals/demo/i-1", word, key="operator")).json()
    story = (await world.call("GET", "/v1/intents/i-1")).json()

    assert (said["status"], said["order_id"], story["order"]) == ("accepted", None, None)
    assert (await world.call("GET", "/v1/approvals")).json()["waiting"] == []


async def test_an_agent_takes_back_its_own(world: World):
    await world.submit(qty=99)

    theirs = (await world.call("DELETE", "/v1/approvals/demo/i-1", key="eve")).json()
    mine = (await world.call("DELETE", "/v1/approvals/demo/i-1?reason=changed+my+mind")).json()

    assert (theirs["status"], theirs["reason"]["code"]) == ("rejected", "NOT_YOUR_ORDER")
    assert (mine["status"], mine["order_id"]) == ("accepted", None)
    assert (await world.call("GET", "/v1/approvals")).json()["waiting"] == []


async def test_what_is_over_is_not_shown_to_wait(world: World):
    await world.submit(qty=99)
    world.clock.advance(timedelta(minutes=15, milliseconds=1))
    assert (await world.call("GET", "/v1/approvals")).json()["waiting"] == []


@pytest.mark.parametrize("body", [{"approve": True}, {"reason": "r"}, {"approve": "yes", "reason": "r"}])
async def test_a_word_needs_a_side_and_a_reason(world: World, body: dict[str, object]):
    assert (await world.call("POST", "/v1/approvals/demo/i-1", body, key="operator")).status_code == 400


async def test_agents_have_no_word(world: World):
    body = {"approve": True, "reason": "mine"}
    assert (await world.call("POST", "/v1/approvals/demo/i-1", body)).status_code == 403


async def test_a_mandate_over_or_required_is_shown_as_it_is(world: World):
    over = Mandate(expires_at=START, sides=tuple(MandateSide))
    event = MandateGranted(epoch=0, at=START, agent=AgentId("demo"), version=7, mandate=over, by="a", reason="r")
    await world.tell(event)
    answer = (await world.call("GET", DEMO)).json()
    assert (answer["version"], answer["in_force"]) == (7, False)
