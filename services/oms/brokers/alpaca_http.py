"""One pooled HTTP client for Alpaca's trading API: explicit timeouts, no redirects, no proxies, no retries.

aiohttp never repeats a POST; it repeats a DELETE only when a pooled connection turns out to be closed, which
is harmless, since a cancel asked twice is a cancel. The keys travel in headers alone and are in no message.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import aiohttp

from services.oms.brokers.budget import Purpose, RateLimitTold, RequestBudget
from services.runtime.ports import Clock

_TOO_MANY = 429
_WAIT_DEFAULT_MS = 1_000
_WAIT_MIN_MS = 100
_WAIT_MAX_MS = 60_000
_EXIT_WAIT_MAX_MS = 1_000
"""A cancel or a reducing order that met a 429 is asked again this soon, whatever the answer asked for."""
_READ_WAIT_MAX_MS = 5_000
_PURPOSES = {"GET": Purpose.READ, "DELETE": Purpose.EXIT}
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


class BudgetSpentError(NotSentError):
    """Our own count of requests, or the broker's, says wait: the request never left."""

    def __init__(self, wait_ms: int) -> None:
        """Keep how long to wait."""
        super().__init__(f"the request budget is spent for another {wait_ms} ms")
        self.wait_ms = wait_ms


class NoAnswerError(Exception):
    """The request may have arrived; no answer came in time."""


class AlpacaHttp:
    """Sends one request once, when the budget lets it go; create it inside a running event loop."""

    def __init__(
        self,
        base_url: str,
        keys: AlpacaKeys,
        clock: Clock,
        timeouts: HttpTimeouts | None = None,
        budget: RequestBudget | None = None,
    ) -> None:
        """Open the pool; connections are made when first needed."""
        timeouts = timeouts or HttpTimeouts()
        self.budget = budget or RequestBudget()
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
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        purpose: Purpose | None = None,
    ) -> Answer:
        """Send one request; raise `NotSentError` before the first byte left, `NoAnswerError` after.

        Without a purpose a GET is a read, a DELETE an exit, and anything else new risk. Reads wait for their turn a
        while; orders do not, because whoever sends them must ask again whether they may still go.
        """
        purpose = purpose or _PURPOSES.get(method, Purpose.NEW_RISK)
        await self._take_turn(purpose)
        told = RateLimitTold()
        try:
            async with self._session.request(
                method, self._base_url + path, params=params, data=body, allow_redirects=False
            ) as response:
                told = self._told(response.headers)
                content = await response.read()
                return Answer(response.status, content, self._wait_ms(response, purpose))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSentError(_describe(error)) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoAnswerError(_describe(error)) from error
        finally:
            self.budget.ended(self._clock.monotonic_ms(), told)

    def facts(self) -> Mapping[str, int]:
        """Give what health shows of the budget."""
        return self.budget.facts(self._clock.monotonic_ms())

    async def _take_turn(self, purpose: Purpose) -> None:
        """Be counted, or raise `BudgetSpentError`; a read first waits as long as one may."""
        patience_ms = _READ_WAIT_MAX_MS if purpose is Purpose.READ else 0
        while (wait_ms := self.budget.take(purpose, self._clock.monotonic_ms())) > 0:
            patience_ms -= wait_ms
            if patience_ms < 0:
                raise BudgetSpentError(wait_ms)
            await asyncio.sleep(wait_ms / 1000)

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    def _wait_ms(self, response: aiohttp.ClientResponse, purpose: Purpose) -> int:
        headers = response.headers
        asked = _retry_after_ms(headers) or _reset_ms(headers, self._clock.now()) or _WAIT_DEFAULT_MS
        wait_ms = min(max(asked, _WAIT_MIN_MS), _WAIT_MAX_MS)
        if response.status == _TOO_MANY:
            self.budget.refused(self._clock.monotonic_ms(), wait_ms)
        return min(wait_ms, _EXIT_WAIT_MAX_MS) if purpose is Purpose.EXIT else wait_ms

    def _told(self, headers: Mapping[str, str]) -> RateLimitTold:
        return RateLimitTold(
            limit=_number(headers, "X-RateLimit-Limit"),
            remaining=_number(headers, "X-RateLimit-Remaining"),
            reset_in_ms=_reset_ms(headers, self._clock.now()),
        )


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "")
    return int(text) if text.isdecimal() else None


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
