"""No mandate, no trade; and what an agent must not do alone waits for a person: through the running system."""

import itertools
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.acceptance.running_system import FAST, System, eventually

pytestmark = [pytest.mark.timeout(240)]
_NUMBERS = itertools.count()
REQUIRED = {"MANDATES_REQUIRED": "true", "MAX_NET_EXPOSURE": "1000000", "MAX_POSITION_SIZE": "100000"}
ASIDE = {"type": "limit", "limit_price": "100.00"}
"""Far below the market, so that the order works and does not fill."""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    running = System(tmp_path_factory.mktemp("mandates") / "home", **FAST, **REQUIRED)
    running.up()
    yield running
    running.down()


def state(system: System, **terms: Any) -> dict[str, Any]:
    """State an intent over HTTP until the market is there; give the answer."""
    body = {"symbol": "AAPL", "side": "buy", "qty": "1", "type": "market", **terms}
    while True:
        body["client_intent_id"] = f"m{next(_NUMBERS)}"
        status, answer = system.http("POST", "/v1/intents", body)
        if code_of(answer) not in {"NO_QUOTE", "STALE_QUOTE", "NO_ACCOUNT", "MAX_SPREAD"}:
            return answer | {"http": status}


def code_of(answer: dict[str, Any]) -> str | None:
    return None if answer.get("reason") is None else answer["reason"]["code"]


def grant(system: System, *words: str) -> None:
    system.command("mandate", "grant", "demo", *words, "--reason", "test")


def held(system: System, **terms: Any) -> str:
    answer = state(system, qty="10", **ASIDE, **terms)
    assert (answer["http"], answer["status"], code_of(answer)) == (202, "held", "NEEDS_APPROVAL")
    return answer["intent_id"]


def waiting(system: System) -> list[str]:
    _, answer = system.http("GET", "/v1/approvals", who="operator")
    return [one["intent_id"] for one in answer["waiting"]]


def story(system: System, intent_id: str) -> dict[str, Any]:
    return system.http("GET", f"/v1/intents/{intent_id}")[1]


async def order_in(system: System, intent_id: str, status: str) -> dict[str, Any]:
    def order() -> dict[str, Any]:
        return story(system, intent_id).get("order") or {}

    return await eventually(order, lambda found: found.get("status") == status, f"{intent_id} is {status}")


@pytest.mark.anyio
async def test_a_fresh_home_lets_its_agent_trade_until_a_person_says_no(system: System) -> None:
    _, own = system.http("GET", "/v1/mandates/demo")
    assert (own["version"], own["in_force"], own["mandate"]["venues"]) == (1, True, ["paper"])
    bought = state(system)
    assert bought["status"] == "accepted"
    await order_in(system, bought["intent_id"], "filled")

    system.command("mandate", "revoke", "demo", "--reason", "strange orders")
    assert code_of(state(system)) == "NO_MANDATE"
    left = state(system, side="sell")
    assert left["status"] == "accepted", "what is held may be reduced"
    await order_in(system, left["intent_id"], "filled")

    grant(system, "--symbols", "SPY", "--sides", "buy")
    assert code_of(state(system)) == "MANDATE_FORBIDS"
    assert code_of(state(system, symbol="SPY", side="sell")) == "MANDATE_FORBIDS"
    told = system.command("mandate", "history", "demo").stdout
    assert "REVOKED" in told
    assert "strange orders" in told
    shown = json.loads(system.command("mandate", "show", "demo", "--json").stdout)
    assert (shown["version"], shown["mandate"]["symbols"]) == (3, ["SPY"])
    assert "demo  version 3" in system.command("mandate", "list").stdout


def test_the_days_budget_binds_the_agents_own_orders(system: System) -> None:
    grant(system, "--budget", "0.01")
    denied = state(system, **ASIDE)
    assert code_of(denied) == "MAX_TURNOVER"
    assert Decimal(denied["reason"]["limit"]) == Decimal("0.01")
    assert denied["reason"]["scope"] == "agent.demo"


