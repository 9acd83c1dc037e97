"""Who is let in: the matrix of routes and keys, and what a browser could be tricked into sending."""

import json
import os
from datetime import timedelta

import pytest

from contracts.controls import MandateGranted
from contracts.ids import AgentId
from contracts.mandates import Mandate
from tests.unit.gateway.world import KEYS, START, World, key_record, key_text, submit_body, write_keys

pytestmark = pytest.mark.anyio

ROUTES = [
    ("POST", "/v1/intents", "trade"),
    ("GET", "/v1/intents/i-1", "read"),
    ("GET", "/v1/state", "read"),
    ("GET", "/v1/risk/state", "read"),
    ("GET", "/v1/orders", "read"),
    ("GET", "/v1/orders/lg-1", "read"),
    ("POST", "/v1/orders/lg-1/cancel", "trade"),
    ("POST", "/v1/controls/kill_switch", "trade"),
    ("POST", "/v1/heartbeat", "trade"),
]


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
async def test_every_route_wants_a_key_with_its_scope(world: World, method: str, path: str, scope: str):
    nobody = await world.call(method, path, key=None)
    assert nobody.status_code == 401
    assert nobody.json()["code"] == "unauthenticated"
    assert nobody.headers["www-authenticate"].startswith("Bearer")

    reader = await world.call(method, path, key="watcher")
    assert (reader.status_code == 403) == (scope != "read")
    trader = await world.call(method, path, key="demo")
    assert trader.status_code not in {401, 403}


@pytest.mark.parametrize("path", ["/health", "/openapi.json"])
async def test_open_routes_want_no_key(world: World, path: str):
    assert (await world.call("GET", path, key=None)).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic " + key_text("demo"),
        "Bearer demo",
        "Bearer demo.wrong",
        "Bearer nobody.secret-of-demo",
        "Bearer demo.secret-of-eve",
        "Bearer demo.secret-of-demo.",
        "Bearer \xff.\xfe",
        key_text("demo"),
    ],
)
async def test_only_the_whole_text_of_a_known_key_opens(world: World, header: str):
    headers = {"authorization": header.encode("latin-1")}
    response = await world.http.get("/v1/state", headers=headers)

    assert response.status_code == 401


async def test_the_scheme_may_be_written_in_any_case(world: World):
    response = await world.http.get("/v1/state", headers={"authorization": f"bearer {key_text('demo')}"})

    assert response.status_code == 200


async def test_a_key_of_another_account_is_forbidden(world: World):
    world.keys_path.write_text(json.dumps([key_record("demo", "demo", ["read", "trade"], account="other")]))

    assert (await world.call("GET", "/v1/state")).status_code == 403


async def test_keys_are_read_again_when_their_file_changes(world: World):
    assert (await world.call("GET", "/v1/state", key="eve")).status_code == 200
    write_keys(world.keys_path, {"demo": KEYS["demo"]})
    assert (await world.call("GET", "/v1/state", key="eve")).status_code == 401
    write_keys(world.keys_path, KEYS)
    os.utime(world.keys_path, ns=(1, 1))
    assert (await world.call("GET", "/v1/state", key="eve")).status_code == 200


@pytest.mark.parametrize("content", [None, "", "[", '[{"key_id": "demo"}]', '{"demo": 1}'])
async def test_a_broken_file_of_keys_lets_nobody_in(world: World, content: str | None):
    assert (await world.call("GET", "/v1/state")).status_code == 200
    if content is None:
        world.keys_path.unlink()
    else:
        world.keys_path.write_text(content)

    response = await world.call("GET", "/v1/state")

    assert response.status_code == 503
    assert response.json()["code"] == "unavailable"


@pytest.mark.parametrize("host", ["127.0.0.1:3000", "localhost:3000", "[::1]:3000", "LOCALHOST:3000"])
async def test_our_own_names_are_known(world: World, host: str):
    assert (await world.call("GET", "/health", host=host)).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:3000", "127.0.0.1", "localhost:3001", "", "127.0.0.1:3000.evil"]
)
async def test_a_strange_host_is_turned_away_everywhere(world: World, host: str):
    for path in ("/health", "/v1/state", "/nowhere"):
        response = await world.call("GET", path, host=host)
        assert response.status_code == 403
        assert response.json()["code"] == "forbidden"


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:8080", "https://127.0.0.1:3000", ""]
)
async def test_another_origin_is_turned_away_even_with_a_key(world: World, origin: str):
    response = await world.call("POST", "/v1/intents", submit_body(), origin=origin)

    assert response.status_code == 403
    assert await world.inbox.last_seq() == 0
    assert "access-control-allow-origin" not in response.headers


async def test_our_own_origin_is_let_in(world: World):
    response = await world.call("POST", "/v1/intents", submit_body(), origin="http://localhost:3000")

    assert response.status_code == 200


async def test_a_preflight_gets_no_permission(world: World):
    response = await world.call("OPTIONS", "/v1/intents", origin="http://evil.example")

    assert response.status_code == 403
    assert not [name for name in response.headers if name.startswith("access-control")]


async def test_asking_for_methods_tells_methods_only(world: World):
    response = await world.call("OPTIONS", "/v1/intents", key=None)

    assert response.status_code == 204
    assert response.content == b""
    assert set(response.headers["allow"].split(", ")) == {"OPTIONS", "POST"}


async def test_answers_are_not_cached(world: World):
    response = await world.call("GET", "/v1/state")

    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_every_trading_request_is_a_sign_of_life_and_a_heartbeat_tells_the_lease(world: World):
    answer = await world.call("POST", "/v1/heartbeat")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "agent": "demo", "lease_ms": None})
    mandate = Mandate(expires_at=START + timedelta(days=1), lease_ms=5_000)
    await world.tell(
        MandateGranted(epoch=0, at=START, agent=AgentId("demo"), version=1, mandate=mandate, by="op", reason="new")
    )
    assert (await world.call("POST", "/v1/heartbeat")).json()["lease_ms"] == 5_000
    await world.submit(key="eve")
    await world.call("GET", "/v1/state")
    assert world.beats == ["demo", "demo", "eve"]
    assert (await world.call("POST", "/v1/heartbeat", key="watcher")).status_code == 403
