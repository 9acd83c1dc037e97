"""Every kind of order goes through whole; replaces, cancels of all and closes are intents that may be repeated."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contracts import subjects
from contracts.codec import decode_intent
from contracts.enums import LegRole, OrderType, Side
from contracts.ids import AgentId, FillId, IntentId, OrderId, Symbol, leg_id_for
from contracts.intents import CloseIntent, ReplaceIntent, StopLoss, SubmitIntent, TakeProfit
from contracts.orders import OrderFilled, OrderLegAdded, OrderTerms
from services.gateway.routes.positions import part_id
from tests.unit.gateway.world import PAPER, START, World, running_world

pytestmark = pytest.mark.anyio
DEMO = AgentId("demo")


async def stated(world: World, intent_id: str) -> Any:
    body = await world.desk.stated(subjects.intent(PAPER, DEMO, IntentId(intent_id)))
    return None if body is None else decode_intent(body)


async def holding(world: World, symbol: str, qty: str = "10") -> None:
    """Make a position in the journal."""
    order_id = OrderId(f"earlier-{symbol}")
    fill = OrderFilled(
        epoch=0,
        at=START,
        order_id=order_id,
        fill_id=FillId(f"f-{symbol}"),
        symbol=Symbol(symbol),
        side=Side.BUY,
        qty=Decimal(qty),
        price=Decimal(100),
        cum_qty=Decimal(qty),
        filled_at=START,
    )
    await world.tell(fill, subjects.order(PAPER, DEMO, order_id))


async def test_all_terms_of_an_order_reach_the_intent(world: World):
    profit, stop = {"limit_price": 199.5}, {"stop_price": "180", "limit_price": 179.99}
    await world.submit(type="limit", order_class="bracket", take_profit=profit, stop_loss=stop, extended_hours=True)
    await world.submit(
        client_intent_id="i-2", type="trailing_stop", limit_price=..., trail_percent="2.5", time_in_force="gtc"
    )

    bracket, trailing = await stated(world, "i-1"), await stated(world, "i-2")
    assert isinstance(bracket, SubmitIntent)
    assert bracket.take_profit == TakeProfit(limit_price=Decimal("199.5"))
    assert bracket.stop_loss == StopLoss(stop_price=Decimal(180), limit_price=Decimal("179.99"))
    assert (bracket.order_class, bracket.extended_hours) == ("bracket", True)
    assert (trailing.trail_percent, trailing.trail_price, trailing.time_in_force) == (Decimal("2.5"), None, "gtc")


async def test_numbers_in_exits_are_compared_as_numbers(world: World):
    terms = {"order_class": "oto", "take_profit": {"limit_price": 199.5}}
    await world.submit(**terms)

    again = await world.submit(order_class="oto", take_profit={"limit_price": "199.50"})
    other = await world.submit(order_class="oto", take_profit={"limit_price": "199.51"})

    assert again.json()["message"].startswith("duplicate")
    assert other.status_code == 409


async def test_an_order_shows_its_legs_its_group_and_what_is_asked_of_it(world: World):
    terms = {"order_class": "bracket", "take_profit": {"limit_price": "199"}, "stop_loss": {"stop_price": "180"}}
    order_id = OrderId((await world.submit(**terms)).json()["order_id"])
    leg_id = leg_id_for(order_id, LegRole.STOP_LOSS)
    leg_terms = OrderTerms(
        symbol=Symbol("AAPL"), side=Side.SELL, order_type=OrderType.STOP, qty=Decimal(10), stop_price=Decimal(180)
    )
    leg = OrderLegAdded(
        epoch=0,
        at=START,
        order_id=leg_id,
        agent=DEMO,
        parent_id=order_id,
        role=LegRole.STOP_LOSS,
        client_order_id="c",
        broker_order_id="b",
        broker_status="held",
        terms=leg_terms,
    )
    await world.tell(leg, subjects.order(PAPER, DEMO, leg_id))
    await world.call("PATCH", f"/v1/orders/{order_id}", {"qty": "12"})

    parent = (await world.call("GET", f"/v1/orders/{order_id}")).json()
    child = (await world.call("GET", f"/v1/orders/{leg_id}")).json()

    assert parent["order_class"] == "bracket"
    assert parent["take_profit"] == {"limit_price": "199"}
    assert [(one["order_id"], one["role"], one["status"]) for one in parent["legs"]] == [
        (leg_id, "stop_loss", "held")
    ]
    assert parent["replacement"]["terms"]["qty"] == "12"
    assert (child["group_id"], child["role"], child["legs"]) == (order_id, "stop_loss", [])


async def test_a_replace_is_an_intent_of_the_keys_agent_and_may_be_repeated(world: World):
    order_id = (await world.submit()).json()["order_id"]
    changes = {"qty": 12, "limit_price": 189.5, "time_in_force": "gtc", "client_intent_id": "r-1", "reason": "more"}

    first = await world.call("PATCH", f"/v1/orders/{order_id}", changes)
    again = await world.call("PATCH", f"/v1/orders/{order_id}", changes | {"qty": "12.0"})
    other = await world.call("PATCH", f"/v1/orders/{order_id}", changes | {"qty": "13"})

    assert (first.status_code, first.json()["status"], first.json()["order_id"]) == (200, "accepted", order_id)
    assert first.json()["terms"]["qty"] == "12"
    assert first.json()["order"]["replacement"]["requested_by"] == "demo"
    assert again.json()["decision_seq"] == first.json()["decision_seq"]
    assert other.status_code == 409
    intent = await stated(world, "r-1")
    assert isinstance(intent, ReplaceIntent)
    assert (intent.qty, intent.limit_price, intent.time_in_force) == (Decimal(12), Decimal("189.5"), "gtc")
    assert intent.meta.reason == "more"


@pytest.mark.parametrize(
    "body", [b"", b"[]", {"qty": "ten"}, {"qty": "1_0"}, {"symbol": "AAPL"}, {"trail": []}, {"time_in_force": "week"}]
)
async def test_a_replace_that_cannot_be_read_is_refused(world: World, body: object):
    order_id = (await world.submit()).json()["order_id"]

    response = await world.call("PATCH", f"/v1/orders/{order_id}", body)

    assert (response.status_code, response.json()["code"]) == (400, "invalid_body")
    assert (await world.call("PATCH", "/v1/orders/a.b", {"qty": 1})).status_code == 404


async def test_anothers_order_can_only_be_replaced_by_an_operator(world: World):
    order_id = (await world.submit()).json()["order_id"]

    theirs = (await world.call("PATCH", f"/v1/orders/{order_id}", {"qty": 5}, key="eve")).json()
    operators = (await world.call("PATCH", f"/v1/orders/{order_id}", {"qty": 5}, key="operator")).json()

    assert (theirs["status"], theirs["reason"]["code"]) == ("rejected", "NOT_YOUR_ORDER")
    assert operators["status"] == "accepted"


async def test_a_cancel_of_all_names_the_orders_that_the_broker_is_asked_about(world: World):
    ids = sorted([(await world.submit(client_intent_id=f"i-{n}")).json()["order_id"] for n in range(3)])
    await world.submit("eve", client_intent_id="i-9")

    first = (await world.call("DELETE", "/v1/orders?client_intent_id=c-1&reason=done")).json()
    again = (await world.call("DELETE", "/v1/orders?client_intent_id=c-1&reason=done")).json()

    assert (first["status"], first["order_ids"], first["more"]) == ("accepted", ids, False)
    assert (again["decision_seq"], again["order_ids"]) == (first["decision_seq"], ids)
    assert again["message"].startswith("duplicate")
    assert (await world.call("DELETE", "/v1/orders?client_intent_id=c-1&symbol=SPY&reason=done")).status_code == 409
    story = (await world.call("GET", "/v1/intents/c-1")).json()
    assert (story["action"], story["order_ids"]) == ("cancel_all", ids)


async def test_a_close_is_an_intent_with_exact_numbers(world: World):
    await holding(world, "AAPL")

    answer = (await world.call("DELETE", "/v1/positions/AAPL?percent=33.333333333&client_intent_id=x-1")).json()

    assert (answer["status"], answer["intent_id"]) == ("accepted", "x-1")
    intent = await stated(world, "x-1")
    assert isinstance(intent, CloseIntent)
    assert (intent.symbol, intent.qty, intent.percent) == ("AAPL", None, Decimal("33.333333333"))
    again = (await world.call("DELETE", "/v1/positions/AAPL?percent=33.333333333&client_intent_id=x-1")).json()
    assert again["message"].startswith("duplicate")
    assert (await world.call("DELETE", "/v1/positions/AAPL?client_intent_id=x-1")).status_code == 409


async def test_what_is_not_held_is_denied_on_the_record(world: World):
    answer = (await world.call("DELETE", "/v1/positions/AAPL")).json()

    assert (answer["status"], answer["reason"]["code"]) == ("rejected", "NO_POSITION")


@pytest.mark.parametrize("query", ["qty=ten", "qty=1_0", "percent=", "client_intent_id=a.b", "client_intent_id="])
async def test_a_close_that_cannot_be_read_is_refused(world: World, query: str):
    response = await world.call("DELETE", f"/v1/positions/AAPL?{query}")

    assert (response.status_code, response.json()["code"]) == (400, "invalid_body")
    assert await world.inbox.last_seq() == 0


async def test_closing_everything_is_one_decision_for_each_position(world: World):
    for symbol in ("SPY", "AAPL"):
        await holding(world, symbol)

    first = (await world.call("DELETE", "/v1/positions?client_intent_id=x-1")).json()

    assert [(one["symbol"], one["status"], one["qty"]) for one in first["closes"]] == [
        ("AAPL", "accepted", "10"),
        ("SPY", "accepted", "10"),
    ]
    assert first["closes"][0]["intent_id"] == part_id(IntentId("x-1"), Symbol("AAPL"))
    assert (await world.call("DELETE", "/v1/positions?client_intent_id=x-1")).json() == first
    assert await world.inbox.last_seq() == 2


async def test_closing_everything_again_finds_what_is_closed_by_now(world: World):
    await holding(world, "AAPL")
    first = (await world.call("DELETE", "/v1/positions?client_intent_id=x-1")).json()
    await holding(world, "AAPL", "-10")

    assert (await world.call("DELETE", "/v1/positions?client_intent_id=x-1")).json() == first
    assert (await world.call("DELETE", "/v1/positions?client_intent_id=x-2")).json()["closes"] == []


async def test_what_is_not_decided_in_time_is_pending(tmp_path: Path):
    async with running_world(tmp_path, decision_wait_s=0.01, answering=False) as world:
        await holding(world, "AAPL")
        calls = [
            ("PATCH", "/v1/orders/lg-1", {"qty": 1, "client_intent_id": "p-1"}),
            ("DELETE", "/v1/orders?client_intent_id=p-2", None),
            ("DELETE", "/v1/positions/AAPL?client_intent_id=p-3", None),
        ]
        for number, (method, path, body) in enumerate(calls, 1):
            response = await world.call(method, path, body)
            assert (response.status_code, response.headers["location"]) == (202, f"/v1/intents/p-{number}")
        closes = (await world.call("DELETE", "/v1/positions")).json()["closes"]
        assert [one["status"] for one in closes] == ["pending"]


@pytest.mark.parametrize(
    ("method", "path"), [("PATCH", "/v1/orders/lg-1"), ("DELETE", "/v1/orders"), ("DELETE", "/v1/positions")]
)
async def test_a_key_that_may_only_read_changes_nothing(world: World, method: str, path: str):
    body = json.dumps({"qty": 1}).encode() if method == "PATCH" else None

    assert (await world.call(method, path, body, key="watcher")).status_code == 403
    assert (await world.call(method, path, body, key=None)).status_code == 401


async def test_a_dry_run_says_what_would_be_and_that_nothing_was_sent(world: World):
    answer = (await world.submit(dry_run=True)).json()
    assert (answer["status"], answer["order_id"], answer["reservation"]["qty"]) == ("would_accept", None, "10")
    assert answer["message"].startswith("dry run: nothing was sent")
    assert not world.view.state.orders

    again = (await world.submit(dry_run=True)).json()
    assert "duplicate" in again["message"]
    assert (await world.submit()).status_code == 409  # the id is used up: the order is another intent

    denied = (await world.submit(client_intent_id="i-2", dry_run=True, qty=1000)).json()
    assert (denied["status"], denied["message"][:8]) == ("rejected", "dry run:")


async def test_replaces_and_closes_have_dry_runs_too(world: World):
    order_id = (await world.submit()).json()["order_id"]
    replaced = await world.call("PATCH", f"/v1/orders/{order_id}", {"qty": "5", "dry_run": True})
    assert (replaced.json()["status"], replaced.json()["order"]["replacement"]) == ("would_accept", None)

    await holding(world, "SPY")
    closed = (await world.call("DELETE", "/v1/positions/SPY?dry_run=true&qty=4")).json()
    assert (closed["status"], closed["order_id"], closed["reservation"]["qty"]) == ("would_accept", None, "4")
    assert (await world.call("DELETE", "/v1/positions/SPY?dry_run=maybe")).status_code == 400


async def test_conditions_reach_every_kind_of_intent(world: World):
    told = {"if_position": "-3", "if_state_seq": 12, "expected_price": 189.1, "price_tolerance_bps": "5"}
    order_id = (await world.submit(**told)).json()["order_id"]
    await world.call("PATCH", f"/v1/orders/{order_id}", told | {"client_intent_id": "i-2", "qty": 5})
    query = "&".join(f"{name}={value}" for name, value in told.items())
    await world.call("DELETE", f"/v1/positions/AAPL?client_intent_id=i-3&{query}")
    for intent_id in ("i-1", "i-2", "i-3"):
        intent = await stated(world, intent_id)
        assert (intent.if_position, intent.if_state_seq) == (Decimal(-3), 12)
        assert (intent.expected_price, intent.price_tolerance_bps) == (Decimal("189.1"), Decimal(5))

    assert (await world.submit(client_intent_id="i-4", if_position="1_0")).status_code == 400


async def test_a_cancel_of_all_may_name_an_agent_and_leave_exits_alone(world: World):
    answer = await world.call("DELETE", "/v1/orders?client_intent_id=i-1&agent=demo&entries_only=true")
    assert answer.status_code == 200
    intent = await stated(world, "i-1")
    assert (intent.agent, intent.entries_only) == ("demo", True)
    assert (await world.call("DELETE", "/v1/orders?agent=a.b")).status_code == 400
