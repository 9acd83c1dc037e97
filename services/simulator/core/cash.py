"""Money that moves without a trade: deposits, dividends, fees, interest."""

from datetime import date, datetime
from decimal import Decimal

import msgspec
from msgspec import UNSET, UnsetType

CASH_KINDS = frozenset({"CSD", "CSW", "JNLC", "DIV", "DIVNRA", "FEE", "CFEE", "INT", "MA", "PTC"})


class CashActivity(msgspec.Struct, frozen=True, kw_only=True):
    """One non-trade activity as /v2/account/activities shows it; fields it does not have are absent."""

    id: str
    activity_type: str
    activity_sub_type: str | UnsetType = UNSET
    date: date
    created_at: datetime
    net_amount: Decimal
    qty: Decimal | UnsetType = UNSET
    symbol: str | UnsetType = UNSET
    per_share_amount: Decimal | UnsetType = UNSET
    status: str = "executed"
    description: str = ""
    currency: str = "USD"
