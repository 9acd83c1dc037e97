"""What an outside agent can do, and what it cannot, with the whole system running."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from tests.acceptance.running_system import FAST, ROOT, System, eventually


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    running = System(tmp_path_factory.mktemp("e2e") / "home", **FAST)
    running.up()
    yield running
    running.down()


def intent(intent_id: str, **fields: Any) -> bytes:
    base = {"type": "intent.submit.v1", "intent_id": intent_id, "symbol": "AAPL", "side": "buy", "qty": "1"}
    return json.dumps(base | {"order_type": "limit", "limit_price": "1.00"} | fields).encode()


async def state(link: Client, intent_id: str, body: bytes) -> dict[str, Any]:
    """State an intent and wait for its decision, as any client would."""
    waiting = await link.subscribe(f"acct.paper.decision.demo.{intent_id}")
    await link.jetstream().publish(f"intent.paper.demo.{intent_id}", body)
    answer = json.loads((await waiting.next_msg(timeout=20)).data)
    await waiting.unsubscribe()
    return answer


def test_an_agent_in_plain_nats_py_states_an_intent_and_reads_decision_and_fill(system: System) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "services" / "strategies" / "plain_agent.py"],
        env={"LOCKGATE_HOME": str(system.home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("decision.v1")
    assert "approved" in lines[0]
    assert lines[-1].startswith("order.filled.v1")


def test_the_same_intent_id_again_changes_nothing(system: System) -> None:
    async def scenario() -> None:
        link = await system.agent()
        first = await state(link, "again", intent("again"))
        with pytest.raises(NatsError, match="maximum messages per subject"):
            await link.jetstream().publish("intent.paper.demo.again", intent("again", qty="7"))
        stored = await link.request("$JS.API.DIRECT.GET.JOURNAL_paper.acct.paper.decision.demo.again", timeout=5)
        assert json.loads(stored.data) == first
        orders = [o for o in system.simulator("/v2/orders?status=all&limit=500") if o["qty"] == "7"]
        assert orders == []
        await link.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "subject",
    [
        "intent.paper.other.x1",
        "intent.paper._operator.x1",
        "acct.paper.decision.demo.x1",
        "acct.paper.order.demo.x1",
        "acct.paper.control",
        "acct.paper.broker",
        "quote.AAPL",
    ],
)
def test_an_agent_cannot_publish_as_another_nor_to_the_journal(system: System, subject: str) -> None:
    async def scenario() -> None:
        link = await system.agent()
        with pytest.raises((NatsError, asyncio.TimeoutError)):
            await link.jetstream().publish(subject, intent("x1"), timeout=1)
        await link.close()

    before = system.trail("select max(seq) from trail where type like 'control%'")
    asyncio.run(scenario())
    assert system.trail("select max(seq) from trail where type like 'control%'") == before


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"qty": "-10"}, "INVALID_QTY"),
        ({"qty": "NaN"}, "INVALID_QTY"),
        ({"qty": "1e400"}, "INVALID_QTY"),
        ({"qty": "ten"}, "MALFORMED"),
        ({"qty": 0}, "INVALID_QTY"),
        ({"symbol": "NOPE"}, "SYMBOL_NOT_ALLOWED"),
        ({"limit_price": "0"}, "INVALID_PRICE"),
        ({"qty": "100000", "order_type": "market", "limit_price": None}, "MAX_ORDER_NOTIONAL"),
    ],
)
def test_a_bad_intent_is_denied_with_a_clear_code(system: System, fields: dict[str, Any], code: str) -> None:
    async def scenario() -> None:
        link = await system.agent()
        intent_id = f"bad-{abs(hash(str(fields)))}"
        answer = await state(link, intent_id, intent(intent_id, **fields))
        assert (answer["outcome"], answer["reason"]["code"]) == ("denied", code)
        await link.close()

    asyncio.run(scenario())


def test_of_eight_working_buys_of_4000_usd_exactly_two_fit_under_10000_usd(system: System) -> None:
    async def scenario() -> None:
        link = await system.agent()
        body = {"symbol": "XOM", "qty": "400", "limit_price": "10.00"}
        answers = [await state(link, f"eight-{n}", intent(f"eight-{n}", **body)) for n in range(8)]
        assert [a["outcome"] for a in answers] == ["approved"] * 2 + ["denied"] * 6
        assert {a["reason"]["code"] for a in answers[2:]} == {"MAX_POSITION_NOTIONAL"}
        await link.close()

    asyncio.run(scenario())


def test_an_order_is_canceled_and_its_headroom_comes_back(system: System) -> None:
    async def scenario() -> None:
        link = await system.agent()
        body = {"symbol": "JPM", "qty": "400", "limit_price": "10.00"}
        first = await state(link, "cancel-me", intent("cancel-me", **body))
        cancel = {"type": "intent.cancel.v1", "intent_id": "cancel-it", "order_id": first["order_id"]}
        assert (await state(link, "cancel-it", json.dumps(cancel).encode()))["outcome"] == "approved"
        await eventually(
            lambda: system.http("GET", "/v1/orders?status=open")[1],
            lambda answer: first["order_id"] not in json.dumps(answer),
            "the canceled order is no longer open",
        )
        await link.close()

    asyncio.run(scenario())


def test_killed_means_nothing_new_and_resumed_means_trading_again(system: System) -> None:
    async def scenario() -> None:
        link = await system.agent()
        assert system.command("kill", "--mode", "block_new", "--reason", "a test").returncode == 0
        denied = await state(link, "while-killed", intent("while-killed"))
        assert denied["reason"]["code"] == "KILL_SWITCH"
        assert system.command("resume", "--reason", "the test is over").returncode == 0
        assert (await state(link, "after-kill", intent("after-kill")))["outcome"] == "approved"
        await link.close()

    asyncio.run(scenario())


def test_explain_tells_the_whole_story_of_a_filled_intent(system: System) -> None:
    async def scenario() -> None:
        link = await system.agent()
        body = intent("story", order_type="market", limit_price=None, symbol="MSFT")
        assert (await state(link, "story", body))["outcome"] == "approved"
        await eventually(
            lambda: system.command("explain", "story", "--json", check=False).stdout,
            lambda told: "order.filled.v1" in told,
            "explain shows the fill",
        )
        told = system.command("explain", "story").stdout
        for word in ("order_notional", "position_notional", "filled", "MSFT", "headroom"):
            assert word in told, told
        await link.close()

    asyncio.run(scenario())
