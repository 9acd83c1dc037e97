"""Controls that lean on facts of market and instrument, with the whole system running: the facts are there."""

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.acceptance.running_system import FAST, System, eventually

RAILS = {
    "ASSETS_REQUIRED": "true",
    "SESSION_REQUIRED": "true",
    "HALTS_RESPECTED": "true",
    "SHORTS_ALLOWED": "true",
    "LIMIT_COLLAR_BPS": "500",
    "PASSIVE_COLLAR_BPS": "5000",
    "REFERENCE_COLLAR_BPS": "1000",
    "FEED_DIVERGENCE_MAX_BPS": "200",
    "MIN_QUOTE_SIZE": "1",
    "MAX_ORDER_QTY": "15",
    "MAX_ORDER_ADV_PCT": "1",
    "MAX_OVERNIGHT_EXPOSURE_USD": "25000",
    "OVERNIGHT_WINDOW_MS": "900000",
    "RISK_PER_TRADE_PCT": "1",
}
LEANING = {
    "assets",
    "halts",
    "session",
    "quote_size",
    "reference_collar",
    "feed_divergence",
    "limit_collar",
    "passive_collar",
    "order_qty",
    "order_adv",
    "overnight_exposure",
}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    running = System(tmp_path_factory.mktemp("facts") / "home", **(FAST | RAILS))
    running.up()
    yield running
    running.down()


def submit(system: System, intent_id: str, **fields: Any) -> Any:
    base = {"client_intent_id": intent_id, "symbol": "AAPL", "side": "buy", "qty": "1", "type": "market"}
    status, answer = system.http("POST", "/v1/intents", base | fields)
    assert status == 200, answer
    return answer


def test_the_first_order_of_the_tour_passes_every_control_and_is_advised_on_its_size(system: System) -> None:
    told = system.command("submit", "AAPL", "buy", "10", "--intent-id", "tour-1", "--wait").stdout
    assert "demo tour-1 approved: buy 10 AAPL market day" in told
    assert "advice: " in told
    story = system.http("GET", "/v1/intents/tour-1")[1]
    passed = {check["name"] for check in story["checks"] if check["passed"]}
    assert passed >= LEANING
    sizing = story["risk"]["sizing"]
    assert sizing["requested_qty"] == "10"
    assert Decimal(sizing["recommended_qty"]) > 0
    assert [step["name"] for step in sizing["adjustments"]] == ["volatility", "liquidity"]


def test_a_slip_of_the_finger_is_caught_by_the_collar_and_by_the_size(system: System) -> None:
    too_much = submit(system, "fat-qty", qty="16")
    assert (too_much["reason"]["code"], too_much["reason"]["max_acceptable_qty"]) == ("MAX_ORDER_QTY", "15")
    assert Decimal(too_much["risk"]["sizing"]["recommended_qty"]) <= 15
    too_dear = submit(system, "fat-price", type="limit", limit_price="999.00")
    assert too_dear["reason"]["code"] == "PRICE_COLLAR"
    for_ever = submit(system, "far-away", type="limit", limit_price="1.00")
    assert for_ever["reason"]["code"] == "PASSIVE_COLLAR"


def test_explaining_the_order_shows_what_was_usual(system: System) -> None:
    submit(system, "explained")

    def told() -> str:
        return system.command("explain", "explained", check=False).stdout

    text = asyncio.run(eventually(told, lambda found: "a usual day's range" in found, "the story is in the trail"))
    assert "passed reference_collar" in text
    assert "advice: " in text


def test_every_decision_derives_again_from_the_record(system: System) -> None:
    submit(system, "proved")
    proof = json.loads(system.command("verify", "--decisions", "--json").stdout)
    assert proof["decisions"]["decisions"] >= 1
    assert proof["decisions"]["divergences"] == 0
