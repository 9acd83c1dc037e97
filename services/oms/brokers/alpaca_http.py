"""One pooled HTTP client for Alpaca's trading API: explicit timeouts, no redirects, no proxies, no retries.

The pool never repeats a POST or a PATCH; it repeats a GET or a DELETE only when a kept connection turns out to be
closed, which is harmless, since a cancel asked twice is a cancel. The keys travel in headers alone and show in no
message.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from services.oms.brokers.budget import Purpose, RateLimitTold, RequestBudget
from services.oms.brokers.http_answer import HttpAnswer
from services.oms.brokers.http_connection import NoAnswerError, NotSentError
from services.oms.brokers.http_pool import HttpPool
from services.oms.brokers.http_request import Address, RequestWriter
from services.runtime.ports import Clock

__all__ = ["AlpacaHttp", "AlpacaKeys", "Answer", "BudgetSpentError", "HttpTimeouts", "NoAnswerError", "NotSentError"]

_TOO_MANY = 429
_WAIT_DEFAULT_MS = 1_000
_WAIT_MIN_MS = 100
_WAIT_MAX_MS = 60_000
_EXIT_WAIT_MAX_MS = 1_000
"""A cancel or a reducing order that met a 429 is asked again this soon, whatever the answer asked for."""
_READ_WAIT_MAX_MS = 5_000
_PURPOSES = {"GET": Purpose.READ, "DELETE": Purpose.EXIT}
_MAY_REPEAT = frozenset({"GET", "DELETE"})
_NOTHING_TOLD = RateLimitTold()
_DIGITS_MAX = 12
"""A longer number in a header is no time and no count."""


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


class BudgetSpentError(NotSentError):
    """Our own count of requests, or the broker's, says wait: the request never left."""

    def __init__(self, wait_ms: int) -> None:
        """Keep how long to wait."""
        super().__init__(f"the request budget is spent for another {wait_ms} ms")
        self.wait_ms = wait_ms


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
        self._clock = clock
        address = Address.of(base_url)
        self._requests = RequestWriter(
            address, {"APCA-API-KEY-ID": keys.key_id, "APCA-API-SECRET-KEY": keys.secret_key}
        )
        self._pool = HttpPool(address, timeouts.connect_ms, timeouts.answer_ms)

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        purpose: Purpose | None = None,
        still_may: Callable[[], bool] | None = None,
    ) -> Answer:
        """Send one request; raise `NotSentError` before the first byte left, `NoAnswerError` after.

        Without a purpose a GET is a read, a DELETE an exit, and anything else new risk. Reads wait for their turn a
        while; orders do not, because whoever sends them must ask again whether they may still go.
        """
        purpose = purpose or _PURPOSES.get(method, Purpose.NEW_RISK)
        await self._take_turn(purpose)
        told = _NOTHING_TOLD
        try:
            request = self._requests.write(method, path, params, body)
            answer = await self._pool.send(request, may_repeat=method in _MAY_REPEAT, still_may=still_may)
            told = self._told(answer.headers)
            return Answer(answer.status, answer.body, self._wait_ms(answer, purpose))
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
        await self._pool.close()

    def _wait_ms(self, answer: HttpAnswer, purpose: Purpose) -> int:
        asked = self._asked_ms(answer.headers) or _WAIT_DEFAULT_MS
        wait_ms = min(max(asked, _WAIT_MIN_MS), _WAIT_MAX_MS)
        if answer.status == _TOO_MANY:
            self.budget.refused(self._clock.monotonic_ms(), wait_ms)
        return min(wait_ms, _EXIT_WAIT_MAX_MS) if purpose is Purpose.EXIT else wait_ms

    def _asked_ms(self, headers: Mapping[str, str]) -> int | None:
        retry_after_s = _number(headers, "retry-after")
        return retry_after_s * 1000 if retry_after_s else self._reset_ms(headers)

    def _told(self, headers: Mapping[str, str]) -> RateLimitTold:
        return RateLimitTold(
            limit=_number(headers, "x-ratelimit-limit"),
            remaining=_number(headers, "x-ratelimit-remaining"),
            reset_in_ms=self._reset_ms(headers),
        )

    def _reset_ms(self, headers: Mapping[str, str]) -> int | None:
        reset_at_s = _number(headers, "x-ratelimit-reset")
        return None if reset_at_s is None else reset_at_s * 1000 - int(self._clock.now().timestamp() * 1000)


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "")
    return int(text) if text.isdecimal() and len(text) <= _DIGITS_MAX else None
