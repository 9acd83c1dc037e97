"""A person looks at the differences of the books, and settles one; nobody else can."""

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.running_system import System, eventually

BY_HAND = {
    "symbol": "MSFT",
    "side": "buy",
    "type": "limit",
    "limit_price": "1.00",
    "qty": "3",
    "time_in_force": "day",
}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    running = System(Path(tmp_path_factory.mktemp("reconcile")) / "home")
    running.up()
    yield running
    running.down()


def place_by_hand(system: System) -> str:
    keys = system.credentials("simulator")
    request = urllib.request.Request(  # noqa: S310 - loopback
        keys["base_url"] + "/v2/orders",
        data=json.dumps(BY_HAND).encode(),
        headers={"APCA-API-KEY-ID": keys["key_id"], "APCA-API-SECRET-KEY": keys["secret_key"]},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
        return f"ext-{json.load(answer)['id']}"


def test_a_difference_is_shown_refused_without_a_reason_and_settled_by_a_persons_word(system: System) -> None:
    calm = system.command("reconcile")
    assert "agree" in calm.stdout
    order_id = place_by_hand(system)
    looking = eventually(
        lambda: system.command("reconcile", check=False), lambda done: order_id in done.stdout, "the order is shown"
    )
    shown = asyncio.run(looking)
    assert shown.returncode == 1
    silent = system.command("reconcile", "--accept", order_id, check=False)
    assert silent.returncode == 2
    unknown = system.command("reconcile", "--accept", "AAPL", "--reason", "why not", check=False)
    assert f"orphan:{order_id}" in unknown.stderr
    settled = system.command("reconcile", "--accept", order_id, "--reason", "my own order")
    assert "settled" in settled.stdout
    assert system.command("reconcile").returncode == 0
    bought = system.command("submit", "AAPL", "buy", "1", "--json")
    assert '"approved"' in bought.stdout
