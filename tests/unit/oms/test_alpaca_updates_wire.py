import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from services.oms.brokers import alpaca_updates_wire as wire
from services.oms.brokers.alpaca_wire import UnreadableReportError
from services.oms.brokers.port import BrokerUpdate

FILL = {
    "stream": "trade_updates",
    "data": {
        "at": "2026-10-08T14:30:01.123456789Z",
        "event_id": "01HZX3",
        "event": "partial_fill",
        "timestamp": "2026-10-08T14:30:01.1Z",
        "order": {
            "id": "o-1",
            "client_order_id": "lg-1",
            "status": "partially_filled",
            "symbol": "AAPL",
            "side": "buy",
            "type": "limit",
            "time_in_force": "day",
            "qty": "100",
            "filled_qty": "40",
            "filled_avg_price": "10.25",
            "cancel_requested_at": None,
        },
        "execution_id": "e-1",
        "price": "10.25",
        "qty": "40",
        "position_qty": "40",
        "settle_date": "2026-10-09",
    },
}


@pytest.mark.parametrize("as_frame", [str, str.encode])
def test_an_execution_is_read_from_text_and_binary_frames(as_frame):
    update = wire.read_frame(as_frame(json.dumps(FILL)))
    assert isinstance(update, BrokerUpdate)
    assert (update.event, update.execution_id, update.event_id) == ("partial_fill", "e-1", "01HZX3")
    assert (update.qty, update.price, update.position_qty) == (Decimal(40), Decimal("10.25"), Decimal(40))
    assert update.at == datetime(2026, 10, 8, 14, 30, 1, 100000, UTC)
    assert update.order.filled_qty == Decimal(40)


@pytest.mark.parametrize(
    ("frame", "meaning"),
    [
        (
            '{"stream":"authorization","data":{"status":"authorized","action":"authenticate"}}',
            wire.Control.AUTHORIZED,
        ),
        ('{"stream":"authorization","data":{"status":"unauthorized"}}', wire.Control.UNAUTHORIZED),
        ('{"stream":"listening","data":{"streams":["trade_updates"]}}', wire.Control.LISTENING),
        ('{"stream":"listening","data":{"streams":[]}}', wire.Control.NOTHING),
        ('{"stream":"trade_updates","data":null}', wire.Control.NOTHING),
        ('{"data": null}', wire.Control.NOTHING),
        ("{}", wire.Control.NOTHING),
        ('{"stream":"weather","data":{"sun":1}}', wire.Control.NOTHING),
    ],
)
def test_frames_without_an_update_say_what_they_say(frame: str, meaning: wire.Control):
    assert wire.read_frame(frame) is meaning


def test_an_unknown_event_and_unknown_fields_survive():
    data = {**FILL["data"], "event": "quantum_leap", "extra": {"a": 1}, "execution_id": None, "qty": None}
    update = wire.read_frame(json.dumps({"stream": "trade_updates", "data": data}))
    assert isinstance(update, BrokerUpdate)
    assert update.event == "quantum_leap"
    assert update.qty is None


@pytest.mark.parametrize(
    "frame",
    [
        "not json",
        b"\xc1",
        '{"stream":"trade_updates","data":{"event":"fill"}}',
        '{"stream":"trade_updates","data":{"event":"fill","order":null}}',
        '{"stream":"trade_updates","data":{"event":"fill","order":{"id":"1","client_order_id":"2"},"qty":"NaN"}}',
    ],
)
def test_an_update_that_cannot_be_read_is_never_dropped_in_silence(frame):
    with pytest.raises(UnreadableReportError):
        wire.read_frame(frame)


def test_the_requests_are_what_alpaca_documents():
    assert json.loads(wire.authenticate("id", "secret")) == {
        "action": "authenticate",
        "data": {"key_id": "id", "secret_key": "secret"},
    }
    assert json.loads(wire.listen()) == {"action": "listen", "data": {"streams": ["trade_updates"]}}
