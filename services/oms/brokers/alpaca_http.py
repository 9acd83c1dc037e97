"""One pooled HTTP client for Alpaca's trading API: explicit timeouts, no redirects, no proxies, no retries.

aiohttp never repeats a POST; it repeats a DELETE only when a pooled connection turns out to be closed, which
is harmless, since a cancel asked twice is a cancel. The keys travel in headers alone and are in no message.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import aiohttp

from services.runtime.ports import Clock

_WAIT_DEFAULT_MS = 1_000
_WAIT_MIN_MS = 100
_WAIT_MAX_MS = 60_000
_CONNECTIONS_MAX = 64
_KEEPALIVE_S = 60


@dataclass(frozen=True, slots=True)
class AlpacaKeys:
    """The broker's trading key; neither half ever shows in a log or a traceback."""

    key_id: str = field(repr=False)
    secret_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class HttpTimeouts:
    """How long to wait for a connection, and for a whole answer."""

    connect_ms: int = 2_000
    answer_ms: int = 5_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, body, and the wait that the rate-limit headers ask for."""

    status: int
    body: bytes
    retry_after_ms: int


class NotSentError(Exception):
    """No connection came about: the request certainly never left."""


class NoAnswerError(Exception):
    """The request may have arrived; no answer came in time."""


class AlpacaHttp:
    """Sends one request once; create it inside a running event loop."""

    def __init__(self, base_url: str, keys: AlpacaKeys, clock: Clock, timeouts: HttpTimeouts | None = None) -> None:
        """Open the pool; connections are made when first needed."""
        timeouts = timeouts or HttpTimeouts()
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS_MAX, keepalive_timeout=_KEEPALIVE_S),
            headers={
                "APCA-API-KEY-ID": keys.key_id,
                "APCA-API-SECRET-KEY": keys.secret_key,
                "Content-Type": "application/json",
            },
            timeout=aiohttp.ClientTimeout(total=timeouts.answer_ms / 1000, connect=timeouts.connect_ms / 1000),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    async def send(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """Send one request; raise `NotSentError` before the first byte left, `NoAnswerError` after."""
        try:
            async with self._session.request(
                method, self._base_url + path, params=params, data=body, allow_redirects=False
            ) as response:
                content = await response.read()
                return Answer(response.status, content, self._wait_ms(response.headers))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSentError(_describe(error)) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoAnswerError(_describe(error)) from error

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    def _wait_ms(self, headers: Mapping[str, str]) -> int:
        wait = _retry_after_ms(headers) or _reset_ms(headers, self._clock.now()) or _WAIT_DEFAULT_MS
        return min(max(wait, _WAIT_MIN_MS), _WAIT_MAX_MS)


def _retry_after_ms(headers: Mapping[str, str]) -> int | None:
    text = headers.get("Retry-After", "")
    return int(text) * 1000 if text.isdecimal() else None


def _reset_ms(headers: Mapping[str, str], now: datetime) -> int | None:
    text = headers.get("X-RateLimit-Reset", "")
    if not text.isdecimal():
        return None
    return int(text) * 1000 - int(now.timestamp() * 1000)


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
