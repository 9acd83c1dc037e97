"""What the gateway itself refuses, always in one form, and what it leaves to risk."""

import json

import pytest

from contracts import subjects
from contracts.codec import decode_intent
from contracts.ids import AgentId, IntentId
from contracts.intents import INTENT_BYTES_MAX
from services.runtime.ports import JournalUnavailableError
from tests.unit.gateway.world import PAPER, World, key_text, submit_body

pytestmark = pytest.mark.anyio


async def test_missing_fields_are_all_named_under_old_and_new_names(world: World):
    response = await world.call("POST", "/v1/intents", {"limit_price": 1, "side": None})

    assert response.status_code == 400
    answer = response.json()
    assert answer["status"] == "refused"
    assert answer["code"] == answer["reason"] == "missing_required_fields"
    assert answer["details"]["missing"] == ["symbol", "side", "qty", "type"]


async def test_a_notional_amount_may_stand_for_a_quantity(world: World):
    response = await world.submit(qty=..., notional_usd="100")

    assert response.json()["reason"]["code"] == "INVALID_QTY", "it reached risk, which decides whether it is offered"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'"text"',
        b"\xff\xfe",
        b"[" * 20_000,
        b'{"a":' * 5_000,
        b"NaN",
    ],
)
async def test_a_body_that_is_no_json_object_is_refused(world: World, body: bytes):
    response = await world.call("POST", "/v1/intents", body)

    assert response.status_code == 400
    assert response.json()["code"] == "invalid_body"


async def test_text_that_is_not_utf_8_is_refused(world: World):
    body = json.dumps(submit_body(symbol="?")).encode().replace(b"?", b"\xff")

    assert (await world.call("POST", "/v1/intents", body)).json()["code"] == "invalid_body"


@pytest.mark.parametrize(
    "changes",
    [
        {"qty": "ten"},
        {"qty": True},
        {"qty": [10]},
        {"qty": {}},
        {"qty": ""},
        {"limit_price": "free"},
        {"symbol": 5},
        {"side": "BUY"},
        {"side": "hold"},
        {"type": "iceberg"},
        {"time_in_force": "week"},
        {"client_intent_id": ""},
        {"client_intent_id": "a.b"},
        {"client_intent_id": "x" * 65},
        {"client_intent_id": 5},
        {"meta": []},
        {"meta": {"strategy": "x" * 65}},
        {"take_profit": {"limit_price": "1_0"}},
        {"take_profit": {}},
        {"take_profit": "200"},
        {"stop_loss": {"limit_price": "200"}},
        {"stop_loss": {"stop_price": "180", "trail": "1"}},
        {"trail_price": "high"},
        {"order_class": "iceberg"},
        {"trail": "1"},
    ],
)
async def test_a_field_that_cannot_be_read_is_refused_by_name(world: World, changes: dict[str, object]):
    response = await world.submit(**changes)

    assert response.status_code == 400
    answer = response.json()
    assert answer["code"] == "invalid_body"
    assert next(iter(changes)) in answer["message"]
    assert await world.inbox.last_seq() == 0


@pytest.mark.parametrize("qty", [b"-10", b'"-10"', b"1e400", b'"NaN"', b'"sNaN"', b'"Infinity"', b"0", b"1e-400"])
async def test_a_number_that_makes_no_sense_is_denied_by_risk_on_the_record(world: World, qty: bytes):
    body = json.dumps(submit_body(qty="QTY")).encode().replace(b'"QTY"', qty)

    response = await world.call("POST", "/v1/intents", body)

    assert response.status_code == 200
    assert response.json()["status"] == "rejected"
    assert response.json()["reason"]["code"] == "INVALID_QTY"
    repeat = await world.call("POST", "/v1/intents", body)
    assert repeat.json()["message"].startswith("duplicate"), "NaN equals itself here"


async def test_a_bare_nan_is_not_json(world: World):
    body = json.dumps(submit_body(qty=float("nan"))).encode()

    assert (await world.call("POST", "/v1/intents", body)).status_code == 400


async def test_numbers_never_pass_through_a_float(world: World):
    body = json.dumps(submit_body()).replace("189.12", "0.1000000000000000055511151231257827").encode()
    await world.call("POST", "/v1/intents", body)

    stated = await world.desk.stated(subjects.intent(PAPER, AgentId("demo"), IntentId("i-1")))
    assert stated is not None
    assert str(getattr(decode_intent(stated), "limit_price", None)) == "0.1000000000000000055511151231257827"


async def test_a_body_that_is_too_long_is_refused(world: World):
    response = await world.submit(meta={"reason": "x" * 40_000})

    assert response.status_code == 413
    assert response.json()["code"] == "too_large"


async def test_a_body_that_fits_but_grows_too_long_as_an_intent_is_refused(world: World):
    digits = "1" * (INTENT_BYTES_MAX - 250)
    response = await world.call("POST", "/v1/intents", submit_body(qty=digits, meta={}))

    assert response.status_code == 413
    assert response.json()["code"] == "too_large"


async def test_paths_and_methods_that_do_not_exist_are_refused_in_the_same_form(world: World):
    nowhere = await world.call("GET", "/v2/state")
    wrong_method = await world.call("PUT", "/v1/orders")

    assert (nowhere.status_code, wrong_method.status_code) == (404, 405)
    assert nowhere.json()["status"] == wrong_method.json()["status"] == "refused"
    assert (nowhere.json()["code"], wrong_method.json()["code"]) == ("not_found", "method_not_allowed")
    assert "/openapi.json" in nowhere.json()["message"]
    assert "PUT /v1/orders" in wrong_method.json()["message"]


async def test_without_a_link_everything_but_health_is_unavailable_at_once(world: World):
    world.linked = False

    for method, path in (("POST", "/v1/intents"), ("GET", "/v1/state"), ("POST", "/v1/controls/kill_switch")):
        response = await world.call(method, path, submit_body() if method == "POST" else None)
        assert response.status_code == 503
        assert response.json()["code"] == "unavailable"
        assert response.headers["retry-after"] == "1"
    assert (await world.call("GET", "/health")).status_code == 200


async def test_an_unconfirmed_intent_says_that_its_fate_is_unknown_and_names_its_id(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    async def lose(*_: object, **__: object) -> int:
        raise JournalUnavailableError("not confirmed within 5 s")

    monkeypatch.setattr(world.desk, "publish", lose)
    response = await world.submit()

    assert response.status_code == 503
    assert response.json()["details"] == {"intent_id": "i-1"}
    assert "client_intent_id" in response.json()["message"]


async def test_a_journal_that_does_not_answer_makes_it_unavailable(world: World, monkeypatch: pytest.MonkeyPatch):
    async def lose(*_: object) -> None:
        raise JournalUnavailableError("nobody there")

    monkeypatch.setattr(world.journal, "last_on", lose)

    assert (await world.submit()).json()["code"] == "unavailable"
    assert (await world.call("GET", "/v1/intents/i-1")).status_code == 503


async def test_a_fault_of_ours_is_a_500_that_gives_nothing_away(
    world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    async def break_down(*_: object) -> None:
        raise ValueError("the inner workings")

    monkeypatch.setattr(world.journal, "last_on", break_down)
    response = await world.submit()

    assert response.status_code == 500
    assert response.json()["status"] == "refused"
    assert "inner workings" not in response.text
    logged = "".join(capfd.readouterr())
    assert "inner workings" in logged
    assert key_text("demo") not in logged, "a log must not hold what opens the door"
