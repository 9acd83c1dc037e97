"""POST /v1/intents: decisions as answers, and every id states one intent only."""

import asyncio
import json
from pathlib import Path

import pytest

from contracts import subjects
from contracts.codec import decode_intent
from contracts.controls import EpochTaken
from contracts.enums import Role
from contracts.ids import AgentId, IntentId, order_id_for
from contracts.intents import SubmitIntent
from services.runtime.memory import MemoryInbox
from tests.unit.gateway.world import PAPER, START, World, running_world, submit_body

pytestmark = pytest.mark.anyio
DEMO = AgentId("demo")


async def test_an_approved_intent_is_answered_as_the_old_clients_expect(world: World):
    response = await world.submit()

    assert response.status_code == 200
    answer = response.json()
    assert answer["status"] == "accepted"
    assert answer["intent_id"] == "i-1"
    assert answer["order_id"] == order_id_for(PAPER, DEMO, IntentId("i-1"))
    assert answer["risk"]["checks_passed"] is True
    assert answer["decision_seq"] == 1
    headroom = answer["risk"]["headroom"]
    assert headroom["remainingDailyTrades"] == 95
    assert headroom["orderRateRemaining"] == 7
    assert '"remainingDailyLoss":800.50' in response.text, "a JSON number, digit for digit"
    assert headroom["daily_loss_usd"] == "800.50"


async def test_a_denied_intent_is_an_answer_with_numbers_to_act_on(world: World):
    response = await world.submit(qty="1000")

    assert response.status_code == 200
    answer = response.json()
    assert answer["status"] == "rejected"
    assert answer["order_id"] is None
    assert answer["risk"]["checks_passed"] is False
    assert answer["risk"]["failed_check"] == "order_notional"
    assert answer["reason"]["code"] == "MAX_ORDER_NOTIONAL"
    assert answer["reason"]["max_acceptable_qty"] == "100"


async def test_what_is_published_is_the_agents_own_intent_with_exact_numbers(world: World):
    await world.call(
        "POST", "/v1/intents", json.dumps(submit_body()).replace("189.12", "189.120000000000000000001").encode()
    )

    stated = await world.desk.stated(subjects.intent(PAPER, DEMO, IntentId("i-1")))
    assert stated is not None
    intent = decode_intent(stated)
    assert isinstance(intent, SubmitIntent)
    assert str(intent.limit_price) == "189.120000000000000000001"
    assert intent.meta.strategy == "micro_momo_v1"


async def test_a_missing_id_is_made_and_returned(world: World):
    first = (await world.submit(client_intent_id=...)).json()
    second = (await world.submit(client_intent_id=...)).json()

    assert first["status"] == second["status"] == "accepted"
    assert first["intent_id"] != second["intent_id"]


async def test_a_repeat_with_the_same_content_returns_the_original_answer(world: World):
    first = (await world.submit(qty=10)).json()
    again = (await world.submit(qty="10.0", limit_price="189.1200")).json()

    assert again.pop("message").startswith("duplicate")
    first.pop("message")
    assert again == first
    assert await world.inbox.last_seq() == 1


async def test_a_repeat_with_other_content_is_a_conflict(world: World):
    await world.submit(qty=10)
    other = await world.submit(qty=11)

    assert other.status_code == 409
    assert other.json()["status"] == "refused"
    assert other.json()["code"] == "idempotency_conflict"
    assert await world.inbox.last_seq() == 1


async def test_two_agents_may_use_the_same_id(world: World):
    mine = (await world.submit("demo", qty=1)).json()
    theirs = (await world.submit("eve", qty=2)).json()

    assert mine["status"] == theirs["status"] == "accepted"
    assert mine["order_id"] != theirs["order_id"]


async def test_many_at_once_with_one_id_state_one_intent(world: World):
    responses = await asyncio.gather(*(world.submit() for _ in range(20)))

    assert {r.status_code for r in responses} == {200}
    assert len({r.json()["decision_seq"] for r in responses}) == 1
    assert await world.inbox.last_seq() == 1
    assert len(world.journal.events) == 1


async def test_an_id_is_remembered_after_the_stream_of_intents_forgot_it(world: World):
    first = (await world.submit(qty=10)).json()
    world.desk.forget(MemoryInbox(PAPER, world.clock))

    again = await world.submit(qty=10)
    other = await world.submit(qty=11)

    assert again.json()["decision_seq"] == first["decision_seq"]
    assert again.json()["message"].startswith("duplicate")
    assert other.status_code == 409


async def test_an_undecided_intent_is_pending_and_found_later(tmp_path: Path):
    async with running_world(tmp_path, decision_wait_s=0.01, answering=False) as world:
        response = await world.submit()
        assert response.status_code == 202
        assert response.headers["location"] == "/v1/intents/i-1"
        assert response.json()["status"] == "pending"
        assert (await world.submit(qty=11)).status_code == 409, "stated is stated, decided or not"
        assert (await world.submit()).status_code == 202
        assert (await world.call("GET", "/v1/intents/i-1")).status_code == 202

        async for received in world.inbox.read():
            await world.view.reach(await world.risk.answer(received))
            break

        assert (await world.call("GET", "/v1/intents/i-1")).json()["status"] == "accepted"
        assert (await world.submit()).json()["message"].startswith("duplicate")


async def test_a_decision_of_a_fenced_writer_is_none(tmp_path: Path):
    async with running_world(tmp_path, decision_wait_s=0.01, answering=False) as world:
        taken = EpochTaken(epoch=2, at=START, role=Role.RISK, owner="host/1/1", code_version="test")
        await world.tell(taken, subjects.epoch(PAPER, Role.RISK))
        await world.submit()
        async for received in world.inbox.read():
            await world.view.reach(await world.risk.answer(received))  # epoch 0 is below 2
            break

        assert (await world.call("GET", "/v1/intents/i-1")).status_code == 202
        assert not world.view.state.orders


async def test_the_whole_story_of_an_intent_has_its_checks_and_its_order(world: World):
    await world.submit()
    story = (await world.call("GET", "/v1/intents/i-1")).json()

    assert story["checks"][0] == {"name": "order_rate", "passed": True, "value": "3", "limit": "10"}
    assert story["order"]["status"] == "pending_submit"
    assert story["order"]["qty"] == "10"
    assert story["terms"]["symbol"] == "AAPL"


async def test_anothers_intent_is_found_by_an_operator_who_names_its_agent_and_by_nobody_else(world: World):
    await world.submit("eve")

    assert (await world.call("GET", "/v1/intents/i-1")).status_code == 404
    assert (await world.call("GET", "/v1/intents/i-1?agent=eve")).status_code == 404
    assert (await world.call("GET", "/v1/intents/i-1?agent=eve", key="operator")).json()["agent"] == "eve"


@pytest.mark.parametrize("intent_id", ["never", "a.b", "a*", "%3E", "x" * 65])
async def test_an_unknown_intent_is_not_found(world: World, intent_id: str):
    response = await world.call("GET", f"/v1/intents/{intent_id}")

    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


async def test_a_callers_trace_goes_on_and_a_bad_one_is_replaced(world: World):
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await world.call("POST", "/v1/intents", submit_body(client_intent_id="a"), traceparent=trace)
    await world.call("POST", "/v1/intents", submit_body(client_intent_id="b"), traceparent="00-0-0-nonsense")

    assert world.desk.traces[0] == trace
    assert world.desk.traces[1].startswith("00-")
    assert "nonsense" not in world.desk.traces[1]
