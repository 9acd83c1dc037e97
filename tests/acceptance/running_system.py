"""The whole system as a user starts it, and what a user sees of it."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client

from tests.nats_server import free_port

ROOT = Path(__file__).parents[2]
LOCKGATE = ROOT / "ops" / "lockgate"
UP_S_MAX = 60
DEADLINE_S = 60
MANY = "1000000"
FAST = {
    "ORDER_RATE_LIMIT": MANY,
    "MAX_DAILY_TRADES": MANY,
    "MESSAGE_RATE_PER_MIN": MANY,
    "REPLACE_RATE_PER_MIN": MANY,
    "MAX_OPEN_ORDERS": MANY,
    "MAX_DUPLICATES": MANY,
    "MAX_LOOP_REPEATS": MANY,
    "MAX_REPEATS": MANY,
    "MAX_REJECT_STREAK": MANY,
    "MAX_LOSS_STREAK": MANY,
    "MAX_TURNOVER_USD": "1000000000",
    "MAX_ORDER_QTY": "1000000000",
    "MAX_ORDER_ADV_PCT": "100",
    "MAX_SECTOR_EXPOSURE_USD": "1000000000",
    "MAX_CONCENTRATION_PCT": "1000000",
    "MAX_LEVERAGE": "1000000",
    "MAX_OVERNIGHT_EXPOSURE_USD": "1000000000",
    "MAX_LOSS_5M_USD": "1000000",
    "MAX_LOSS_1H_USD": "1000000",
    "MAX_LOSS_WEEK_USD": "1000000",
    "PASSIVE_COLLAR_BPS": "10000",
}
"""Rails on pace, repetition and size out of the way of tests, and room for orders far below the market."""


class System:
    """One running instance in a home of its own."""

    def __init__(self, home: Path, **environ: str) -> None:
        self.home = home
        self.http_port, self.nats_port = free_port(), free_port()
        self._environ = {k: v for k, v in os.environ.items() if not k.startswith(("LOCKGATE", "ALPACA"))} | environ

    def command(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one `lockgate` command on this home."""
        return subprocess.run(
            [LOCKGATE, *words, "--home", self.home],
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=UP_S_MAX + 30,
            check=check,
        )

    def up(self) -> str:
        ports = ("--http-port", str(self.http_port), "--nats-port", str(self.nats_port))
        done = self.command("up", "--detach", *ports, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def down(self) -> None:
        self.command("down", check=False)

    def credentials(self, name: str) -> dict[str, str]:
        return json.loads((self.home / "credentials" / f"{name}.json").read_text())

    def pids(self) -> dict[str, int]:
        status = json.loads(self.command("status", "--json").stdout)
        return {row["name"]: row["pid"] for row in status["processes"]}

    def http(self, method: str, path: str, body: Any = None, who: str = "agent-demo") -> tuple[int, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.credentials(who)['api_key']}",
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def simulator(self, path: str) -> Any:
        """Ask the simulator as its account holder."""
        keys = self.credentials("simulator")
        request = urllib.request.Request(  # noqa: S310
            keys["base_url"] + path,
            headers={"APCA-API-KEY-ID": keys["key_id"], "APCA-API-SECRET-KEY": keys["secret_key"]},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return json.loads(answer.read())

    def trail(self, sql: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(f"file:{self.home}/audit/trail.sqlite3?mode=ro", uri=True)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    async def agent(self, name: str = "agent-demo") -> Client:
        me = self.credentials(name)
        return await nats.connect(
            me["nats_url"],
            nkeys_seed_str=me["nkey_seed"],
            inbox_prefix=me["inbox_prefix"],
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.2,
            error_cb=_ignore,
        )

    def kill_9(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)


async def _ignore(_: Exception) -> None:
    """An agent's client says what it noticed by failing calls."""


async def eventually[T](ask: Callable[[], Awaitable[T] | T], holds: Callable[[T], bool], what: str) -> T:
    """Ask until the answer holds; fail with the last answer when it does not in time."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        found = ask()
        answer = await found if isinstance(found, Awaitable) else found
        if holds(answer):
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {DEADLINE_S} s: {what}; last answer: {str(answer)[:2000]}")
        await asyncio.sleep(0.1)
