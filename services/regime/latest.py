"""Asks the broker's data REST once for the latest quotes, so that there is evidence before the socket speaks."""

from collections.abc import Sequence

import msgspec

from contracts.ids import Symbol
from services.regime.data_rest import DataRest, NoDataError
from services.regime.latest_wire import LatestQuotes, read_latest

_FEEDS = frozenset({"iex", "sip", "delayed_sip", "boats", "overnight"})


async def latest_quotes(rest: DataRest, symbols: Sequence[Symbol], *, source: str, feed: str | None) -> LatestQuotes:
    """Ask once for the latest quotes; raise `NoDataError` when there is no usable answer in time."""
    parameters = {"symbols": ",".join(symbols)} | ({"feed": feed} if feed else {})
    body = await rest.ask("/v2/stocks/quotes/latest", parameters)
    try:
        return read_latest(body, source)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NoDataError(f"unreadable quotes: {error}") from error


def feed_of(stream_url: str) -> str | None:
    """Name the feed that a socket's address ends in, so that both ask the same venue; None when it is unknown."""
    name = stream_url.rstrip("/").rpartition("/")[2]
    return name if name in _FEEDS else None
