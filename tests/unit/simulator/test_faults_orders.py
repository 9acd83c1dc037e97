"""What faults do to orders themselves, to trades that were done, and to the broker's clock."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.simulator.faulty import Faulty, told_in


async def cancel(sim: Faulty, placed: dict[str, Any]) -> int:
    return (await sim.client.delete(f"/v2/orders/{placed['id']}")).status


async def books(sim: Faulty) -> tuple[Decimal, dict[str, str]]:
    """Return cash and shares."""
    state = await (await sim.client.get("/control/state")).json()
    return Decimal(state["cash"]), state["positions"]


def age_s(stamp: str) -> float:
    """Return how long ago something was, by the true clock."""
    return (datetime.now(UTC) - datetime.fromisoformat(stamp)).total_seconds()


async def position(sim: Faulty) -> dict[str, Any]:
    return await (await sim.client.get("/v2/positions/AAPL")).json()


def test_an_order_can_be_taken_and_never_heard_of_again(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("never_acknowledged", client_order_id="c-1")
        assert (await sim.place("c-1"))["status"] == "pending_new"
        await sim.silence()
        await sim.shows("c-1", "pending_new")
        await sim.clear()
        assert await sim.events(3) == ["pending_new", "new", "fill"]

    told_in(tmp_path, story)


def test_an_order_can_stay_pending_new_and_still_be_canceled(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("never_new")
        placed = await sim.place()
        assert await sim.events(1) == ["pending_new"]
        await sim.silence()
        assert await cancel(sim, placed) == 204
        assert await sim.events(2) == ["pending_cancel", "canceled"]

    told_in(tmp_path, story)


def test_an_order_can_be_taken_and_then_rejected(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("reject_later", symbol="AAPL", times=1)
        await sim.place()
        (told,) = await sim.told(1)
        assert (told["event"], told["order"]["status"]) == ("rejected", "rejected")
        await sim.place("c-2")
        assert await sim.events(3) == ["pending_new", "new", "fill"]

    told_in(tmp_path, story)


def test_a_cancel_can_stay_pending_while_the_order_still_fills(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("stuck_cancel")
        stuck, other = await sim.rest("c-1"), await sim.rest("c-2")
        assert await sim.events(4) == ["pending_new", "new"] * 2
        assert [await cancel(sim, stuck), await cancel(sim, other)] == [204, 204]
        assert await sim.events(2) == ["pending_cancel"] * 2
        await sim.silence()
        await sim.clear()
        assert await sim.events(2) == ["canceled"] * 2

    told_in(tmp_path, story)


def test_a_cancel_can_lose_to_a_fill(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("lose_cancel")
        placed = await sim.rest()
        assert await cancel(sim, placed) == 204
        told = await sim.told(5)
        assert [update["event"] for update in told[2:]] == ["pending_cancel", "fill", "order_cancel_rejected"]
        assert (told[3]["price"], told[3]["qty"], told[4]["reason"]) == ("50", "10", "TOO_LATE_TO_CANCEL")
        assert (await sim.shows("c-1", "filled"))["filled_avg_price"] == "50"

    told_in(tmp_path, story)


def test_a_cancel_can_be_refused_after_the_204_and_the_order_works_on(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("lose_cancel", outcome="rejected", times=1)
        placed = await sim.rest()
        await cancel(sim, placed)
        assert (await sim.events(4))[2:] == ["pending_cancel", "order_cancel_rejected"]
        await sim.shows("c-1", "new")
        await cancel(sim, placed)
        assert await sim.events(2) == ["pending_cancel", "canceled"]

    told_in(tmp_path, story)


def test_a_replacement_can_be_taken_and_then_rejected(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("reject_replace")
        placed = await sim.rest()
        answer = await sim.client.patch(f"/v2/orders/{placed['id']}", json={"limit_price": "51"})
        assert answer.status == 200
        assert (await sim.events(5))[2:] == ["pending_replace", "rejected", "order_replace_rejected"]
        assert (await sim.shows("c-1", "new"))["limit_price"] == "50"

    told_in(tmp_path, story)


def test_a_busted_trade_leaves_order_position_and_cash_as_if_it_had_not_been(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.place("c-1")
        await sim.shows("c-1", "filled")
        await sim.quote("109.90", "110.00")
        await sim.place("c-2")
        fill = (await sim.told(6))[-1]
        assert await books(sim) == (97900, {"AAPL": "20"})
        struck = await sim.arm("bust_trade", execution_id=fill["execution_id"])
        assert struck["hits"] == 1
        (told,) = await sim.told(1)
        assert (told["event"], told["previous_execution_id"]) == ("trade_bust", fill["execution_id"])
        assert (told["qty"], told["price"], told["position_qty"]) == ("-10", "110", "10")
        assert (told["order"]["filled_qty"], told["order"]["status"]) == ("0", "filled")
        assert await books(sim) == (99000, {"AAPL": "10"})
        assert (await position(sim))["avg_entry_price"] == "100"
        shown = await sim.order("c-2")
        assert shown is not None
        assert (shown["filled_qty"], shown["filled_avg_price"]) == ("0", None)

    told_in(tmp_path, story)


def test_a_busted_close_brings_the_position_back_at_its_cost(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.place("c-1")
        await sim.shows("c-1", "filled")
        await sim.place("c-2", side="sell", qty="4")
        await sim.shows("c-2", "filled")
        assert (await sim.arm("bust_trade", client_order_id="c-2", activities="record"))["hits"] == 1
        assert await books(sim) == (99000, {"AAPL": "10"})
        assert (await position(sim))["avg_entry_price"] == "100"
        rows = await (await sim.client.get("/v2/account/activities/FILL")).json()
        assert [(row["type"], row["qty"], row["cum_qty"]) for row in rows[:2]] == [
            ("trade_bust", "4", "0"),
            ("fill", "4", "4"),
        ]

    told_in(tmp_path, story)


def test_a_corrected_trade_counts_with_its_new_price_and_can_be_busted_after_that(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.place()
        fill = (await sim.told(3))[-1]
        await sim.arm("correct_trade", qty="8", price="99")
        (told,) = await sim.told(1)
        assert (told["event"], told["previous_execution_id"]) == ("trade_correct", fill["execution_id"])
        assert (told["qty"], told["price"], told["order"]["filled_qty"]) == ("8", "99", "8")
        assert await books(sim) == (99208, {"AAPL": "8"})
        assert (await position(sim))["avg_entry_price"] == "99"
        await sim.arm("bust_trade")
        (again,) = await sim.told(1)
        assert (again["previous_execution_id"], again["qty"]) == (told["execution_id"], "-8")
        assert await books(sim) == (100000, {})

    told_in(tmp_path, story)


def test_a_trade_that_is_not_there_cannot_be_busted(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.place()
        await sim.shows("c-1", "filled")
        for options in ({"fault": "bust_trade", "symbol": "MSFT"}, {"fault": "correct_trade", "qty": "11"}):
            assert (await sim.client.post("/control/faults", json=options)).status == 400
        assert await books(sim) == (99000, {"AAPL": "10"})

    told_in(tmp_path, story)


@pytest.mark.parametrize("skew_s", [3600, -3600])
def test_the_brokers_clock_can_be_wrong_and_set_right_with_orders_on_their_way(tmp_path: Path, skew_s: int) -> None:
    async def story(sim: Faulty) -> None:
        await sim.control("latency", ack_ms=50)
        await sim.place("c-1")
        await sim.arm("clock_skew", skew_seconds=skew_s)
        shown = await (await sim.client.get("/v2/clock")).json()
        assert abs(age_s(shown["timestamp"]) + skew_s) < 60
        await sim.shows("c-1", "filled")
        await sim.place("c-2")
        await sim.clear()
        filled = await sim.shows("c-2", "filled")
        assert Decimal(filled["filled_qty"]) == 10
        assert abs(age_s(filled["filled_at"])) < 60

    told_in(tmp_path, story)


def test_a_skew_ends_by_itself_after_its_seconds(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("clock_skew", skew_seconds=7200, seconds="0.05")
        filled: dict[str, Any] = {}
        for number in range(100):
            await sim.place(f"c-{number}")
            filled = await sim.shows(f"c-{number}", "filled")
            if abs(age_s(filled["filled_at"])) < 60:
                return
        raise AssertionError(filled)

    told_in(tmp_path, story)


def test_a_quote_pinned_while_the_brokers_clock_is_wrong_bears_the_true_time(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("clock_skew", skew_seconds=3600)
        body = {"symbol": "AAPL", "bid": "99.90", "ask": "100"}
        pinned = await (await sim.client.post("/control/quote", json=body)).json()
        assert abs(age_s(pinned["time"])) < 60

    told_in(tmp_path, story)