def test_tightening_over_the_command_line_refuses_to_widen(system: System) -> None:
    grant(system, "--budget", "50000")
    system.command("mandate", "tighten", "demo", "--budget", "40000", "--reason", "less")
    wider = system.command("mandate", "tighten", "demo", "--budget", "50000", "--reason", "more", check=False)
    assert wider.returncode == 2
    assert "would widen budget_per_day_usd" in wider.stderr


@pytest.mark.anyio
async def test_what_waits_is_let_go_and_becomes_the_agents_own_order(system: System) -> None:
    grant(system, "--approval-from", "900")
    intent_id = held(system)
    assert waiting(system) == [intent_id]
    assert intent_id in system.command("approvals", "list").stdout
    done = system.command("approvals", "approve", intent_id, "--reason", "looked at it")
    assert f"for demo {intent_id} approved" in done.stdout

    order = await order_in(system, intent_id, "working")
    assert (order["agent"], order["intent_id"]) == ("demo", intent_id)
    assert waiting(system) == []
    twice = system.http("POST", f"/v1/approvals/demo/{intent_id}", {"approve": True, "reason": "again"}, "operator")
    assert code_of(twice[1]) == "NOT_HELD"
    system.http("POST", f"/v1/orders/{order['order_id']}/cancel")
    await order_in(system, intent_id, "canceled")

    def told() -> str:
        return system.command("explain", intent_id, check=False).stdout

    text = await eventually(told, lambda text: "canceled (" in text, "the trail has the end of the story")
    assert "waits for a person" in text
    assert text.index("_operator") < text.index("acknowledged as")


def test_what_is_refused_never_becomes_an_order(system: System) -> None:
    grant(system, "--approval-from", "900")
    intent_id = held(system)
    system.command("approvals", "deny", intent_id, "--reason", "too large")
    assert (waiting(system), story(system, intent_id)["order"]) == ([], None)
    late = system.command("approvals", "approve", intent_id, "--reason", "no, fine", check=False)
    assert late.returncode == 2
    assert "no intent" in late.stderr


@pytest.mark.anyio
async def test_nobody_answers_in_time_and_it_is_over(system: System) -> None:
    grant(system, "--approval-from", "900", "--approval-wait", "1ms")
    intent_id = held(system)
    await eventually(lambda: waiting(system), lambda ids: ids == [], "its time is over")
    word = {"approve": True, "reason": "late"}
    answer = system.http("POST", f"/v1/approvals/demo/{intent_id}", word, "operator")[1]
    assert code_of(answer) == "APPROVAL_EXPIRED"


def test_the_kill_switch_stands_between_holding_and_letting_go(system: System) -> None:
    grant(system, "--approval-from", "900")
    intent_id = held(system)
    system.command("kill", "--reason", "strange fills")
    try:
        word = {"approve": True, "reason": "anyway"}
        answer = system.http("POST", f"/v1/approvals/demo/{intent_id}", word, "operator")[1]
        assert code_of(answer) == "KILL_SWITCH"
        assert waiting(system) == [intent_id]
    finally:
        system.command("resume", "--reason", "over")
    system.command("approvals", "deny", intent_id, "--reason", "enough")


@pytest.mark.anyio
async def test_what_waits_survives_a_killed_risk_and_is_let_go_afterwards(system: System) -> None:
    grant(system, "--approval-from", "900")
    intent_id = held(system)
    before = system.pids()["risk"]
    system.kill_9(before)
    await eventually(lambda: system.pids()["risk"], lambda pid: pid not in {None, before}, "risk is back")

    def let_go() -> dict[str, Any]:
        word = {"approve": True, "reason": "still fine"}
        return system.http("POST", f"/v1/approvals/demo/{intent_id}", word, "operator")[1]

    # While risk comes up there is no quote yet, and a word grows stale: the intent goes on waiting.
    said = await eventually(let_go, lambda answer: answer["status"] == "accepted", "it is let go")
    order = await order_in(system, intent_id, "working")
    assert order["order_id"] == said["order_id"]
    system.http("POST", f"/v1/orders/{order['order_id']}/cancel")


@pytest.mark.anyio
async def test_every_decision_on_what_waited_derives_again(system: System) -> None:
    done = system.command("verify", "--decisions", check=False)
    assert "all come out byte for byte" in done.stdout, done.stdout + done.stderr
