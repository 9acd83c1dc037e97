"""Trading that stops by itself, with the whole system running: a noisy agent, a throttling broker, a blind watch."""

from collections.abc import Iterator

import pytest

from tests.acceptance.running_system import FAST, System
from tests.acceptance.stating import code, submit, wait

RAILS = {
    "MAX_REJECT_STREAK": "3",
    "REJECT_WINDOW_MS": "60000",
    "MAX_THROTTLES_PER_MIN": "2",
    "RECONCILIATION_AGE_MAX_MS": "30000",
    "AUDIT_AGE_MAX_MS": "30000",
    "TRIP_HYSTERESIS_PCT": "20",
    "TRIP_COOLDOWN_MS": "900000",
}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    running = System(tmp_path_factory.mktemp("trips") / "home", **(FAST | RAILS))
    running.up()
    yield running
    running.down()


def trading(system: System) -> None:
    wait(lambda: code(submit(system)), lambda found: found is None, "new risk passes")


def tripped(system: System) -> set[tuple[str, str]]:
    return {(trip["scope"], trip["trip"]) for trip in system.http("GET", "/v1/trips")[1]["trips"]}


def modes(system: System) -> dict[str, str]:
    told = system.http("GET", "/v1/state", who="operator")[1]
    return {mode["scope"]: mode["trading_state"] for mode in told["modes"]}


def test_health_is_on_record_and_among_the_checks_of_every_order(system: System) -> None:
    trading(system)
    answer = submit(system, client_intent_id="healthy")
    assert code(answer) is None
    checks = system.http("GET", "/v1/intents/healthy")[1]["checks"]
    assert {check["name"] for check in checks if check["passed"]} >= {"trips", "reconciliation_age", "audit"}
    assert modes(system)["account"] == "active"


def test_rejections_in_a_row_stop_their_agent_alone_until_a_person_resets_it(system: System) -> None:
    trading(system)
    system.command("sim", "fault", "reject_later", "--times", "3")
    for _ in range(3):
        submit(system)
    wait(lambda: tripped(system), lambda found: ("agent.demo", "reject_streak") in found, "the agent has tripped")
    denied = submit(system, client_intent_id="noisy")
    assert code(denied) == "TRIPPED"
    assert (denied["reason"]["scope"], denied["reason"]["retryable"]) == ("agent.demo", True)
    assert 0 < denied["reason"]["retry_after_ms"] <= 900_000
    assert code(submit(system, side="sell")) is None
    assert code(submit(system, "operator", symbol="MSFT")) is None
    assert (modes(system)["account"], modes(system)["agent.demo"]) == ("active", "reduce_only")
    assert "agent.demo reject_streak: the broker rejected 3 orders in a row" in system.command("trips", "list").stdout
    assert "agent.demo reduce_only (trip reject_streak)" in system.command("state").stdout
    told = wait(
        lambda: system.command("explain", "noisy", check=False).stdout,
        lambda found: "TRIPPED" in found,
        "the denial is in the trail",
    )
    assert "reject_streak stopped agent.demo" in told
    system.command("trips", "reset", "agent.demo", "reject_streak", "--reason", "the fault was ours")
    trading(system)
    assert tripped(system) == set()


def test_a_broker_that_throttles_stops_new_risk_and_no_exit_until_a_person_resets_it(system: System) -> None:
    trading(system)
    system.command("sim", "fault", "rate_limit", "--retry-after", "1")
    wait(lambda: tripped(system), lambda found: ("account", "throttles") in found, "the account has tripped")
    system.command("sim", "fault", "clear")
    wait(lambda: code(submit(system, "operator")), lambda found: found == "TRIPPED", "new risk is stopped")
    assert code(submit(system, side="sell")) is None
    reset = {"scope": "account", "trip": "throttles", "reason": "the fault was ours"}
    assert system.http("POST", "/v1/trips/reset", reset)[0] == 403
    assert system.http("POST", "/v1/trips/reset", reset, "operator")[0] == 200
    trading(system)


def test_a_watch_that_cannot_see_leaves_only_exits_until_it_sees(system: System) -> None:
    trading(system)
    blinding = ("--method", "GET", "--path", "/v2/account/activities/FILL", "--http-status", "500")
    system.command("sim", "fault", "server_error", *blinding)
    wait(lambda: code(submit(system)), lambda found: found == "STALE_AUDIT", "new risk is stopped")
    assert code(submit(system, side="sell")) is None
    state = system.http("GET", "/v1/state")[1]
    assert (state["trading_state"], state["trading_state_reasons"]) == ("reduce_only", ["audit_blind"])
    system.command("sim", "fault", "clear")
    trading(system)
    assert modes(system)["account"] == "active"
