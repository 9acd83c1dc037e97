"""What agents get beside orders, with the whole system running: dry runs, conditions, leases, an end to loops."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contracts import subjects
from contracts.codec import encode
from contracts.controls import MandateGranted
from contracts.ids import AccountId, AgentId
from contracts.mandates import Mandate
from tests.acceptance.running_system import FAST, System, eventually

PAPER, DEMO = AccountId("paper"), AgentId("demo")
LEASE_MS = 1_500
BEATS_PER_LEASE = 15
LIVING_AGENT = """
import asyncio, json, sys, nats
async def live(me):
    link = await nats.connect(me["nats_url"], nkeys_seed_str=me["nkey_seed"], inbox_prefix=me["inbox_prefix"])
    while True:
        await link.publish(f"beat.{me['account']}.{me['agent']}")
        await link.flush()
        print("alive", flush=True)
        await asyncio.sleep(0.1)
asyncio.run(live(json.load(open(sys.argv[1]))))
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    rails = {"MAX_LOOP_REPEATS": "5", "LOOP_COOLDOWN_MS": "60000"}
    running = System(tmp_path_factory.mktemp("comforts") / "home", **(FAST | rails))
    running.up()
    yield running
    running.down()


def submit(system: System, intent_id: str, **fields: Any) -> Any:
    base = {"client_intent_id": intent_id, "symbol": "AAPL", "side": "buy", "qty": "1", "type": "market"}
    status, answer = system.http("POST", "/v1/intents", base | fields)
    assert status == 200, answer
    return answer


def orders_at_broker(system: System) -> int:
    return len(system.simulator("/v2/orders?status=all&limit=500"))


def near(system: System, intent_id: str, factor: str) -> str:
    """A price so many times the worst at which a share could be bought now; asked with a dry run."""
    would = submit(system, intent_id, dry_run=True)
    return str((Decimal(would["reservation"]["price_usd"]) * Decimal(factor)).quantize(Decimal("0.01")))


def test_a_dry_run_trades_nothing_over_http_nats_and_the_command_line(system: System) -> None:
    before = orders_at_broker(system)
    trades = system.http("GET", "/v1/risk/state")[1]["day"]["trades"]

    answer = submit(system, "dry-http", dry_run=True)
    assert (answer["status"], answer["order_id"]) == ("would_accept", None)
    assert answer["message"].startswith("dry run: nothing was sent")
    assert Decimal(answer["reservation"]["qty"]) == 1

    told = system.command("submit", "AAPL", "buy", "1", "--dry-run", "--wait", "--json").stdout
    assert json.loads(told)["decision"]["outcome"] == "would_approve"
    too_much = system.command("submit", "AAPL", "buy", "100000", "--dry-run", check=False)
    assert (too_much.returncode, "denied" in too_much.stdout) == (1, True)

    async def over_nats() -> dict[str, Any]:
        link = await system.agent()
        heard = await link.subscribe("acct.paper.decision.demo.dry-nats")
        intent = {"type": "intent.submit.v1", "intent_id": "dry-nats", "symbol": "AAPL", "side": "buy", "qty": "1"}
        body = json.dumps(intent | {"order_type": "market", "dry_run": True}).encode()
        await link.jetstream().publish("intent.paper.demo.dry-nats", body)
        decision = json.loads((await heard.next_msg(timeout=20)).data)
        await link.close()
        return decision

    assert asyncio.run(over_nats())["outcome"] == "would_approve"
    assert submit(system, "real")["status"] == "accepted"  # decided after all of them
    after = system.http("GET", "/v1/risk/state")[1]
    assert after["day"]["trades"] == trades + 1
    assert orders_at_broker(system) == before + 1


def test_of_two_who_count_on_the_same_state_only_one_trades(system: System) -> None:
    async def scenario() -> list[dict[str, Any]]:
        links = {"demo": await system.agent(), "_operator": await system.agent("operator")}
        seq = system.http("GET", "/v1/state")[1]["state_seq"]
        heard = [await link.subscribe(f"acct.paper.decision.{who}.race") for who, link in links.items()]
        body = {"type": "intent.submit.v1", "intent_id": "race", "symbol": "MSFT", "side": "buy", "qty": "1"}
        stated = json.dumps(body | {"order_type": "market", "if_state_seq": seq}).encode()
        await asyncio.gather(
            *(link.jetstream().publish(f"intent.paper.{who}.race", stated) for who, link in links.items())
        )
        decisions = [json.loads((await one.next_msg(timeout=20)).data) for one in heard]
        for link in links.values():
            await link.close()
        return decisions

    decisions = asyncio.run(scenario())
    assert sorted(one["outcome"] for one in decisions) == ["approved", "denied"]
    lost = next(one for one in decisions if one["outcome"] == "denied")
    assert lost["reason"]["code"] == "STATE_CHANGED"


