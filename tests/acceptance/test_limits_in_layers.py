"""Rails as they come, waivers and layers of the settings file, and layers set while everything runs."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from contracts.rails import RAILS
from tests.acceptance.running_system import System

SETTINGS = """
[[limits.waivers]]
rail = "max_loss_week_usd"
until = 2100-01-01T00:00:00Z
by = "ada"
reason = "the account is a day old"
[agents.demo]
max_order_notional_usd = 1000
[firm]
max_gross_exposure_usd = 20000
[strategies.trend_follow]
regimes_allowed = ["TREND"]
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system with nothing but its own defaults and this file."""
    home = tmp_path_factory.mktemp("layers") / "home"
    home.mkdir(mode=0o700)
    (home / "lockgate.toml").write_text(SETTINGS)
    running = System(home)
    running.up()
    yield running
    running.down()


def ask(system: System, qty: str, **fields: Any) -> dict[str, Any]:
    body = {"symbol": "AAPL", "side": "buy", "qty": qty, "type": "market"}
    return system.http("POST", "/v1/intents", body | fields)[1]


def limits(system: System) -> dict[str, Any]:
    return system.http("GET", "/v1/risk/limits")[1]


def test_every_rail_is_on_but_the_one_that_is_waived_by_name(system: System) -> None:
    set_ = {name for name, value in limits(system)["limits"].items() if value is not None}
    assert RAILS.keys() - set_ == {"max_loss_week_usd"}
    shown = system.command("limits", "show").stdout
    assert "without max_loss_week_usd until 2100-01-01 00:00Z by ada: the account is a day old" in shown


def turned(system: System, text: str) -> set[tuple[str, str, str]]:
    """Ask what other limits would have made of the two orders that the next test states."""
    (system.home / "regimes.toml").write_text(text)
    found = json.loads(system.command("whatif", "--limits", str(system.home / "regimes.toml"), "--json").stdout)
    flips = {(flip["intent_id"], flip["was"], flip["would_be"]) for flip in found["flips"]}
    return {flip for flip in flips if flip[0] in {"calm", "trend"}}


def test_an_order_passes_in_its_regime_and_a_strategy_for_another_one_is_gated(system: System) -> None:
    first = ask(system, "1", client_intent_id="calm")
    assert first["status"] == "accepted", first
    checks = system.http("GET", "/v1/intents/calm")[1]["checks"]
    assert [check["passed"] for check in checks if check["name"] == "regime"] == [True]
    reason = ask(system, "1", client_intent_id="trend", meta={"strategy": "trend_follow"})["reason"]
    assert (reason["code"], reason["scope"], reason["retryable"]) == ("REGIME", "strategy.trend_follow", True)
    assert "AAPL is in CHOP since" in reason["message"]
    assert turned(system, 'regimes_allowed = ["TREND"]') == {("calm", "approved", "denied")}
    gated_otherwise = '[strategies.trend_follow]\nregimes_allowed = ["CHOP"]'
    assert turned(system, gated_otherwise) == {("trend", "denied", "approved")}


def test_an_agents_layer_of_the_file_binds_it_and_the_denial_names_it(system: System) -> None:
    passed = ask(system, "1")
    assert passed["status"] == "accepted", passed
    reason = ask(system, "20")["reason"]
    assert (reason["code"], reason["scope"], reason["limit"]) == ("MAX_ORDER_NOTIONAL", "agent.demo", "1000")
    assert limits(system)["bounds"]["max_gross_exposure_usd"]["scope"] == "firm"


def test_a_layer_set_while_it_runs_binds_at_once_and_is_on_record(system: System) -> None:
    said = system.command("limits", "set", "--scope", "agent.demo", "max_open_orders=0", "--reason", "look first")
    assert "layer agent.demo is version 2" in said.stdout
    reason = ask(system, "1")["reason"]
    assert (reason["code"], reason["scope"]) == ("MAX_OPEN_ORDERS", "agent.demo")
    status, layer = system.http(
        "PUT",
        "/v1/risk/limits/agent.demo",
        {"limits": {"max_order_notional_usd": "2000"}, "reason": "looked", "if_version": 2},
        who="operator",
    )
    assert (status, layer["version"]) == (200, 3)
    assert ask(system, "1")["status"] == "accepted"
    known = json.loads(system.command("limits", "history", "--scope", "agent.demo", "--json").stdout)
    assert [(one["version"], one["reason"]) for one in known] == [
        (1, "first start with this layer"),
        (2, "look first"),
        (3, "looked"),
    ]


def test_a_rail_whose_waiver_is_over_keeps_everything_from_starting(system: System) -> None:
    other = System(system.home.parent / "other")
    other.home.mkdir(mode=0o700)
    (other.home / "lockgate.toml").write_text(SETTINGS.replace("2100-01-01", "2026-01-01"))
    done = other.command("up", "--detach", "--http-port", str(other.http_port), check=False)
    assert done.returncode != 0
    assert "max_loss_week_usd is neither set nor waived" in done.stdout + done.stderr
