"""The floor: two hops through JetStream with bare nats-py and one process between them, where risk stands.

Run as a script it is that process: it reads one stream and publishes to the other, and waits for the confirmation.
"""

import asyncio
import sys
import time

import nats
import uvloop
from nats.aio.msg import Msg

from ops.bench.figures import Figure, figure

IN, OUT = "BENCH_IN", "BENCH_OUT"
BODY = b"x" * 300
WARM_UP = 50


async def forward(url: str) -> None:
    """Carry every message from one stream to the other until the process is ended."""
    link = await nats.connect(url)
    js = link.jetstream()

    async def carry(message: Msg) -> None:
        await js.publish(f"bench.out.{message.subject.rsplit('.', 1)[1]}", message.data)

    await js.subscribe("bench.in.>", stream=IN, cb=carry, ordered_consumer=True)
    print("ready", flush=True)
    await asyncio.Event().wait()


async def measure(url: str, count: int, gap_s: float) -> Figure:
    """Time publishing into the first stream until the message comes out of the second."""
    link = await nats.connect(url)
    js = link.jetstream()
    await js.add_stream(name=IN, subjects=["bench.in.>"])
    await js.add_stream(name=OUT, subjects=["bench.out.>"])
    forwarder = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ops.bench.floor", url, stdout=asyncio.subprocess.PIPE
    )
    out = forwarder.stdout
    if out is None or await out.readline() != b"ready\n":
        raise RuntimeError("the forwarder did not start")
    started: dict[str, int] = {}
    times_us: list[float] = []
    done = asyncio.Event()

    async def arrived(message: Msg) -> None:
        times_us.append((time.monotonic_ns() - started[message.subject.rsplit(".", 1)[1]]) / 1000)
        if len(times_us) == count + WARM_UP:
            done.set()

    await js.subscribe("bench.out.>", stream=OUT, cb=arrived, ordered_consumer=True)
    for number in range(count + WARM_UP):
        started[str(number)] = time.monotonic_ns()
        await js.publish(f"bench.in.{number}", BODY)
        await asyncio.sleep(gap_s)
    await asyncio.wait_for(done.wait(), 30)
    forwarder.kill()
    await forwarder.wait()
    await link.close()
    return figure("floor: two bare JetStream hops", times_us[WARM_UP:])


if __name__ == "__main__":
    uvloop.run(forward(sys.argv[1]))
