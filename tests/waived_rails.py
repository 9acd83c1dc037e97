"""Every rail waived, for worlds that bring their own limits and none of the facts that the rails need."""

from datetime import UTC, datetime

from contracts.limits import Waiver
from contracts.rails import RAILS

_LONG = datetime(2100, 1, 1, tzinfo=UTC)
ALL_WAIVED = tuple(Waiver(rail=name, until=_LONG, by="test", reason="none of its facts here") for name in RAILS)
