"""An order placed at the broker behind Lockgate's back stops the account, and somebody can find out why."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.running_system import System

HALT_S_MAX = 5.0


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    running = System(Path(tmp_path_factory.mktemp("conservation")) / "home")
    running.up()
    yield running
    running.down()


def place_by_hand(system: System) -> str:
    keys = system.credentials("simulator")
    order = {"symbol": "MSFT", "side": "buy", "type": "limit", "limit_price": "1.00", "qty": "3"}
    request = urllib.request.Request(  # noqa: S310 - loopback
        keys["base_url"] + "/v2/orders",
        data=json.dumps(order | {"time_in_force": "day", "client_order_id": "by hand"}).encode(),
        headers={"APCA-API-KEY-ID": keys["key_id"], "APCA-API-SECRET-KEY": keys["secret_key"]},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
        return str(json.load(answer)["id"])


def until(ask: Callable[[], str], holds: Callable[[str], bool]) -> str:
    """Ask until the answer holds; read models follow the journal a moment behind."""
    deadline = time.monotonic() + HALT_S_MAX
    while not holds(answer := ask()):
        assert time.monotonic() < deadline, answer
        time.sleep(0.05)
    return answer


def state(system: System) -> Any:
    return system.http("GET", "/v1/state")[1]


def test_an_order_behind_our_back_halts_the_account_within_its_bound_and_is_explained(system: System) -> None:
    assert state(system)["trading_state"] == "active"
    broker_order_id = place_by_hand(system)
    placed = time.monotonic()
    while state(system)["trading_state"] == "active":
        assert time.monotonic() - placed < HALT_S_MAX
        time.sleep(0.05)
    assert state(system)["trading_state"] == "halted"
    assert "orphan" in " ".join(state(system)["trading_state_reasons"])
    denied = system.command("submit", "AAPL", "buy", "1", "--json", check=False)
    assert "RECONCILIATION_BREAK" in denied.stdout
    order_id = f"ext-{broker_order_id}"
    told = until(lambda: system.command("explain", order_id).stdout, lambda told: "BREAK orphan" in told)
    assert "adopted: buy 3 MSFT" in told
    assert "no decision, exit or replacement of ours explains this order" in told
