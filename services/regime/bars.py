"""Asks the broker's data REST for bars: the days before today, and the newest minute of each symbol."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import msgspec

from contracts.ids import Symbol
from contracts.market import Bar
from services.regime.bars_wire import read_latest_bars, read_page
from services.regime.data_rest import DataRest, NoDataError
from services.regime.feed_wire import DAY, MINUTE

DAYS_ASKED = 90
"""Calendar days: some sixty trading days, so that a smoothed figure has forgotten where it began."""
PAGES_MAX = 20
_PAGE = 10_000
_NEWEST_DAY_ENDS = time(4)
"""UTC: a daily bar is dated midnight in New York, which is 04:00 or 05:00; what ends here is over."""


async def days_before(rest: DataRest, symbols: Sequence[Symbol], today: date, source: str) -> list[Bar]:
    """Give the daily bars before an exchange day, oldest first, adjusted for splits; raise `NoDataError`.

    No feed is named, so that volume is that of all venues: what is days old is free to everybody.
    """
    end = datetime.combine(today, _NEWEST_DAY_ENDS, UTC) - timedelta(seconds=1)
    parameters = {
        "symbols": ",".join(symbols),
        "timeframe": DAY,
        "start": (today - timedelta(days=DAYS_ASKED)).isoformat(),
        "end": end.isoformat().replace("+00:00", "Z"),
        "limit": str(_PAGE),
        "adjustment": "split",
    }
    found: list[Bar] = []
    for _ in range(PAGES_MAX):
        body = await rest.ask("/v2/stocks/bars", parameters)
        try:
            page, token = read_page(body, DAY, source)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NoDataError(f"unreadable bars: {error}") from error
        found += page
        if token is None:
            return sorted(found, key=lambda bar: bar.at)
        parameters["page_token"] = token
    raise NoDataError(f"more than {PAGES_MAX} pages of bars")


async def newest_minutes(rest: DataRest, symbols: Sequence[Symbol], source: str, feed: str | None) -> list[Bar]:
    """Give the newest minute bar of each symbol; raise `NoDataError`."""
    parameters = {"symbols": ",".join(symbols)} | ({"feed": feed} if feed else {})
    body = await rest.ask("/v2/stocks/bars/latest", parameters)
    try:
        return read_latest_bars(body, MINUTE, source)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NoDataError(f"unreadable bars: {error}") from error
