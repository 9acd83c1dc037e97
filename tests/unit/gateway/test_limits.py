"""Limits in layers over HTTP: what binds whom, who may set a layer, and what belongs to one agent."""

from decimal import Decimal
from typing import Any

import pytest

from contracts import subjects
from contracts.controls import LayerSet
from contracts.limits import LimitOverride
from tests.risk_world import limits_set, observed
from tests.unit.gateway.world import PAPER, World
from tests.unit.risk.rows_layers import granted

pytestmark = pytest.mark.anyio
LIMITS = "/v1/risk/limits"
DEMO = f"{LIMITS}/agent.demo"


async def begin(world: World) -> None:
    await world.journal.append(subjects.control(PAPER), limits_set())
    await world.journal.append(subjects.broker(PAPER), observed())


async def put(world: World, path: str = DEMO, who: str = "operator", **body: Any) -> Any:
    return await world.call("PUT", path, {"reason": "first week"} | body, key=who)


async def test_an_operator_sets_a_layer_and_the_record_names_who_and_why(world: World):
    await begin(world)
    answer = (await put(world, limits={"max_order_notional_usd": "1500", "max_daily_trades": 5})).json()
    assert (answer["scope"], answer["version"], answer["seq"]) == ("agent.demo", 1, 3)
    event = world.journal.events[-1].event
    assert isinstance(event, LayerSet)
    assert (event.by, event.reason) == ("subject-operator", "first week")
    assert event.limits == LimitOverride(max_order_notional_usd=Decimal(1500), max_daily_trades=5)

    shown = (await world.call("GET", LIMITS)).json()
    assert shown["bounds"]["max_order_notional_usd"] == {"value": "1500", "scope": "agent.demo", "mandate": False}
    assert shown["bounds"]["max_gross_exposure_usd"]["scope"] == "account"
    assert shown["agent_book"]["max_daily_trades"] == 5
    assert [(layer["scope"], layer["version"]) for layer in shown["layers"]] == [("agent.demo", 1)]
    assert (await world.call("GET", LIMITS, key="eve")).json()["layers"] == []
    assert (await world.call("GET", f"{LIMITS}?agent=demo", key="eve")).status_code == 404


async def test_a_strategy_is_gated_by_regime(world: World):
    await begin(world)
    gated = await put(world, f"{LIMITS}/strategy.mean_reversion", limits={"regimes_allowed": ["CHOP"]})
    assert gated.json()["limits"]["regimes_allowed"] == ["CHOP"]
    shown = (await world.call("GET", f"{LIMITS}?strategy=mean_reversion")).json()
    bound = {"value": ["CHOP"], "scope": "strategy.mean_reversion", "mandate": False}
    assert shown["bounds"]["regimes_allowed"] == bound
    assert (await world.call("GET", LIMITS)).json()["bounds"]["regimes_allowed"]["value"] is None


async def test_a_layer_is_replaced_whole_and_taken_away_with_a_reason(world: World):
    await begin(world)
    await put(world, limits={"max_daily_trades": 5})
    second = (await put(world, limits={"max_open_orders": 2})).json()
    assert (second["version"], second["limits"]["max_daily_trades"]) == (2, None)
    assert (await put(world, limits={"max_open_orders": 2})).json()["version"] == 2
    assert (await world.call("DELETE", DEMO, key="operator")).status_code == 400
    gone = (await world.call("DELETE", f"{DEMO}?reason=over", key="operator")).json()
    assert (gone["version"], gone["limits"]) == (3, None)
    assert (await world.call("DELETE", f"{DEMO}?reason=over", key="operator")).status_code == 404


async def test_a_version_that_was_not_looked_at_is_not_replaced(world: World):
    await begin(world)
    assert (await put(world, limits={"max_daily_trades": 5}, if_version=0)).status_code == 200
    answer = await put(world, limits={"max_daily_trades": 6}, if_version=0)
    assert (answer.status_code, answer.json()["details"]) == (409, {"version": 1})


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (DEMO, {"limits": {"max_dayly_trades": 5}}, 400),
        (DEMO, {"limits": {"max_daily_trades": -5}}, 400),
        (DEMO, {"limits": {"regimes_allowed": ["CALM"]}}, 400),
        (DEMO, {"limits": {"max_order_notional_usd": "NaN"}}, 400),
        (DEMO, {"limits": {}}, 400),
        (DEMO, {}, 400),
        (DEMO, {"limits": {"max_daily_trades": 5}, "reason": " "}, 400),
        (f"{LIMITS}/symbol.AAPL", {"limits": {"max_daily_trades": 5}}, 400),
        (f"{LIMITS}/symbol.A%20B", {"limits": {"max_spread_bps": 5}}, 404),
        (f"{LIMITS}/agent.a%0Ab", {"limits": {"max_daily_trades": 5}}, 404),
        (f"{LIMITS}/everybody", {"limits": {"max_daily_trades": 5}}, 404),
    ],
)
async def test_what_makes_no_layer_is_refused(world: World, path: str, body: dict[str, Any], status: int):
    await begin(world)
    assert (await put(world, path, **body)).status_code == status
    assert len(world.journal.events) == 2


async def test_only_control_sets_layers(world: World):
    await begin(world)
    assert (await put(world, who="demo", limits={"max_daily_trades": 5})).status_code == 403
    assert (await world.call("DELETE", f"{DEMO}?reason=over", key="demo")).status_code == 403


async def test_an_agents_book_shows_what_its_own_limits_leave(world: World):
    await begin(world)
    await world.journal.append(subjects.control(PAPER), granted(budget_per_day_usd=Decimal(9000)))
    await put(world, limits={"max_gross_exposure_usd": "3000", "max_open_orders": 4})
    book = (await world.call("GET", "/v1/agents/demo")).json()
    assert book["headroom"] == {
        "max_gross_exposure_usd": "3000",
        "max_open_orders": "4",
        "max_turnover_usd": "9000",
    }
    assert (book["positions"], book["gross_usd"], book["trades"]) == ({}, "0", 0)
    assert (await world.call("GET", "/v1/agents/demo", key="eve")).status_code == 404
    assert (await world.call("GET", "/v1/agents/nobody", key="operator")).status_code == 404
