"""Trips over HTTP: everybody sees them, a person with a reason resets them, and the states of scopes tell of them."""

from datetime import timedelta
from decimal import Decimal

import pytest

from contracts import subjects
from contracts.broker import AccountObserved, Throttled
from contracts.controls import KillEngaged, LimitsSet, TripReset
from contracts.enums import KillMode
from contracts.limits import LimitSet
from contracts.scopes import agent_scope
from tests.unit.gateway.world import PAPER, START, World

pytestmark = pytest.mark.anyio
RESET = "/v1/trips/reset"
TRIP = {"scope": "account", "trip": "throttles", "reason": "the broker says it was theirs"}


async def tripped(world: World, **limits: object) -> None:
    """Trip the account by one throttled request."""
    rails = LimitSet(max_throttles_per_min=1, **limits)  # pyright: ignore[reportArgumentType] - the test's own
    await world.tell(LimitsSet(epoch=0, at=START, version=1, limits=rails, by="test", reason="test"))
    equity = Decimal(100_000)
    seen = AccountObserved(
        epoch=1,
        at=START,
        trading_day=START.date(),
        equity_usd=equity,
        last_equity_usd=equity,
        cash_usd=equity,
        buying_power_usd=equity,
        trading_blocked=False,
    )
    await world.tell(seen, subjects.broker(PAPER))
    await world.tell(Throttled(epoch=1, at=START, retry_after_ms=1000), subjects.broker(PAPER))


async def test_a_trip_is_shown_with_why_and_what_ends_it(world: World):
    assert (await world.call("GET", "/v1/trips")).json()["trips"] == []
    await tripped(world, trip_cooldown_ms=60_000)

    (trip,) = (await world.call("GET", "/v1/trips", key="watcher")).json()["trips"]

    assert (trip["scope"], trip["trip"], trip["seq"], trip["ends"]) == ("account", "throttles", 3, "cooldown")
    assert (trip["measured"], trip["limit"], trip["until"]) == ("1", "1", "2026-11-23T15:01:00Z")
    world.clock.advance(timedelta(minutes=1))
    assert (await world.call("GET", "/v1/trips")).json()["trips"] == []


async def test_an_operator_with_a_reason_resets_and_the_record_names_them(world: World):
    await tripped(world)

    answer = await world.call("POST", RESET, TRIP, key="operator")

    assert answer.json() == {"scope": "account", "trip": "throttles", "seq": 4}
    event = world.journal.events[-1].event
    assert isinstance(event, TripReset)
    assert (event.by, event.reason, event.epoch) == ("subject-operator", TRIP["reason"], 0)
    assert (await world.call("GET", "/v1/trips")).json()["trips"] == []


@pytest.mark.parametrize(
    ("key", "body", "status"),
    [
        ("demo", TRIP, 403),
        ("operator", TRIP | {"reason": "  "}, 400),
        ("operator", {"scope": "account", "trip": "throttles"}, 400),
        ("operator", TRIP | {"trip": "slippage"}, 404),
        ("operator", TRIP | {"scope": "agent.demo"}, 404),
        ("operator", TRIP | {"force": True}, 400),
        ("operator", b"{", 400),
    ],
)
async def test_who_may_not_or_means_nothing_changes_nothing(world: World, key: str, body: object, status: int):
    await tripped(world)

    assert (await world.call("POST", RESET, body, key=key)).status_code == status
    assert len(world.journal.events) == 3


async def test_the_state_tells_of_every_scope_that_a_key_may_see(world: World):
    await tripped(world)
    for agent in ("demo", "eve"):
        kill = KillEngaged(
            epoch=0, at=START, mode=KillMode.BLOCK_NEW, by="ana", reason="odd", scope=agent_scope(agent)
        )
        await world.tell(kill)

    state = (await world.call("GET", "/v1/state")).json()
    everything = (await world.call("GET", "/v1/state", key="operator")).json()

    assert (state["trading_state"], state["trading_state_reasons"]) == ("reduce_only", ["trip throttles"])
    assert [(told["scope"], told["trading_state"]) for told in state["modes"]] == [
        ("account", "reduce_only"),
        ("agent.demo", "halted"),
    ]
    assert [told["scope"] for told in everything["modes"]] == ["account", "agent.demo", "agent.eve"]
    causes = [(cause["name"], cause["scope"]) for cause in state["modes"][1]["causes"]]
    assert causes == [("kill_switch", "agent.demo"), ("trip throttles", "account")]
