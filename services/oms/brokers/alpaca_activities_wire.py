"""Alpaca's activities that are no trades (dividends, fees, interest, transfers) into reports, pure."""

from decimal import Decimal

import msgspec

from contracts.ids import Symbol
from contracts.values import ZERO
from services.oms.brokers.alpaca_wire import UnreadableReportError, finite
from services.oms.brokers.port import BrokerActivity

_CANCELED = "canceled"


class _WireActivity(msgspec.Struct, frozen=True):
    id: str
    activity_type: str
    net_amount: Decimal | None = None
    symbol: str | None = None
    status: str | None = None
    description: str | None = None


class _WireId(msgspec.Struct, frozen=True):
    id: str


def read_activities(body: bytes) -> list[BrokerActivity]:
    """Read a page of activities; a canceled record moves no money."""
    found = _read(body, list[_WireActivity])
    return [_activity(one) for one in found if one.status != _CANCELED]


def read_activity_ids(body: bytes) -> list[str]:
    """Read the ids of a page of activities of any kind, canceled records too: what the next page goes on from."""
    return [one.id for one in _read(body, list[_WireId])]


def _activity(wire: _WireActivity) -> BrokerActivity:
    return BrokerActivity(
        activity_id=wire.id,
        kind=wire.activity_type,
        amount_usd=finite(wire.net_amount or ZERO),
        symbol=Symbol(wire.symbol) if wire.symbol else None,
        detail=wire.description or "",
    )


def _read[T](body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableReportError(str(error)) from error
