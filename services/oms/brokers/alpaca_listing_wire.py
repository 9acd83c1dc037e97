"""Alpaca's answers on what may be traded and when (`/v2/assets`, `/v2/calendar`) into our words, pure."""

from datetime import UTC, date, datetime, time
from decimal import Decimal

import msgspec

from contracts.broker import Asset, Session
from contracts.ids import Symbol
from contracts.market import NEW_YORK
from services.oms.brokers.alpaca_wire import UnreadableReportError, finite_or_none

_ACTIVE = "active"


class _WireAsset(msgspec.Struct, frozen=True):
    """An asset as Alpaca writes it, with only the fields we use; what it does not say is not allowed."""

    symbol: str
    status: str | None = None
    tradable: bool | None = None
    shortable: bool | None = None
    easy_to_borrow: bool | None = None
    fractionable: bool | None = None
    marginable: bool | None = None
    margin_requirement_long: Decimal | None = None
    maintenance_margin_requirement: Decimal | None = None


class _WireDay(msgspec.Struct, frozen=True):
    """A trading day; `open` and `close` are clock times in New York."""

    date: date
    open: str
    close: str


def read_asset(body: bytes) -> Asset:
    """Read one asset."""
    return _asset(_decoded(body, _WireAsset))


def read_assets(body: bytes) -> list[Asset]:
    """Read a list of assets."""
    return [_asset(wire) for wire in _decoded(body, list[_WireAsset])]


def read_calendar(body: bytes) -> tuple[Session, ...]:
    """Read the list of trading days, oldest first."""
    days = sorted(_decoded(body, list[_WireDay]), key=lambda day: day.date)
    return tuple(_session(day) for day in days)


def _asset(wire: _WireAsset) -> Asset:
    margin = wire.maintenance_margin_requirement
    return Asset(
        symbol=Symbol(wire.symbol),
        tradable=bool(wire.tradable) and wire.status == _ACTIVE,
        shortable=bool(wire.shortable),
        easy_to_borrow=bool(wire.easy_to_borrow),
        fractionable=bool(wire.fractionable),
        marginable=bool(wire.marginable),
        maintenance_pct=finite_or_none(
            margin if wire.margin_requirement_long is None else wire.margin_requirement_long
        ),
    )


def _session(day: _WireDay) -> Session:
    open_at, close_at = _moment(day.date, day.open), _moment(day.date, day.close)
    if close_at <= open_at:
        raise UnreadableReportError(f"the session of {day.date} ends before it begins")
    return Session(trading_day=day.date, open_at=open_at, close_at=close_at)


def _moment(day: date, text: str) -> datetime:
    try:
        return datetime.combine(day, time.fromisoformat(text), NEW_YORK).astimezone(UTC)
    except ValueError as error:
        raise UnreadableReportError(f"{text!r} is no time of day") from error


def _decoded[T](body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableReportError(str(error)) from error
