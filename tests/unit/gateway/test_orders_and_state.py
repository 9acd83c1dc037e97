"""What is shown: orders, the account, risk's state; and cancels."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from contracts import subjects
from contracts.broker import AccountObserved, BrokerLinkChanged, ObservedPosition
from contracts.controls import KillEngaged, LimitsSet
from contracts.enums import KillMode, Side
from contracts.ids import AgentId, FillId, OrderId, Symbol
from contracts.limits import LimitSet
from contracts.orders import OrderAcknowledged, OrderCanceled, OrderFilled, OrderUnknown, OrderWorking
from tests.unit.gateway.world import PAPER, START, World

pytestmark = pytest.mark.anyio
AAPL = Symbol("AAPL")
DEMO = AgentId("demo")


async def place(world: World, intent_id: str, qty: str = "10", key: str = "demo") -> OrderId:
    return OrderId((await world.submit(key, client_intent_id=intent_id, qty=qty)).json()["order_id"])


async def happen(world: World, order_id: OrderId, *events: type | object) -> None:
    for event in events:
        await world.tell(event, subjects.order(PAPER, DEMO, order_id))  # pyright: ignore[reportArgumentType]


def fill(order_id: OrderId, qty: str, price: str) -> OrderFilled:
    return OrderFilled(
        epoch=0,
        at=START,
        order_id=order_id,
        fill_id=FillId(f"f-{qty}"),
        symbol=AAPL,
        side=Side.BUY,
        qty=Decimal(qty),
        price=Decimal(price),
        cum_qty=Decimal(qty),
        filled_at=START,
    )


def observed(equity: str = "99800", last_equity: str = "100000", **changes: object) -> AccountObserved:
    facts: dict[str, object] = {
        "epoch": 0,
        "at": START,
        "trading_day": date(2026, 11, 23),
        "equity_usd": Decimal(equity),
        "last_equity_usd": Decimal(last_equity),
        "cash_usd": Decimal("98108.80"),
        "buying_power_usd": Decimal("196217.60"),
        "trading_blocked": False,
    }
    return AccountObserved(**(facts | changes))  # pyright: ignore[reportArgumentType]


def limits(**changes: object) -> LimitsSet:
    return LimitsSet(
        epoch=0,
        at=START,
        version=1,
        limits=LimitSet(**changes),
        by="configuration",
        reason="first",  # pyright: ignore[reportArgumentType]
    )


async def test_an_order_is_shown_as_its_events_tell_it(world: World):
    order_id = await place(world, "i-1")
    await happen(
        world,
        order_id,
        OrderAcknowledged(epoch=0, at=START, order_id=order_id, broker_order_id="b-1", broker_status="new"),
        OrderWorking(epoch=0, at=START, order_id=order_id, broker_status="new"),
        fill(order_id, "4", "189.00"),
    )

    order = (await world.call("GET", f"/v1/orders/{order_id}")).json()

    assert order["status"] == "partially_filled"
    assert order["type"] == "limit"
    assert (order["qty"], order["filled_qty"], order["working_qty"]) == ("10", "4", "6")
    assert Decimal(order["filled_avg_price"]) == 189
    assert order["broker_order_id"] == "b-1"
    assert order["intent_id"] == "i-1"


async def test_orders_are_listed_newest_first_open_ones_by_default(world: World):
    first, second, third = [await place(world, f"i-{n}") for n in range(3)]
    await happen(world, second, OrderCanceled(epoch=0, at=START, order_id=second))

    async def listed(query: str) -> list[str]:
        response = await world.call("GET", f"/v1/orders{query}")
        return [order["order_id"] for order in response.json()["orders"]]

    assert await listed("") == [third, first]
    assert await listed("?status=closed") == [second]
    assert await listed("?status=all") == [third, second, first]
    assert await listed("?status=all&limit=1") == [third]


async def test_an_agent_sees_its_own_orders_and_an_operator_everybodys(world: World):
    order_id = await place(world, "i-own")

    async def listed(key: str) -> list[str]:
        response = await world.call("GET", "/v1/orders", key=key)
        return [order["order_id"] for order in response.json()["orders"]]

    assert [await listed(key) for key in ("demo", "eve", "operator")] == [[order_id], [], [order_id]]
    assert (await world.call("GET", f"/v1/orders/{order_id}", key="eve")).status_code == 404


@pytest.mark.parametrize("query", ["status=some", "limit=0", "limit=501", "limit=many"])
async def test_a_parameter_out_of_range_is_refused(world: World, query: str):
    response = await world.call("GET", f"/v1/orders?{query}")

    assert response.status_code == 400
    assert response.json()["code"] == "invalid_body"


async def test_an_unknown_order_is_not_found(world: World):
    assert (await world.call("GET", "/v1/orders/lg-never")).status_code == 404
    assert (await world.call("POST", "/v1/orders/a.b/cancel")).status_code == 404


async def test_a_cancel_is_an_intent_of_the_keys_agent(world: World):
    order_id = await place(world, "i-1")

    answer = (await world.call("POST", f"/v1/orders/{order_id}/cancel")).json()

    assert answer["status"] == "accepted"
    assert answer["order_id"] == order_id
    assert answer["order"]["order_id"] == order_id
    assert await world.journal.last_on(subjects.decision(PAPER, DEMO, answer["intent_id"])) is not None


async def test_anothers_order_can_only_be_canceled_by_an_operator(world: World):
    order_id = await place(world, "i-1")

    theirs = (await world.call("POST", f"/v1/orders/{order_id}/cancel", key="eve")).json()
    operators = (await world.call("POST", f"/v1/orders/{order_id}/cancel", key="operator")).json()

    assert (theirs["status"], theirs["reason"]["code"]) == ("rejected", "NOT_YOUR_ORDER")
    assert operators["status"] == "accepted"


async def test_a_cancel_of_no_order_is_denied_on_the_record(world: World):
    answer = (await world.call("POST", "/v1/orders/lg-never/cancel")).json()

    assert (answer["status"], answer["reason"]["code"]) == ("rejected", "ORDER_NOT_FOUND")
    assert answer["order"] is None


async def test_a_cancel_with_an_id_may_be_repeated(world: World):
    order_id = await place(world, "i-1")
    other_id = await place(world, "i-2")
    body = {"client_intent_id": "c-1", "reason": "too slow"}

    first = await world.call("POST", f"/v1/orders/{order_id}/cancel", body)
    again = await world.call("POST", f"/v1/orders/{order_id}/cancel", body)
    other = await world.call("POST", f"/v1/orders/{other_id}/cancel", body)

    assert again.json()["decision_seq"] == first.json()["decision_seq"]
    assert again.json()["message"].startswith("duplicate")
    assert other.status_code == 409


async def test_an_id_of_a_submit_cannot_be_used_for_a_cancel(world: World):
    order_id = await place(world, "i-1")

    response = await world.call("POST", f"/v1/orders/{order_id}/cancel", {"client_intent_id": "i-1"})

    assert response.status_code == 409


async def test_the_state_of_an_account_that_nobody_has_seen_is_honest(world: World):
    state = (await world.call("GET", "/v1/state")).json()

    assert state["mode"] == "paper"
    assert state["account"] == "paper"
    assert state["balances"]["cash"] is None
    assert state["positions"] == state["open_orders"] == []
    assert (state["trading_state"], state["trading_state_reasons"]) == ("halted", ["no_limits"])
    assert state["kill_switch"] is False
    assert state["state_seq"] == 0


async def test_the_state_shows_money_positions_orders_and_headroom(world: World):
    await world.tell(limits())
    await world.tell(observed(), subjects.broker(PAPER))
    await world.tell(BrokerLinkChanged(epoch=0, at=START, up=True, detail=""), subjects.broker(PAPER))
    order_id = await place(world, "i-1")
    await happen(world, order_id, fill(order_id, "4", "189.00"))
    marked = ObservedPosition(
        symbol=AAPL, qty=Decimal(4), avg_entry_price=Decimal(189), current_price=Decimal("190.50")
    )
    await world.tell(observed(positions=(marked,)), subjects.broker(PAPER))

    state = (await world.call("GET", "/v1/state")).json()

    assert state["balances"]["equity"] == "99800"
    (position,) = state["positions"]
    assert (position["symbol"], position["qty"]) == ("AAPL", "4")
    assert Decimal(position["market_value_usd"]) == 762
    assert Decimal(position["unrealized_usd"]) == 6
    assert [order["order_id"] for order in state["open_orders"]] == [order_id]
    left = state["risk_headroom"]
    assert (left["remainingDailyTrades"], left["daily_loss_usd"]) == (99, "800")
    assert Decimal(left["gross_exposure_usd"]) == Decimal(50_000) - 762 - 6 * Decimal("189.12")
    assert (state["trading_state"], state["broker_up"]) == ("active", True)
    assert state["state_seq"] == len(world.journal.events)
    assert state["as_of"] == "2026-11-23T15:00:00Z"


async def test_the_risk_state_shows_what_new_orders_are_measured_against(world: World):
    await world.tell(limits(max_position_notional_usd=Decimal(8000)))
    await world.tell(observed(), subjects.broker(PAPER))
    order_id = await place(world, "i-1")
    await happen(world, order_id, OrderUnknown(epoch=0, at=START, order_id=order_id, detail="timeout"))

    risk = (await world.call("GET", "/v1/risk/state")).json()

    assert risk["limits"]["max_order_notional_usd"] == "5000"
    assert risk["limits_version"] == 1
    one = risk["exposure"]["symbols"]["AAPL"]
    assert Decimal(one["exposure_usd"]) == Decimal("1891.20")
    assert Decimal(one["headroom_usd"]) == Decimal("6108.80")
    assert Decimal(risk["exposure"]["gross_usd"]) == Decimal("1891.20")
    assert risk["unknown_orders"] == {"AAPL": 1}
    assert risk["day"]["trades"] == 1
    assert risk["day"]["loss_usd"] == "200"
    assert risk["orders_this_minute"] == 1


async def test_yesterdays_counters_are_not_todays(world: World):
    await world.tell(limits())
    await place(world, "i-1")
    world.clock.advance(timedelta(days=1))

    risk = (await world.call("GET", "/v1/risk/state")).json()

    assert risk["day"]["trades"] == 0
    assert risk["headroom"]["remainingDailyTrades"] == 100
    assert risk["orders_this_minute"] == 0


@pytest.mark.parametrize(
    ("equity", "state", "reasons"),
    [
        ("99600", "active", []),
        ("99000", "reduce_only", ["daily_loss"]),
    ],
)
async def test_a_breached_loss_limit_leaves_only_exits(world: World, equity: str, state: str, reasons: list[str]):
    await world.tell(limits())
    await world.tell(observed(equity=equity), subjects.broker(PAPER))

    shown = (await world.call("GET", "/v1/state")).json()

    assert (shown["trading_state"], shown["trading_state_reasons"]) == (state, reasons)


async def test_an_engaged_kill_switch_is_shown_with_who_and_why(world: World):
    await world.tell(limits())
    await world.tell(KillEngaged(epoch=0, at=START, mode=KillMode.FLATTEN, by="ana", reason="fire"))

    state = (await world.call("GET", "/v1/state")).json()

    assert state["kill_switch"] is True
    assert (state["kill"]["mode"], state["kill"]["by"], state["kill"]["seq"]) == ("flatten", "ana", 2)
    assert state["trading_state"] == "halted"