def test_the_same_id_finds_the_first_answer_and_with_another_body_a_conflict(system: System) -> None:
    first = submit(system, "once", symbol="NVDA", if_position="0")
    again = submit(system, "once", symbol="NVDA", if_position="0")
    assert (again["decision_seq"], again["order_id"]) == (first["decision_seq"], first["order_id"])
    assert again["message"].startswith("duplicate")
    other = {"client_intent_id": "once", "symbol": "NVDA", "side": "buy", "qty": "2", "type": "market"}
    assert system.http("POST", "/v1/intents", other)[0] == 409


def test_who_states_what_was_denied_again_and_again_is_told_to_wait(system: System) -> None:
    said = [submit(system, f"loop-{number}", qty="100000") for number in range(7)]
    codes = [one["reason"]["code"] for one in said]
    assert codes[0] != "LOOP_BREAKER"
    assert codes[:5] == [codes[0]] * 5
    assert codes[5:] == ["LOOP_BREAKER"] * 2
    assert said[-1]["reason"]["retry_after_ms"] > 0
    assert submit(system, "not-a-loop", dry_run=True)["status"] == "would_accept"


def test_entries_of_an_agent_that_is_killed_go_and_its_exits_stay(system: System) -> None:
    assert grant(system, LEASE_MS) > 0
    with living_agent(system) as agent:
        bought = submit(system, "lease-buy", qty="2")
        wait_for(system, bought["order_id"], "filled")
        entry = submit(system, "lease-entry", type="limit", limit_price=near(system, "lease-p1", "0.97"))
        leaves = near(system, "lease-p2", "1.03")
        out = submit(system, "lease-exit", side="sell", type="limit", limit_price=leaves)
        assert (entry["status"], out["status"]) == ("accepted", "accepted"), (entry, out)
        for order_id in (entry["order_id"], out["order_id"]):
            wait_for(system, order_id, "working")
        hear(agent, 2 * BEATS_PER_LEASE)  # for longer than its lease nothing but its beats
        assert status_of(system, entry["order_id"]) == "working"
        agent.kill()
        agent.wait()
        wait_for(system, entry["order_id"], "canceled")
    assert status_of(system, out["order_id"]) == "working"
    decided = "SELECT outcome, action FROM decisions WHERE agent = '_operator' AND intent_id LIKE 'lease-%'"
    found = asyncio.run(eventually(lambda: system.trail(decided), bool, "the cancel on record"))
    assert found == [("approved", "cancel_all")]
    assert grant(system, None) > 0


def grant(system: System, lease_ms: int | None) -> int:
    """Give the agent a mandate, as the operator."""

    async def grants() -> int:
        link = await system.agent("operator")
        mandate = Mandate(expires_at=datetime.now(UTC) + timedelta(days=1), lease_ms=lease_ms)
        told = MandateGranted(
            epoch=0, at=datetime.now(UTC), agent=DEMO, version=9, mandate=mandate, by="test", reason="lease"
        )
        stored = await link.jetstream().publish(subjects.control(PAPER), encode(told))
        await link.close()
        return stored.seq

    return asyncio.run(grants())


def living_agent(system: System) -> "subprocess.Popen[str]":
    credentials = Path(system.home) / "credentials" / "agent-demo.json"
    words = [sys.executable, "-c", LIVING_AGENT, str(credentials)]
    agent = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    hear(agent, 1)
    return agent


def hear(agent: "subprocess.Popen[str]", beats: int) -> None:
    assert agent.stdout is not None
    for _ in range(beats):
        assert agent.stdout.readline() == "alive\n"


def status_of(system: System, order_id: str) -> str:
    return system.http("GET", f"/v1/orders/{order_id}")[1]["status"]


def wait_for(system: System, order_id: str, status: str) -> None:
    asyncio.run(
        eventually(lambda: status_of(system, order_id), lambda found: found == status, f"{order_id} {status}")
    )


def test_every_decision_on_all_of_this_follows_from_the_record(system: System) -> None:
    done = system.command("verify", "--decisions", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
