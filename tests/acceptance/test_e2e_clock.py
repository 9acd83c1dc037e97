"""A broker whose clock is not ours, with the whole system running: only exits pass until both agree for a while."""

import json
from collections.abc import Iterator

import pytest

from tests.acceptance.running_system import FAST, System
from tests.acceptance.stating import code, submit, wait

RECOVERY_MS = 3_000
OFTEN = {"LOCKGATE_CLOCK_EVERY_MS": "300", "HEALTH_RECOVERY_MS": str(RECOVERY_MS)}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    running = System(tmp_path_factory.mktemp("clock") / "home", **(FAST | OFTEN))
    running.up()
    yield running
    running.down()


def causes(system: System) -> list[str]:
    return system.http("GET", "/v1/state")[1]["trading_state_reasons"]


def test_a_fresh_system_trades_at_once_and_has_its_clock_among_the_checks(system: System) -> None:
    first = submit(system, client_intent_id="fresh", qty="3")
    assert (code(first), causes(system)) == (None, [])
    checks = {check["name"]: check for check in system.http("GET", "/v1/intents/fresh")[1]["checks"]}
    assert checks["clock"]["passed"]
    assert "clock_skew_max_ms" in system.command("limits", "rails").stdout


@pytest.mark.parametrize(("skew_s", "side"), [("30", "ahead of"), ("-30", "behind")])
def test_a_clock_that_is_wrong_leaves_only_exits_until_it_has_been_right_for_a_while(
    system: System, skew_s: str, side: str
) -> None:
    wait(lambda: code(submit(system, qty="2")), lambda found: found is None, "new risk passes")
    wait(lambda: system.http("GET", "/v1/state")[1]["positions"], bool, "shares are held")
    system.command("sim", "fault", "clock_skew", "--skew-seconds", skew_s)
    denied = wait(lambda: submit(system), lambda found: code(found) == "CLOCK_SKEW", "new risk is stopped")
    assert "the broker's clock is" in denied["reason"]["message"]
    assert 25_000 < float(denied["reason"]["attempted"]) <= 30_500
    assert code(submit(system, side="sell")) is None
    assert causes(system) == ["clock_skew"]
    assert "account clock_skew: the broker's clock is" in system.command("trips", "list").stdout
    told = json.loads(system.command("trips", "list", "--json").stdout)
    assert [(one["scope"], one["name"]) for one in told] == [("account", "clock_skew")]
    assert "reduce_only for account: clock_skew" in system.command("status").stdout
    system.command("sim", "fault", "clear")
    recovering = wait(
        lambda: submit(system), lambda found: "good again" in str(found.get("reason")), "the clock is right again"
    )
    assert code(recovering) == "CLOCK_SKEW"
    assert 0 < recovering["reason"]["retry_after_ms"] <= RECOVERY_MS
    assert code(submit(system, side="sell")) is None
    wait(lambda: code(submit(system)), lambda found: found is None, "new risk passes again")
    assert causes(system) == []
    told = system.command("events", "--type", "broker.clock_compared").stdout.splitlines()
    assert sum(f"ms {side} ours" in line and int(line.split(" is ")[1].split(" ")[0]) > 25_000 for line in told) == 1
    assert "all come out byte for byte" in system.command("verify", "--decisions").stdout
