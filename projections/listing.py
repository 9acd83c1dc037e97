"""What the broker says of symbols and of the exchange's days."""

from datetime import datetime

from immutables import Map
from msgspec.structs import replace

from contracts.base import Value
from contracts.broker import Asset, AssetsObserved, Session, SessionsObserved
from contracts.ids import Symbol


class Listing(Value, frozen=True, kw_only=True):
    """The broker's last word on each symbol, and the exchange's sessions, oldest first."""

    assets: Map[Symbol, Asset] = Map()
    sessions: tuple[Session, ...] = ()

    def session_of(self, at: datetime) -> Session | None:
        """Give the session that a moment is in, or else the next one; none when nobody said."""
        return next((session for session in self.sessions if at < session.close_at), None)


NO_LISTING = Listing()


def evolve(listing: Listing, seen: AssetsObserved | SessionsObserved) -> Listing:
    """Take the broker's word on some symbols, or on the exchange's days, which stands for all said of them before."""
    match seen:
        case AssetsObserved(assets=assets):
            known = listing.assets.update({asset.symbol: asset for asset in assets})
            return replace(listing, assets=known)
        case SessionsObserved(sessions=sessions):
            return replace(listing, sessions=sessions)
