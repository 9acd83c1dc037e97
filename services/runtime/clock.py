"""The one place that reads the time."""

import time
from datetime import UTC, date, datetime

from contracts.market import NEW_YORK

_MS_NS = 1_000_000

# Linux's boot clock goes on while the machine sleeps, so a lease does not seem fresh after a nap; others have none.
_MONOTONIC = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def trading_day(at: datetime) -> date:
    """Give the exchange's (New York) calendar day of a moment."""
    return at.astimezone(NEW_YORK).date()


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Give the present moment in UTC."""
        return datetime.now(UTC)

    def monotonic_ms(self) -> int:
        """Give milliseconds since boot, sleep included where the system can tell; they never go back."""
        return time.clock_gettime_ns(_MONOTONIC) // _MS_NS

    def trading_day(self, at: datetime) -> date:
        """Give the exchange's (New York) calendar day of a moment."""
        return trading_day(at)
