"""What faults do to REST, and how the control port sets, lists and clears them."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.unit.simulator.faulty import Faulty, told_in, until


async def lost(sim: Faulty, client_order_id: str = "c-1") -> str:
    """Place an order whose connection breaks, and say how."""
    try:
        answer = await sim.post(client_order_id)
    except aiohttp.ClientError as error:
        return type(error).__name__
    return f"HTTP {answer.status}"


def test_a_504_can_come_after_the_order_was_taken(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("accept_then_504", client_order_id="c-1", times=1)
        answer = await sim.post("c-1")
        assert (answer.status, answer.content_type) == (504, "text/html")
        await sim.shows("c-1", "filled")
        again = await sim.post("c-1")
        assert (await again.json())["message"] == "client_order_id must be unique"

    told_in(tmp_path, story)


def test_a_504_can_come_without_the_order_having_been_taken(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("refuse_504", times=1)
        assert (await sim.post()).status == 504
        assert await sim.order() is None
        await sim.place()

    told_in(tmp_path, story)


@pytest.mark.parametrize(("name", "taken"), [("accept_then_reset", True), ("refuse_reset", False)])
def test_a_connection_can_be_reset_with_the_order_taken_or_not(tmp_path: Path, name: str, *, taken: bool) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm(name, times=1)
        assert await lost(sim) in {"ClientOSError", "ServerDisconnectedError"}
        assert (await sim.order() is not None) is taken

    told_in(tmp_path, story)


@pytest.mark.parametrize("accept", [True, False])
def test_an_answer_can_stall_until_the_fault_is_cleared(tmp_path: Path, *, accept: bool) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("stall", accept=accept)
        waiting = asyncio.create_task(lost(sim))
        await until(sim.struck)
        if accept:
            await sim.shows("c-1", "filled")
        assert not waiting.done()
        await sim.clear()
        assert await asyncio.wait_for(waiting, 10) in {"ClientOSError", "ServerDisconnectedError"}
        assert (await sim.order() is not None) is accept

    told_in(tmp_path, story)


def test_a_429_storm_turns_away_everything_with_its_headers_for_so_many_requests(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("rate_limit", times=2, retry_after=3)
        answers = [await sim.client.get("/v2/account"), await sim.post(), await sim.post()]
        assert [answer.status for answer in answers] == [429, 429, 200]
        assert (answers[0].headers["Retry-After"], answers[0].headers["X-RateLimit-Remaining"]) == ("3", "0")
        assert (await answers[0].json())["code"] == 42910000
        assert (await sim.client.get("/v2/stocks/quotes/latest?symbols=AAPL")).status == 200

    told_in(tmp_path, story)


@pytest.mark.parametrize(
    ("headers", "present"),
    [("all", [True, True]), ("retry_after", [True, False]), ("ratelimit", [False, True]), ("none", [False, False])],
)
def test_a_429_storm_has_the_headers_it_was_told_to_have(tmp_path: Path, headers: str, present: list[bool]) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("rate_limit", headers=headers)
        answer = await sim.client.get("/v2/account")
        assert [name in answer.headers for name in ("Retry-After", "X-RateLimit-Reset")] == present

    told_in(tmp_path, story)


@pytest.mark.parametrize("accept", [True, False])
def test_a_500_is_a_page_and_the_order_may_be_live(tmp_path: Path, *, accept: bool) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("server_error", accept=accept, http_status=502)
        answer = await sim.post()
        assert (answer.status, answer.content_type) == (502, "text/html")
        assert (await sim.order() is not None) is accept

    told_in(tmp_path, story)


def test_an_answer_can_be_cut_in_half(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("garbled_answer")
        answer = await sim.post()
        assert answer.status == 200
        assert not (await answer.text()).endswith("}")
        await sim.shows("c-1", "filled")

    told_in(tmp_path, story)


def test_a_fault_strikes_only_the_requests_it_names(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        await sim.arm("refuse_504", method="GET,DELETE", path="/v2/orders/*")
        placed = await sim.place()
        path = f"/v2/orders/{placed['id']}"
        assert [(await sim.client.get(path)).status, (await sim.client.delete(path)).status] == [504, 504]
        assert (await sim.client.get("/v2/orders")).status == 200

    told_in(tmp_path, story)


def test_the_control_port_names_what_is_allowed_and_what_is_set(tmp_path: Path) -> None:
    async def story(sim: Faulty) -> None:
        refused = await sim.client.post("/control/faults", json={"fault": "drop_updates"})
        assert refused.status == 400
        assert "drop_update, " in (await refused.json())["message"]
        await sim.arm("drop_update", times=3)
        missing = await sim.client.delete("/control/faults/f9")
        assert (missing.status, (await missing.json())["message"]) == (404, "no fault 'f9'; those set are: f1")
        listed = await (await sim.client.get("/control/faults")).json()
        assert [(shown["id"], shown["times"]) for shown in listed["faults"]] == [("f1", 3)]
        assert listed["kinds"]["drop_update"]["options"][:4] == ["event", "symbol", "client_order_id", "order_id"]
        cleared = await sim.client.delete("/control/faults/f1")
        assert await cleared.json() == {"cleared": ["f1"]}
        locked = await sim.client.get("/control/faults", headers={"X-Control-Key": "wrong"})
        assert locked.status == 401

    told_in(tmp_path, story)
