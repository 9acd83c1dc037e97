"""What the broker says of symbols and of the exchange's days."""

from datetime import date, datetime
from decimal import Decimal

from immutables import Map
from msgspec.structs import replace

from contracts.base import Value
from contracts.broker import AccountObserved, Asset, AssetsObserved, Session, SessionsObserved
from contracts.ids import Symbol


class Listing(Value, frozen=True, kw_only=True):
    """The broker's last word on each symbol, the exchange's sessions, oldest first, and prices of what is held."""

    assets: Map[Symbol, Asset] = Map()
    sessions: tuple[Session, ...] = ()
    prices: Map[Symbol, Decimal] = Map()

    def session_of(self, at: datetime) -> Session | None:
        """Give the session that a moment is in, or else the next one; none when nobody said."""
        for session in self.sessions:  # a few days; decisions ask often, so no generator is made
            if at < session.close_at:
                return session
        return None

    def session_on(self, trading_day: date) -> Session | None:
        """Give the session of a day; none when the exchange is closed on it, or nobody said."""
        return next((session for session in self.sessions if session.trading_day == trading_day), None)


NO_LISTING = Listing()


def evolve(listing: Listing, seen: AssetsObserved | SessionsObserved | AccountObserved) -> Listing:
    """Take the broker's word on some symbols, or on the exchange's days, which stands for all said of them before."""
    match seen:
        case AssetsObserved(assets=assets):
            known = listing.assets.update({asset.symbol: asset for asset in assets})
            return replace(listing, assets=known)
        case SessionsObserved(sessions=sessions):
            return replace(listing, sessions=sessions)
        case AccountObserved(positions=positions):
            shown = Map({one.symbol: one.current_price for one in positions if one.current_price is not None})
            return listing if shown == listing.prices else replace(listing, prices=shown)
