"""The national best bid and offer as the broker's matching sees it."""

from datetime import datetime
from decimal import Decimal

import msgspec


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """Best bid and ask with sizes in shares, the last trade, and when it was so."""

    symbol: str
    bid: Decimal
    ask: Decimal
    bid_size: int
    ask_size: int
    last: Decimal
    last_size: int
    time: datetime
