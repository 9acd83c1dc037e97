"""The OpenAPI document says what the routes do."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.gateway.world import World

pytestmark = pytest.mark.anyio

ROUTES = {
    ("get", "/health"),
    ("get", "/openapi.json"),
    ("post", "/v1/heartbeat"),
    ("post", "/v1/intents"),
    ("get", "/v1/intents/{intent_id}"),
    ("get", "/v1/state"),
    ("get", "/v1/orders"),
    ("get", "/v1/orders/{order_id}"),
    ("delete", "/v1/orders"),
    ("patch", "/v1/orders/{order_id}"),
    ("post", "/v1/orders/{order_id}/cancel"),
    ("delete", "/v1/positions"),
    ("delete", "/v1/positions/{symbol}"),
    ("post", "/v1/controls/kill_switch"),
    ("get", "/v1/trips"),
    ("post", "/v1/trips/reset"),
    ("get", "/v1/mandates"),
    ("get", "/v1/mandates/{agent}"),
    ("put", "/v1/mandates/{agent}"),
    ("patch", "/v1/mandates/{agent}"),
    ("delete", "/v1/mandates/{agent}"),
    ("get", "/v1/approvals"),
    ("post", "/v1/approvals/{agent}/{intent_id}"),
    ("delete", "/v1/approvals/{agent}/{intent_id}"),
    ("get", "/v1/risk/state"),
    ("get", "/v1/risk/limits"),
    ("put", "/v1/risk/limits/{layer}"),
    ("delete", "/v1/risk/limits/{layer}"),
    ("get", "/v1/agents/{agent}"),
}


async def document(world: World) -> dict[str, Any]:
    return (await world.call("GET", "/openapi.json", key=None)).json()


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def references(node: Any) -> Iterator[str]:
    match node:
        case {"$ref": str(target)}:
            yield target
        case dict():
            for item in node.values():
                yield from references(item)
        case list():
            for item in node:
                yield from references(item)
        case _:
            return


async def test_every_route_is_described(world: World):
    described = await document(world)

    assert described["openapi"].startswith("3.1")
    assert {(method, path) for method, path, _ in operations(described)} == ROUTES


async def test_every_reference_leads_somewhere(world: World):
    described = await document(world)
    schemas = described["components"]["schemas"]

    targets = set(references(described))
    assert targets
    assert {target.rpartition("/")[2] for target in targets} <= set(schemas)


async def test_guarded_routes_say_so_and_describe_their_refusals(world: World):
    described = await document(world)

    assert described["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"
    for _, path, operation in operations(described):
        is_open = operation.get("security") == []
        assert is_open == (path in {"/health", "/openapi.json"})
        assert is_open or {"401", "403", "503"} <= set(operation["responses"])


async def test_numbers_in_and_out_are_described_as_they_are(world: World):
    schemas = (await document(world))["components"]["schemas"]

    assert schemas["SubmitForm"]["required"] == ["symbol", "side", "type"]
    assert schemas["SubmitForm"]["additionalProperties"] is False
    assert schemas["SubmitForm"]["properties"]["qty"]["anyOf"][0]["type"] == ["string", "number"]
    assert schemas["StopLossForm"]["properties"]["stop_price"]["type"] == ["string", "number"]
    assert schemas["ReplaceForm"]["additionalProperties"] is False
    loss = schemas["RiskHeadroom"]["properties"]["remainingDailyLoss"]["anyOf"][0]
    assert loss["type"] == "number"
    assert schemas["OrderAnswer"]["properties"]["qty"] == {"type": "string", "format": "decimal"}


async def test_operation_ids_are_unique(world: World):
    ids = [operation["operationId"] for _, _, operation in operations(await document(world))]

    assert len(ids) == len(set(ids))
