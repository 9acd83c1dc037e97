"""The process: what it remembers when it is killed, and how it starts and ends."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp

from tests.unit.simulator.process import REPOSITORY, RunningSimulator, until

KEYS = {"APCA-API-KEY-ID": "KEY", "APCA-API-SECRET-KEY": "SECRET"}


def order(number: int, **fields: Any) -> dict[str, Any]:
    common = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    return {**common, "client_order_id": f"order-{number}", **fields}


async def call(simulator: RunningSimulator, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession(headers=KEYS) as session,
        session.request(method, simulator.url + path, json=body) as answer,
    ):
        return answer.status, await answer.json()


def ask(simulator: RunningSimulator, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    return asyncio.run(call(simulator, method, path, body))


async def flood(simulator: RunningSimulator, count: int, acknowledged: list[str]) -> None:
    """Send orders one after another until the broker dies, noting those it has acknowledged."""
    async with aiohttp.ClientSession(headers=KEYS) as session:
        for number in range(count):
            try:
                async with session.post(f"{simulator.url}/v2/orders", json=order(number)) as answer:
                    body = await answer.json()
            except aiohttp.ClientError:
                return
            assert answer.status == 200
            acknowledged.append(body["client_order_id"])
            if number == count // 2:
                simulator.process.kill()


def test_nothing_acknowledged_is_lost_by_a_kill_and_open_orders_go_on(tmp_path: Path) -> None:
    simulator = RunningSimulator(tmp_path / "data")
    try:
        simulator.pin("AAPL", "99.90", "100.00")
        acknowledged: list[str] = []
        asyncio.run(flood(simulator, 200, acknowledged))
        simulator.kill()
        assert len(acknowledged) >= 100
        assets = simulator.ready["base_url"]
        simulator.start()
        assert simulator.ready["base_url"] != "" != assets

        def all_filled() -> bool:
            _, orders = ask(simulator, "GET", "/v2/orders?status=all&limit=500")
            return {o["client_order_id"] for o in orders} >= set(acknowledged) and all(
                o["status"] == "filled" for o in orders
            )

        until(all_filled)
        _, orders = ask(simulator, "GET", "/v2/orders?status=all&limit=500")
        _, position = ask(simulator, "GET", "/v2/positions/AAPL")
        assert position["qty"] == str(len(orders))
        _, account = ask(simulator, "GET", "/v2/account")
        state = simulator.control("state")
        assert account["cash"].split(".")[0] == state["cash"].split(".")[0]
        assert set(state["orders_by_client_id"].values()) == {1}
        assert ask(simulator, "POST", "/v2/orders", order(0))[0] == 422
    finally:
        simulator.close()


def test_ids_and_prices_are_the_same_after_a_restart(tmp_path: Path) -> None:
    simulator = RunningSimulator(tmp_path / "data")
    try:
        _, before = ask(simulator, "GET", "/v2/assets/AAPL")
        _, account = ask(simulator, "GET", "/v2/account")
        _, waiting = ask(simulator, "POST", "/v2/orders", order(1, type="limit", limit_price="5"))
        until(lambda: ask(simulator, "GET", f"/v2/orders/{waiting['id']}")[1]["status"] == "new")
        assert simulator.stop() == 0
        simulator.start()
        assert ask(simulator, "GET", "/v2/assets/AAPL")[1] == before
        assert ask(simulator, "GET", "/v2/account")[1]["id"] == account["id"]
        after = ask(simulator, "GET", f"/v2/orders/{waiting['id']}")[1]
        assert (after["status"], after["client_order_id"]) == ("new", "order-1")
        assert simulator.control("latency", fill_ms=7)["fill_ms"] == 7
    finally:
        simulator.close()


def test_a_second_simulator_on_the_same_data_does_not_start(tmp_path: Path) -> None:
    simulator = RunningSimulator(tmp_path / "data")
    try:
        command = [sys.executable, "-m", "services.simulator", "--data-dir", str(tmp_path / "data")]
        second = subprocess.run(command, cwd=REPOSITORY, capture_output=True, timeout=60, check=False)
        assert second.returncode != 0
        assert b"locked" in second.stderr
    finally:
        simulator.close()


def test_flags_out_of_range_end_the_process_with_a_message(tmp_path: Path) -> None:
    base = [sys.executable, "-m", "services.simulator"]
    for flags, word in (
        ([], b"--data-dir"),
        (["--data-dir", str(tmp_path), "--speed", "0"], b"--speed"),
        (["--data-dir", str(tmp_path), "--market-hours", "sometimes"], b"--market-hours"),
        (["--data-dir", str(tmp_path), "--ack-ms", "soon"], b"int"),
    ):
        ended = subprocess.run([*base, *flags], cwd=REPOSITORY, capture_output=True, timeout=60, check=False)
        assert ended.returncode == 2
        assert word in ended.stderr


def test_keys_are_made_once_and_kept_private(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "services.simulator", "--data-dir", str(tmp_path)]
    for _ in range(2):
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "ready"
        path = tmp_path / "keys.json"
        assert path.stat().st_mode & 0o777 == 0o600
        keys = json.loads(path.read_bytes())
        assert set(keys) == {"key_id", "secret_key", "control_key"}
        process.terminate()
        assert process.wait(15) == 0
        process.stdout.close()
    assert json.loads(path.read_bytes()) == keys
