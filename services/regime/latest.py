"""Asks the broker's data REST once for the latest quotes, so that there is evidence before the socket speaks."""

from collections.abc import Sequence

import aiohttp
import msgspec

from contracts.ids import Symbol
from services.regime.feed import FeedKeys
from services.regime.latest_wire import LatestQuotes, read_latest

ANSWER_S_MAX = 5.0
_OK = 200
_FEEDS = frozenset({"iex", "sip", "delayed_sip", "boats", "overnight"})


class NoLatestQuotesError(Exception):
    """The data service gave no usable answer."""


async def latest_quotes(
    data_url: str, keys: FeedKeys, symbols: Sequence[Symbol], *, source: str, feed: str | None
) -> LatestQuotes:
    """Ask once for the latest quotes; raise `NoLatestQuotesError` when there is no usable answer in time."""
    url = data_url.rstrip("/") + "/v2/stocks/quotes/latest"
    parameters = {"symbols": ",".join(symbols)} | ({"feed": feed} if feed else {})
    headers = {"APCA-API-KEY-ID": keys.key_id, "APCA-API-SECRET-KEY": keys.secret_key}
    timeout = aiohttp.ClientTimeout(total=ANSWER_S_MAX)
    try:
        async with (
            aiohttp.ClientSession(trust_env=False, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(url, params=parameters, headers=headers, allow_redirects=False) as response,
        ):
            body = await response.read()
            if response.status != _OK:
                raise NoLatestQuotesError(f"status {response.status}")
            return read_latest(body, source)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError, msgspec.DecodeError) as error:
        raise NoLatestQuotesError(f"{type(error).__name__}: {error}") from error


def feed_of(stream_url: str) -> str | None:
    """Name the feed that a socket's address ends in, so that both ask the same venue; None when it is unknown."""
    name = stream_url.rstrip("/").rpartition("/")[2]
    return name if name in _FEEDS else None
