"""The whole system, started for the benchmark in a folder of its own, and an agent that times it."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import nats

from contracts import subjects
from contracts.ids import AccountId, AgentId, IntentId, order_id_for
from ops.bench.figures import Figure, figure

ROOT = Path(__file__).parents[2]
WARM_UP = 50
UNLIMITED = "1000000000"
NO_LIMITS = {
    "ORDER_RATE_LIMIT": UNLIMITED,
    "MAX_DAILY_TRADES": UNLIMITED,
    "MAX_POSITION_SIZE": UNLIMITED,
    "MAX_GROSS_EXPOSURE": UNLIMITED,
    "MAX_NET_EXPOSURE": UNLIMITED,
    "MAX_DAILY_LOSS": UNLIMITED,
    "MAX_DRAWDOWN": UNLIMITED,
    "MESSAGE_RATE_PER_MIN": UNLIMITED,
    "REPLACE_RATE_PER_MIN": UNLIMITED,
    "MAX_OPEN_ORDERS": UNLIMITED,
    "MAX_DUPLICATES": UNLIMITED,
    "MAX_LOOP_REPEATS": UNLIMITED,
    "MAX_REPEATS": UNLIMITED,
    "MAX_TURNOVER_USD": UNLIMITED,
    "MAX_SECTOR_EXPOSURE_USD": UNLIMITED,
    "MAX_CONCENTRATION_PCT": UNLIMITED,
    "MAX_LEVERAGE": UNLIMITED,
    "MAX_OVERNIGHT_EXPOSURE_USD": UNLIMITED,
    "MAX_LOSS_5M_USD": UNLIMITED,
    "MAX_LOSS_1H_USD": UNLIMITED,
    "MAX_LOSS_WEEK_USD": UNLIMITED,
    "MAX_LOSS_STREAK": UNLIMITED,
    "PASSIVE_COLLAR_BPS": UNLIMITED,
    "REGIMES_ALLOWED": "TREND,CHOP,VOL_EXPANSION,UNTRADEABLE",
}
PAPER, DEMO = AccountId("paper"), AgentId("demo")


def free_port() -> int:
    """Find a loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class System:
    """One instance with limits out of the way."""

    def __init__(self, home: Path) -> None:
        """Choose free ports; nothing runs yet."""
        self.home = home
        self._ports = ("--http-port", str(free_port()), "--nats-port", str(free_port()))
        self._environ = {k: v for k, v in os.environ.items() if not k.startswith(("LOCKGATE", "ALPACA"))} | NO_LIMITS

    def _lockgate(self, *words: str) -> None:
        command = [sys.executable, "-m", "services.cli", *words, "--home", str(self.home)]
        done = subprocess.run(command, env=self._environ, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)

    def up(self) -> None:
        """Start it and wait until it is ready."""
        self._lockgate("up", "--detach", *self._ports)

    def down(self) -> None:
        """Stop it."""
        self._lockgate("down")

    def credentials(self, name: str) -> dict[str, str]:
        """Read one of the files that `up` wrote."""
        return json.loads((self.home / "credentials" / f"{name}.json").read_text())

    def arrivals_ns(self) -> dict[str, int]:
        """Ask the simulator when each order's bytes were there."""
        keys = self.credentials("simulator")
        request = urllib.request.Request(  # noqa: S310 - loopback
            keys["control_url"] + "/arrivals", headers={"X-Control-Key": keys.get("control_key", "")}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return dict(json.loads(answer.read()))


async def intent_to_order(system: System, count: int, gap_s: float) -> tuple[Figure, Figure]:
    """Time an agent's publish until its decision is heard, and until the order's bytes are at the broker."""
    me = system.credentials("agent-demo")
    link = await nats.connect(me["nats_url"], nkeys_seed_str=me["nkey_seed"], inbox_prefix=me["inbox_prefix"])
    js = link.jetstream()
    heard_ns: dict[str, int] = {}
    outcomes: dict[str, int] = {}

    async def heard(message: Any) -> None:
        heard_ns[message.subject.rsplit(".", 1)[1]] = time.monotonic_ns()
        outcome = json.loads(message.data)["outcome"]
        outcomes[outcome] = outcomes.get(outcome, 0) + 1

    await link.subscribe("acct.paper.decision.demo.>", cb=heard)
    stated_ns: dict[str, int] = {}
    for number in range(count + WARM_UP):
        intent_id = f"bench-{number}"
        body = {"type": "intent.submit.v1", "intent_id": intent_id, "symbol": "AAPL", "side": "buy", "qty": "1"}
        body |= {"order_type": "limit", "limit_price": "1.00"}
        stated_ns[intent_id] = time.monotonic_ns()
        await js.publish(subjects.intent(PAPER, DEMO, IntentId(intent_id)), json.dumps(body).encode())
        await asyncio.sleep(gap_s)
    arrived_ns = await _all_arrived(system, len(stated_ns))
    await link.close()
    if outcomes != {"approved": len(stated_ns)}:
        raise RuntimeError(f"the benchmark's intents must all be approved: {outcomes}")
    ids = list(stated_ns)[WARM_UP:]
    decided = [(heard_ns[i] - stated_ns[i]) / 1000 for i in ids]
    arrived = [(arrived_ns[order_id_for(PAPER, DEMO, IntentId(i))] - stated_ns[i]) / 1000 for i in ids]
    return (
        figure("agent publish → decision heard", decided),
        figure("agent publish → order bytes at the broker", arrived, "budget p50 1,500"),
    )


async def _all_arrived(system: System, count: int) -> dict[str, int]:
    for _ in range(300):
        arrived = await asyncio.to_thread(system.arrivals_ns)
        if len(arrived) >= count:
            return arrived
        await asyncio.sleep(0.1)
    raise RuntimeError("not every order came to the broker")


def alpaca_submit(system: System, count: int) -> Figure | None:
    """Time alpaca-py's own submit_order until its bytes are at the broker; none where it is not installed."""
    try:
        from alpaca.trading.client import TradingClient  # noqa: PLC0415 - half a second, and only for this figure
        from alpaca.trading.requests import LimitOrderRequest  # noqa: PLC0415
    except ImportError:
        return None
    keys = system.credentials("simulator")
    client = TradingClient(keys["key_id"], keys["secret_key"], url_override=keys["base_url"])
    stated_ns: dict[str, int] = {}
    for number in range(count + WARM_UP):
        name = f"bare-{number}"
        order = LimitOrderRequest(
            symbol="MSFT", qty=1, side="buy", time_in_force="day", limit_price=1.0, client_order_id=name
        )
        stated_ns[name] = time.monotonic_ns()
        client.submit_order(order)
    arrived_ns = system.arrivals_ns()
    times_us = [(arrived_ns[name] - began) / 1000 for name, began in list(stated_ns.items())[WARM_UP:]]
    return figure("alpaca-py submit_order → bytes at the broker", times_us)
