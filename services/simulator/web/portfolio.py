"""/v2/account/portfolio/history: the account's equity over time, in samples of a timeframe."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from aiohttp import web

from services.simulator.core.errors import malformed
from services.simulator.core.numbers import ZERO, cents, nanos
from services.simulator.core.sessions import MarketHours, new_york_day, session
from services.simulator.desk import Desk
from services.simulator.history import midnight
from services.simulator.web.answers import choice, flag, market_data, moment

FRAMES = {"1Min": 60, "5Min": 300, "15Min": 900, "1H": 3600, "1D": 86_400}
PERIODS = {"D": 1, "W": 7, "M": 30, "A": 365, "Y": 365}
MINUTES_UP_TO, QUARTERS_UP_TO = timedelta(days=7), timedelta(days=30)
REPORTING = ("market_hours", "extended_hours", "continuous")
RESETS = ("per_day", "no_reset")

type Samples = list[tuple[int, Decimal]]
"""Unix seconds with dollars, oldest first."""


class PortfolioRoutes:
    """The handler of portfolio history at one desk."""

    def __init__(self, desk: Desk) -> None:
        """Serve this desk."""
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [web.get("/v2/account/portfolio/history", self.get)]

    async def get(self, request: web.Request) -> web.Response:
        """Return the equity over time; numbers are JSON numbers here."""
        query = request.query
        start, end = time_range(query, self._desk.clock())
        frame = query.get("timeframe") or default_frame(end - start)
        if frame not in FRAMES:
            raise malformed(f"invalid timeframe: {frame}")
        if frame != "1D" and end - start > QUARTERS_UP_TO + timedelta(days=1):
            raise malformed("only 1D is accepted for periods longer than 30 days")
        reporting = choice(query, "intraday_reporting", REPORTING)
        if not query.get("intraday_reporting") and flag(query, "extended_hours"):
            reporting = "extended_hours"
        resets = choice(query, "pnl_reset", RESETS) == "per_day"
        samples = thinned(self._desk.store.equity(start, end), frame)
        if frame != "1D":
            hours = self._desk.broker.lifecycle.hours
            samples = [one for one in samples if _is_reported(one[0], reporting, hours)]
        return market_data(history(samples, frame, resets_daily=resets and frame != "1D"))


def time_range(query: Mapping[str, str], now: datetime) -> tuple[datetime, datetime]:
    """Return from when until when; a period fills in for the one of start and end that is missing."""
    start, end = moment(query, "start"), moment(query, "end")
    if end is None and query.get("date_end"):
        day = moment(query, "date_end")
        end = None if day is None else day + timedelta(days=1)
    if start is not None and end is not None:
        if query.get("period"):
            raise malformed("period must not be given together with start and end")
        return start, end
    period = query.get("period") or "1M"
    count, unit = period[:-1], period[-1:].upper()
    if not (count.isascii() and count.isdigit()) or unit not in PERIODS or int(count) * PERIODS[unit] > 3650:  # noqa: PLR2004  # ten years
        raise malformed(f"invalid period: {period}")
    length = timedelta(days=int(count) * PERIODS[unit])
    if start is not None:
        return start, min(start + length, now)
    until = min(end or now, now)
    return until - length, until


def default_frame(length: timedelta) -> str:
    """Return minutes for less than a week, quarters of an hour for less than a month, days otherwise."""
    if length < MINUTES_UP_TO:
        return "1Min"
    return "15Min" if length < QUARTERS_UP_TO else "1D"


def thinned(samples: Samples, frame: str) -> Samples:
    """Return the last sample of each window, labelled with the window's beginning; days are New York's."""
    seconds = FRAMES[frame]
    if frame == "1D":
        return list({int(midnight(_day(stamp)).timestamp()): equity for stamp, equity in samples}.items())
    return list({stamp // seconds * seconds: equity for stamp, equity in samples}.items())


def history(samples: Samples, frame: str, *, resets_daily: bool) -> dict[str, Any]:
    """Return the answer: profit is against the first sample, of each New York day when it resets daily."""
    base: Decimal = samples[0][1] if samples else ZERO
    against: dict[object, Decimal] = {}
    for stamp, equity in samples:
        against.setdefault(_day(stamp) if resets_daily else None, equity)
    bases = [against[_day(stamp) if resets_daily else None] for stamp, _ in samples]
    profit = [(equity - start, start) for (_, equity), start in zip(samples, bases, strict=True)]
    return {
        "timestamp": [stamp for stamp, _ in samples],
        "equity": [cents(equity) for _, equity in samples],
        "profit_loss": [cents(change) for change, _ in profit],
        "profit_loss_pct": [nanos(change / start) if start else None for change, start in profit],
        "base_value": cents(base),
        **({"base_value_asof": _day(samples[0][0]).isoformat()} if samples else {}),
        "timeframe": frame,
        "cashflow": {},
    }


def _day(stamp: int) -> date:
    return new_york_day(datetime.fromtimestamp(stamp, UTC))


def _is_reported(stamp: int, reporting: str, hours: MarketHours) -> bool:
    at = datetime.fromtimestamp(stamp, UTC)
    if reporting == "continuous" or hours.always:
        return True
    return hours.is_tradable(at, extended=reporting == "extended_hours") and session(new_york_day(at)) is not None
