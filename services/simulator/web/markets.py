"""/v3/clock and /v3/calendar: the US equity exchanges, which all keep the same days and hours."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from aiohttp import web

from services.simulator.core.errors import BrokerError
from services.simulator.core.sessions import (
    NEW_YORK,
    MarketHours,
    Session,
    is_trading_day,
    new_york_day,
    next_close,
    next_open,
    session,
    sessions,
    settlement_day,
)
from services.simulator.desk import Desk
from services.simulator.web.answers import moment, trading, words

MARKETS: Mapping[str, dict[str, str]] = {
    name: {"acronym": acronym, "mic": mic, "name": title, "timezone": "America/New_York"}
    for names, acronym, mic, title in (
        (("NYSE", "XNYS"), "NYSE", "XNYS", "New York Stock Exchange"),
        (("NASDAQ", "XNAS"), "NASDAQ", "XNAS", "NASDAQ"),
        (("IEX", "IEXG"), "IEX", "IEXG", "Investors Exchange"),
    )
    for name in names
}
LONGEST_CALENDAR = timedelta(days=366 * 10)
WEEK = timedelta(days=7)


class MarketRoutes:
    """The handlers of the newer clock and calendar."""

    def __init__(self, desk: Desk) -> None:
        """Tell the time of this desk."""
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [web.get("/v3/clock", self.clock), web.get("/v3/calendar/{market}", self.calendar)]

    async def clock(self, request: web.Request) -> web.Response:
        """Return where in its day each market is."""
        at = moment(request.query, "time") or self._desk.clock()
        hours = self._desk.broker.lifecycle.hours
        names = words(request.query, "markets") or ("NYSE",)
        return trading({"clocks": [_clock(market(name), at, hours) for name in names]})

    async def calendar(self, request: web.Request) -> web.Response:
        """Return the days of one market, a week from today when not asked otherwise."""
        found = market(request.match_info["market"])
        first = _day(request.query, "start") or new_york_day(self._desk.clock())
        last = _day(request.query, "end") or first + WEEK
        if not first <= last <= first + LONGEST_CALENDAR:
            raise BrokerError(400, None, "end must be on or after start, and at most ten years later")
        zone = UTC if request.query.get("timezone") == "UTC" else NEW_YORK
        return trading({"market": found, "calendar": [_calendar_day(one, zone) for one in sessions(first, last)]})


def market(name: str) -> dict[str, str]:
    """Return a market by its acronym or MIC; only US equities trade here."""
    found = MARKETS.get(name.upper())
    if found is None:
        raise BrokerError(400, None, f"unknown market: {name}")
    return found


def _clock(found: dict[str, str], at: datetime, hours: MarketHours) -> dict[str, Any]:
    return {
        "market": found,
        "timestamp": at.astimezone(NEW_YORK),
        "is_market_day": is_trading_day(new_york_day(at)),
        "next_market_open": next_open(at).astimezone(NEW_YORK),
        "next_market_close": next_close(at).astimezone(NEW_YORK),
        "phase": hours.phase(at),
        "phase_until": _phase_end(at, hours).astimezone(NEW_YORK),
    }


def _phase_end(at: datetime, hours: MarketHours) -> datetime:
    today = session(new_york_day(at))
    edges = [] if today is None else [today.pre_open, today.open, today.close, today.post_close]
    coming = [edge for edge in edges if edge > at]
    if hours.always:
        return next_close(at)
    if coming:
        return coming[0]
    tomorrow = session(new_york_day(next_open(at)))
    return next_open(at) if tomorrow is None else tomorrow.pre_open


def _calendar_day(found: Session, zone: tzinfo) -> dict[str, Any]:
    edges = {
        "pre_start": found.pre_open,
        "pre_end": found.open,
        "core_start": found.open,
        "core_end": found.close,
        "post_start": found.close,
        "post_end": found.post_close,
    }
    local = {name: edge.astimezone(zone) for name, edge in edges.items()}
    return {"date": found.day, "settlement_date": settlement_day(found.day), **local}


def _day(query: Mapping[str, str], name: str) -> date | None:
    at = moment(query, name)
    return None if at is None else new_york_day(at)
