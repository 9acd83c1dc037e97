"""What faults do to trade updates and to the sockets that carry them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError

from tests.unit.simulator.faulty import Faulty, told_in

LIFE = ["pending_new", "new", "fill"]


def test_a_dropped_update_is_never_told_and_the_others_are(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("drop_update", event="new", client_order_id="c-1")
        await sim.place("c-1")
        assert await sim.events(2) == ["pending_new", "fill"]
        await sim.place("c-2")
        assert await sim.events(3) == LIFE
        assert await sim.hits() == [1]

    told_in(tmp_path, story)


def test_a_delayed_update_comes_after_those_that_followed_it(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("delay_update", event="new", delay_ms=100)
        await sim.place()
        assert await sim.events(3) == ["pending_new", "fill", "new"]

    told_in(tmp_path, story)


def test_a_duplicate_is_the_same_to_the_last_id(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("duplicate_update", event="fill", copies=2)
        await sim.place()
        told = await sim.told(5)
        assert told[2] == told[3] == told[4]
        assert told[2]["event"] == "fill"

    told_in(tmp_path, story)


def test_reordered_updates_come_in_another_order_that_the_seed_decides(tmp_path: Path) -> None:
    orders: list[list[str]] = []

    async def story(sim: Faulty) -> None:
        await sim.arm("reorder_update", window=3, seed=4)
        await sim.place()
        orders.append(await sim.events(3))

    for run in ("a", "b"):
        told_in(tmp_path / run, story)
    assert orders[0] == orders[1] != LIFE
    assert sorted(orders[0]) == sorted(LIFE)


def test_what_is_kept_for_reordering_comes_when_its_time_is_over_or_the_fault_is_cleared(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("reorder_update", window=50, hold_ms=50)
        await sim.place("c-1")
        assert sorted(await sim.events(3)) == sorted(LIFE)
        await sim.clear()
        await sim.arm("reorder_update", window=50, hold_ms=60_000)
        await sim.place("c-2")
        await sim.shows("c-2", "filled")
        await sim.silence()
        await sim.clear()
        assert await sim.events(3) == LIFE

    told_in(tmp_path, story)


@pytest.mark.parametrize("form", ["cumulative", "average"])
def test_a_fill_can_carry_the_orders_total_instead_of_its_own_quantity(tmp_path: Path, form: str) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("cumulative_qty", form=form)
        await sim.control("latency", partial_percent=100)
        await sim.place(qty="100")
        fills = [update for update in await sim.told(4) if "price" in update]
        while fills[-1]["event"] != "fill":
            fills += await sim.told(1)
        assert len(fills) > 1
        assert [fill["qty"] for fill in fills] == [fill["order"]["filled_qty"] for fill in fills]
        if form == "average":
            assert {fill["price"] for fill in fills} == {fill["order"]["filled_avg_price"] for fill in fills}

    told_in(tmp_path, story)


def test_events_and_statuses_can_have_names_nobody_knows(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("unknown_event", event="fill", value="teleported")
        await sim.arm("unknown_status", event="fill", value="elsewhere", where="stream")
        await sim.place()
        told = (await sim.told(3))[-1]
        assert (told["event"], told["order"]["status"]) == ("teleported", "elsewhere")
        assert (told["qty"], told["order"]["filled_qty"]) == ("10", "10")
        assert (await sim.shows("c-1", "filled"))["filled_qty"] == "10"

    told_in(tmp_path, story)


def test_rest_can_show_statuses_nobody_knows_and_lack_fields(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("unknown_status", where="rest", client_order_id="c-1", times=2)
        await sim.arm("missing_fields", where="rest", fields="order.filled_at,order.replaced_by")
        shown = await sim.place("c-1")
        assert shown["status"] == "under_quantum_review"
        assert "filled_at" not in shown
        listed = await (await sim.client.get("/v2/orders?status=all")).json()
        assert [order["status"] for order in listed] == ["under_quantum_review"]
        assert (await sim.shows("c-1", "filled"))["status"] == "filled"
        assert [update["order"]["status"] for update in await sim.told(3)] == ["pending_new", "new", "filled"]

    told_in(tmp_path, story)


def test_optional_fields_can_be_missing(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("missing_fields", event="fill")
        await sim.place()
        told = (await sim.told(3))[-1]
        assert sorted(told) == ["event", "order", "price", "qty"]
        assert "updated_at" not in told["order"]

    told_in(tmp_path, story)


@pytest.mark.parametrize(("instead", "events"), [(False, LIFE), (True, ["pending_new", "fill"])])
def test_a_frame_without_data_comes_before_an_update_or_instead_of_it(
    tmp_path: Path, events: list[str], *, instead: bool
) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("null_frame", event="new", instead=instead)
        await sim.place()
        frames = [await sim.frame() for _ in range(len(events) + 1)]
        assert frames[1] == {"data": None}
        assert [frame["data"]["event"] for frame in frames if frame["data"]] == events

    told_in(tmp_path, story)


def test_the_socket_can_be_cut_in_the_moment_of_an_update(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("disconnect_on_update", event="new", times=1)
        await sim.place()
        assert await sim.events(1) == ["pending_new"]
        await sim.cut_off()
        await sim.shows("c-1", "filled")
        await sim.listen()
        await sim.place("c-2")
        assert await sim.events(3) == LIFE

    told_in(tmp_path, story)


def test_the_sockets_can_be_cut_now(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        assert (await sim.arm("disconnect_stream"))["hits"] == 1
        await sim.cut_off()

    told_in(tmp_path, story)


def test_a_silent_socket_stays_open_and_answers_pings_unless_it_is_deaf(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("silent_stream")
        await sim.place("c-1")
        await sim.shows("c-1", "filled")
        await sim.silence()
        assert await sim.hits() == [3]
        await sim.clear()
        await sim.place("c-2")
        assert [update["order"]["client_order_id"] for update in await sim.told(3)] == ["c-2"] * 3
        await sim.arm("silent_stream", deaf=True)
        await sim.socket.send_json({"action": "listen", "data": {"streams": []}})
        await sim.silence()
        await sim.clear()
        assert (await sim.frame())["data"] == {"streams": []}

    told_in(tmp_path, story)


def test_a_handshake_can_be_refused_with_429_so_many_times(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("refuse_stream", times=2)
        statuses: list[int] = []
        for _ in range(2):
            with pytest.raises(WSServerHandshakeError) as refused:
                await sim.listen()
            statuses.append(refused.value.status)
        assert statuses == [429, 429]
        other = await sim.client.ws_connect("/stream")
        await other.close()

    told_in(tmp_path, story, trade_streams=0)


def test_faults_of_the_data_socket_cross_quotes_silence_them_and_cut_it(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        socket = await sim.client.ws_connect("/v2/iex")
        await socket.send_json({"action": "subscribe", "quotes": ["AAPL"]})

        async def messages() -> list[dict[str, Any]]:
            return await asyncio.wait_for(socket.receive_json(), 10)

        while (await messages())[0]["T"] != "subscription":
            pass
        await sim.arm("crossed_quotes", symbol="AAPL", times=1)
        await sim.quote("99.80", "99.95")
        (crossed,) = await messages()
        assert (crossed["bp"], crossed["ap"]) == (99.95, 99.80)
        await sim.arm("silent_quotes", symbol="AAPL", channel="quotes", times=1)
        await sim.quote("99.81", "99.96")
        await sim.quote("99.82", "99.97")
        (told,) = await messages()
        assert (told["bp"], told["ap"]) == (99.82, 99.97)
        assert (await sim.arm("disconnect_data"))["hits"] == 1
        assert (await asyncio.wait_for(socket.receive(), 10)).type.name in {"CLOSE", "CLOSED", "ERROR"}
        await sim.arm("refuse_data")
        again = await sim.client.ws_connect("/v2/iex")
        told_first = [(await again.receive_json())[0] for _ in range(2)]
        assert [message.get("code") for message in told_first] == [None, 406]
        await again.close()

    told_in(tmp_path, story)
