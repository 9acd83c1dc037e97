"""How many requests the broker may be sent, and who goes first when they run short: time is given, nothing waits.

Requests are counted over the last minute, so no minute of the broker's can hold more, however it draws its own.
Exits (cancels and orders that only reduce) have a reserve that nobody else touches, and go whatever the count says;
reads yield to orders, but keep a small share, because without reconciliation trading stops too.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

PER_MINUTE_DEFAULT = 200
"""Alpaca's limit for a trading account; its answers name the one that holds."""
WINDOW_MS = 60_000
EXIT_RESERVE_PERCENT = 20
READ_SHARE_PERCENT = 15
ORDER_RESERVE_PERCENT = 30
"""What reads beyond their share leave for orders."""
EXIT_PACE_MS = 250
"""Between exits once the budget is spent: they go on, but do not hammer."""
WAIT_MIN_MS = 10


class Purpose(StrEnum):
    """What a request is for."""

    READ = "read"
    NEW_RISK = "new_risk"
    EXIT = "exit"


@dataclass(frozen=True, slots=True)
class RateLimitTold:
    """What an answer says of the broker's own count; `reset_in_ms` is when that count begins anew."""

    limit: int | None = None
    remaining: int | None = None
    reset_in_ms: int | None = None


class RequestBudget:
    """The count of one account's requests, ours and (as far as answers tell) everybody's."""

    def __init__(self, per_minute: int | None = None) -> None:
        """Keep to a limit that was set; without one, to the default until the broker's answers name theirs."""
        self._ceiling = per_minute
        self._limit = per_minute or PER_MINUTE_DEFAULT
        self._sent: deque[tuple[int, Purpose]] = deque()
        self._reads = 0
        self._in_flight = 0
        self._told_left = 0
        self._told_until_ms: int | None = None
        self._stopped_until_ms = 0
        self._refused_ms: int | None = None
        self._last_exit_ms: int | None = None

    def take(self, purpose: Purpose, now_ms: int) -> int:
        """Count a request that goes now and give 0, or count nothing and give the milliseconds to wait."""
        self._forget(now_ms)
        wait_ms = self._wait_ms(purpose, now_ms)
        if wait_ms > 0:
            return max(wait_ms, WAIT_MIN_MS)
        self._sent.append((now_ms, purpose))
        self._reads += purpose is Purpose.READ
        self._in_flight += 1
        self._told_left -= 1
        if purpose is Purpose.EXIT:
            self._last_exit_ms = now_ms
        return 0

    def ended(self, now_ms: int, told: RateLimitTold) -> None:
        """Hear that a request came to its end, and what the answer told."""
        self._in_flight -= 1
        if told.limit is not None and told.limit > 0:
            self._limit = told.limit if self._ceiling is None else min(self._ceiling, told.limit)
        if told.remaining is None or told.reset_in_ms is None:
            return
        # Requests on their way may or may not be in the broker's figure: count them as not yet.
        left, until_ms = told.remaining - self._in_flight, now_ms + min(max(told.reset_in_ms, 0), WINDOW_MS)
        same_count = self._told_until_ms is not None and abs(until_ms - self._told_until_ms) <= WINDOW_MS // 10
        self._told_left = min(left, self._told_left) if same_count else left
        self._told_until_ms = until_ms

    def refused(self, now_ms: int, wait_ms: int) -> None:
        """Hear a 429: no new risk and no reads until its time is over."""
        self._refused_ms = max(wait_ms, self._refused_ms or 0)
        self._stopped_until_ms = max(self._stopped_until_ms, now_ms + wait_ms)

    def take_refusal(self) -> int | None:
        """Give the longest wait that a 429 asked for since this was last asked, None when there was none."""
        refused_ms, self._refused_ms = self._refused_ms, None
        return refused_ms

    def facts(self, now_ms: int) -> Mapping[str, int]:
        """Give what health shows: the limit, what of it was sent in the last minute, what is left, a halt's rest."""
        self._forget(now_ms)
        return {
            "limit_per_min": self._limit,
            "sent_last_min": len(self._sent),
            "left": max(self._left(), 0),
            "halted_ms": max(self._stopped_until_ms - now_ms, 0),
        }

    def _wait_ms(self, purpose: Purpose, now_ms: int) -> int:
        left = self._left()
        if purpose is Purpose.EXIT:
            if left > 0 or self._last_exit_ms is None:
                return 0
            return max(self._last_exit_ms + EXIT_PACE_MS - now_ms, 0)
        if now_ms < self._stopped_until_ms:
            return self._stopped_until_ms - now_ms
        floor = self._floor(purpose)
        return 0 if left > floor else self._until_above(floor, now_ms)

    def _floor(self, purpose: Purpose) -> int:
        """Give how many requests a purpose must leave untouched."""
        exits, share = self._percent(EXIT_RESERVE_PERCENT), self._percent(READ_SHARE_PERCENT)
        if purpose is Purpose.NEW_RISK:
            return exits + max(share - self._reads, 0)
        return exits if self._reads < share else exits + self._percent(ORDER_RESERVE_PERCENT)

    def _until_above(self, floor: int, now_ms: int) -> int:
        """Give the milliseconds until enough of what was sent is a minute old, and the broker counts anew."""
        too_many = len(self._sent) + floor + 1 - self._limit
        ours_ms = 0
        if too_many > 0:
            nth = min(too_many, len(self._sent)) - 1
            ours_ms = WINDOW_MS if nth < 0 else self._sent[nth][0] + WINDOW_MS - now_ms
        theirs_ms = 0
        if self._told_until_ms is not None and self._told_left <= floor:
            theirs_ms = self._told_until_ms - now_ms
        return max(ours_ms, theirs_ms, WAIT_MIN_MS)

    def _left(self) -> int:
        ours = self._limit - len(self._sent)
        return ours if self._told_until_ms is None else min(ours, self._told_left)

    def _percent(self, percent: int) -> int:
        return self._limit * percent // 100

    def _forget(self, now_ms: int) -> None:
        """Drop what is a minute old, and a count of the broker's that has begun anew."""
        while self._sent and now_ms - self._sent[0][0] >= WINDOW_MS:
            _, purpose = self._sent.popleft()
            self._reads -= purpose is Purpose.READ
        if self._told_until_ms is not None and now_ms >= self._told_until_ms:
            self._told_until_ms = None
