"""Every process and the NATS server are killed while intents flow; nothing is lost and nothing happens twice."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from tests.acceptance.running_system import FAST, System, eventually

pytestmark = [pytest.mark.timeout(300)]

INTENTS = 200
VICTIMS = ("gateway", "risk", "oms", "regime", "audit", "nats")
ALREADY_STATED = 10077
ENDED = ("filled", "rejected", "canceled")
WIDE = {
    "MAX_POSITION_SIZE": "10000000",
    "MAX_GROSS_EXPOSURE": "100000000",
    "MAX_NET_EXPOSURE": "100000000",
    "MAX_DAILY_LOSS": "1000000",
    "MAX_DRAWDOWN": "1000000",
}


@pytest.fixture
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    running = System(tmp_path_factory.mktemp("e2e") / "home", **FAST, **WIDE)
    running.up()
    yield running
    running.down()


def body(number: int) -> bytes:
    # One side for each symbol: the broker refuses a market order while an opposite one works (wash trade).
    symbol, side = (("AAPL", "buy"), ("MSFT", "buy"), ("SPY", "sell"))[number % 3]
    intent = {"type": "intent.submit.v1", "intent_id": f"k{number}", "symbol": symbol, "side": side, "qty": "1"}
    return json.dumps(intent | {"order_type": "market"}).encode()


async def state_until_stored(link: Client, number: int) -> None:
    """Publish until the server has it; a repeat of what it has is refused, and that is as good."""
    while True:
        try:
            await link.jetstream().publish(f"intent.paper.demo.k{number}", body(number), timeout=1)
        except APIError as error:
            if error.err_code == ALREADY_STATED:
                return
        except (TimeoutError, NatsError):
            await asyncio.sleep(0.05)
        else:
            return


def decisions(system: System) -> list[dict[str, Any]]:
    rows = system.trail("select body from trail where type = 'decision' and admitted = 1")
    return [json.loads(row[0]) for row in rows]


def journal_positions(system: System) -> dict[str, Decimal]:
    held: Counter[str] = Counter()
    for (text,) in system.trail("select body from trail where type = 'order.filled' and admitted = 1"):
        fill = json.loads(text)
        held[fill["symbol"]] += Decimal(fill["qty"]) * (1 if fill["side"] == "buy" else -1)
    return {symbol: qty for symbol, qty in held.items() if qty}


def broker_positions(system: System) -> dict[str, Decimal]:
    return {p["symbol"]: Decimal(p["qty"]) for p in system.simulator("/v2/positions")}


async def kill_each(system: System) -> None:
    """Kill one after another; the next only when the one before is back."""
    for victim in VICTIMS:
        pid = system.pids()[victim]
        system.kill_9(pid)
        await eventually(
            lambda: asyncio.to_thread(system.command, "status", "--json", check=False),
            lambda done, v=victim, old=pid: done.returncode == 0 and _is_back(done.stdout, v, old),
            f"{victim} is back",
        )


def _is_back(status: str, victim: str, old_pid: int) -> bool:
    rows = {row["name"]: row for row in json.loads(status)["processes"]}
    return rows[victim]["pid"] not in (None, old_pid) and all(row["state"] == "ready" for row in rows.values())


def test_everything_is_killed_while_intents_flow_and_nobody_has_to_help(system: System) -> None:
    async def scenario() -> None:
        link = await system.agent()
        killing = asyncio.create_task(kill_each(system))
        for number in range(INTENTS):
            await state_until_stored(link, number)
            if not killing.done():
                await asyncio.sleep(0.1)
        await killing
        decided = await eventually(
            lambda: decisions(system), lambda found: len(found) >= INTENTS, "every intent is decided"
        )
        assert Counter(d["intent_id"] for d in decided) == Counter({f"k{n}": 1 for n in range(INTENTS)})
        approved = {d["order_id"] for d in decided if d["outcome"] == "approved"}
        assert len(approved) > INTENTS // 2, Counter(d["reason"]["code"] for d in decided if d["reason"])
        orders = await eventually(
            lambda: system.simulator("/v2/orders?status=all&limit=500"),
            lambda found: len(found) >= len(approved) and all(o["status"] in ENDED for o in found),
            "every approved order is at the simulator and has ended",
        )
        assert Counter(o["client_order_id"] for o in orders) == Counter(dict.fromkeys(approved, 1))
        await eventually(
            lambda: (journal_positions(system), broker_positions(system)),
            lambda both: both[0] == both[1],
            "journal and simulator agree on positions",
        )
        await link.close()

    asyncio.run(scenario())
