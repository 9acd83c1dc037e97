"""How long a kill takes under load: seen from the broker's socket, and as the OMS itself tells it.

Agents state intents all the while. What counts as the end of the block is the last order whose bytes reached the
simulator after the word was on its way; where none came after it, the block took no longer than the word's own
publish. Both stand on this machine's monotonic clock. An order that came after the OMS's proof says that nothing came
any more is no figure but a defect.
"""

import asyncio
import json
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import nats
from nats.aio.client import Client

from contracts import subjects
from contracts.codec import encode
from contracts.controls import KillEngaged, KillReleased
from contracts.enums import KillMode
from contracts.ids import IntentId
from ops.bench.figures import Figure, figure
from ops.bench.system import DEMO, PAPER, System

STEP_S = 0.02
SETTLED_S = 0.15
"""So long after a proof an order that left before it has long been counted by the simulator."""
PROOF_S_MAX = 30.0
_NS_PER_US = 1000


class _Trial:
    """One kill: when its word went out and when it was acknowledged, and what the OMS proved."""

    def __init__(self, sent_ns: int, acked_ns: int, proof: dict[str, Any]) -> None:
        self.sent_ns, self.acked_ns, self.proof = sent_ns, acked_ns, proof
        self.until_ns = 0


async def measure(system: System, count: int, rate: int) -> list[Figure]:
    """Kill and release `count` times while `rate` intents a second flow."""
    agent, operator = await _linked(system, "agent-demo"), await _linked(system, "operator")
    stopping = asyncio.Event()
    loading = asyncio.create_task(_load(agent, rate, stopping))
    try:
        await asyncio.sleep(1)
        trials = await _trials(operator, count)
    finally:
        stopping.set()
        await loading
    arrivals = await asyncio.to_thread(system.arrivals_ns)
    for link in (agent, operator):
        await link.close()
    if not arrivals:
        raise RuntimeError("no order came to the broker: the load did not flow")
    return _figures(trials, sorted(arrivals.values()))


async def _linked(system: System, name: str) -> Client:
    me = system.credentials(name)
    return await nats.connect(me["nats_url"], nkeys_seed_str=me["nkey_seed"], inbox_prefix=me["inbox_prefix"])


async def _load(link: Client, rate: int, stopping: asyncio.Event) -> None:
    number, due_s = 0, time.monotonic()
    while not stopping.is_set():
        due_s += STEP_S
        for _ in range(max(int(rate * STEP_S), 1)):
            name = IntentId(f"load-{number}")
            body = {"type": "intent.submit.v1", "intent_id": name, "symbol": "AAPL", "side": "buy", "qty": "1"}
            body |= {"order_type": "limit", "limit_price": f"1.{number % 90 + 10}"}
            await link.publish(subjects.intent(PAPER, DEMO, name), json.dumps(body).encode())
            number += 1
        await asyncio.sleep(max(due_s - time.monotonic(), 0))


async def _trials(link: Client, count: int) -> list[_Trial]:
    proofs: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def heard(message: Any) -> None:
        event = json.loads(message.data)
        if event["type"] == "broker.kill_verified.v1":
            proofs.put_nowait(event)

    await link.subscribe(subjects.broker(PAPER), cb=heard)
    js, control = link.jetstream(), subjects.control(PAPER)
    trials: list[_Trial] = []
    for _ in range(count):
        said: dict[str, Any] = {"epoch": 0, "by": "bench", "reason": "bench"}
        word = encode(KillEngaged(at=datetime.now(UTC), mode=KillMode.BLOCK_NEW, **said))
        sent_ns = time.monotonic_ns()
        ack = await js.publish(control, word)
        acked_ns = time.monotonic_ns()
        async with asyncio.timeout(PROOF_S_MAX):
            proof = await proofs.get()
            while proof["engaged_seq"] != ack.seq:
                proof = await proofs.get()
        trials.append(_Trial(sent_ns, acked_ns, proof))
        await asyncio.sleep(SETTLED_S)
        trials[-1].until_ns = time.monotonic_ns()
        await js.publish(control, encode(KillReleased(at=datetime.now(UTC), **said)))
        await asyncio.sleep(SETTLED_S)
    return trials


def _figures(trials: list[_Trial], arrived_ns: list[int]) -> list[Figure]:
    at_broker = [_blocked_us(trial, arrived_ns) for trial in trials]
    shut = [_told_us(trial, "blocked_after_ms") for trial in trials]
    silent = [_told_us(trial, "silent_after_ms") for trial in trials]
    if any(late > proved for late, proved in zip(at_broker, silent, strict=True)):
        raise RuntimeError("an order came to the broker after the proof that none does")
    stored = [(trial.acked_ns - trial.sent_ns) / _NS_PER_US for trial in trials]
    return [
        figure("kill → last order bytes at the broker", at_broker, "budget p99 2,000"),
        figure("kill → the OMS's gate is shut", shut, "budget p99 2,000"),
        figure("kill → all sent before is answered", silent),
        figure("kill → stored in the journal", stored),
    ]


def _told_us(trial: _Trial, name: str) -> float:
    """Give one of the times that the OMS proved."""
    if trial.proof[name] is None:
        raise RuntimeError(f"a kill without {name}: {trial.proof['detail']}")
    return float(Decimal(trial.proof[name]) * 1000)


def _blocked_us(trial: _Trial, arrived_ns: list[int]) -> float:
    """Give how long after the word the last order came, 0 when none did."""
    late = [at for at in arrived_ns if trial.sent_ns < at <= trial.until_ns]
    return (late[-1] - trial.sent_ns) / _NS_PER_US if late else 0.0
