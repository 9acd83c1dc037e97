"""/v2/assets, /v2/clock and /v2/calendar."""

import uuid
from datetime import date, datetime, timedelta
from typing import Any

from aiohttp import web

from services.simulator.core.errors import malformed, not_found
from services.simulator.core.sessions import (
    NEW_YORK,
    Session,
    next_close,
    next_open,
    sessions,
    settlement_day,
)
from services.simulator.desk import Desk
from services.simulator.web.answers import choice, trading, words

SETTLES_WITHIN = timedelta(days=10)
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2029, 12, 31)


class ReferenceRoutes:
    """The handlers of what does not change by trading."""

    def __init__(self, desk: Desk) -> None:
        """Serve this desk."""
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/v2/assets", self.assets),
            web.get("/v2/assets/{symbol:.+}", self.asset),
            web.get("/v2/clock", self.clock),
            web.get("/v2/calendar", self.calendar),
        ]

    async def assets(self, request: web.Request) -> web.Response:
        """List the assets."""
        query = request.query
        classes = words(query, "asset_class")
        found = [
            asset
            for asset in self._desk.broker.assets.values()
            if query.get("status") in {None, asset.status}
            and (not classes or asset.asset_class in classes)
            and query.get("exchange") in {None, asset.exchange}
            and set(words(query, "attributes")) <= set(asset.attributes)
        ]
        return trading(found)

    async def asset(self, request: web.Request) -> web.Response:
        """Return one asset by symbol or id."""
        asked = request.match_info["symbol"]
        assets = self._desk.broker.assets
        found = assets.get(asked.upper())
        if found is None and _is_uuid(asked):
            found = next((asset for asset in assets.values() if asset.id == str(uuid.UUID(asked))), None)
        if found is None:
            raise not_found(f"asset not found for {asked}")
        return trading(found)

    async def clock(self, _request: web.Request) -> web.Response:
        """Return the time and when the market opens and closes next."""
        now = self._desk.clock()
        hours = self._desk.broker.lifecycle.hours
        opens = next_open(now)
        return trading(
            {
                "timestamp": now.astimezone(NEW_YORK),
                "is_open": hours.is_open(now),
                "next_open": opens.astimezone(NEW_YORK),
                # a market that is always open does not close before it opens the next time
                "next_close": next_close(opens if hours.always else now).astimezone(NEW_YORK),
            }
        )

    async def calendar(self, request: web.Request) -> web.Response:
        """List the exchange's trading days."""
        first = _day(request.query.get("start"), FIRST_DAY)
        last = _day(request.query.get("end"), LAST_DAY)
        if last < first:
            raise malformed("end must not be before start")
        days = sessions(max(first, FIRST_DAY), min(last, LAST_DAY))
        if choice(request.query, "date_type", ("trading", "settlement")) == "settlement":
            early = sessions(max(first - SETTLES_WITHIN, FIRST_DAY), min(last, LAST_DAY))
            days = (found for found in early if first <= settlement_day(found.day) <= last)
        return trading([_calendar_day(found) for found in days])


def _calendar_day(found: Session) -> dict[str, Any]:
    def clock(moment: datetime, form: str) -> str:
        return moment.astimezone(NEW_YORK).strftime(form)

    return {
        "date": found.day,
        "open": clock(found.open, "%H:%M"),
        "close": clock(found.close, "%H:%M"),
        "session_open": clock(found.pre_open, "%H%M"),
        "session_close": clock(found.post_close, "%H%M"),
        "settlement_date": settlement_day(found.day),
    }


def _day(text: str | None, default: date) -> date:
    try:
        return datetime.fromisoformat(text).date() if text else default
    except ValueError as error:
        raise malformed(f"invalid date: {text}") from error


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
