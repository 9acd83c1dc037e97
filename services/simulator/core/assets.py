"""The assets this broker trades."""

from decimal import Decimal

import msgspec

from services.simulator.core.ids import asset_id


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """One US equity as /v2/assets shows it."""

    id: str
    asset_class: str = msgspec.field(name="class", default="us_equity")
    exchange: str
    symbol: str
    name: str
    status: str = "active"
    tradable: bool = True
    marginable: bool = True
    maintenance_margin_requirement: int = 30
    margin_requirement_long: Decimal = Decimal(30)
    margin_requirement_short: Decimal = Decimal(30)
    shortable: bool = True
    easy_to_borrow: bool = True
    borrow_status: str = "easy_to_borrow"
    fractionable: bool = True
    attributes: list[str] = msgspec.field(default_factory=list[str])


NAMES = {
    "AAPL": ("NASDAQ", "Apple Inc. Common Stock"),
    "AMZN": ("NASDAQ", "Amazon.com, Inc. Common Stock"),
    "AVGO": ("NASDAQ", "Broadcom Inc. Common Stock"),
    "GOOGL": ("NASDAQ", "Alphabet Inc. Class A Common Stock"),
    "JPM": ("NYSE", "JPMorgan Chase & Co."),
    "META": ("NASDAQ", "Meta Platforms, Inc. Class A Common Stock"),
    "MSFT": ("NASDAQ", "Microsoft Corporation Common Stock"),
    "NVDA": ("NASDAQ", "NVIDIA Corporation Common Stock"),
    "SPY": ("ARCA", "State Street SPDR S&P 500 ETF Trust"),
    "TSLA": ("NASDAQ", "Tesla, Inc. Common Stock"),
    "XOM": ("NYSE", "Exxon Mobil Corporation"),
}


def listed(symbol: str) -> Asset:
    """Return the listing of a symbol; one without a known company is named as made up."""
    exchange, name = NAMES.get(symbol, ("NYSE", f"{symbol} (simulated listing)"))
    return Asset(id=asset_id(symbol), exchange=exchange, symbol=symbol, name=name)
