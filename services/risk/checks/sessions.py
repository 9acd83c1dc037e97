"""Controls on the hour: what may be sent when, and what may be held overnight.

| order | may be sent |
|---|---|
| market, stop, trailing stop | in the exchange's regular session only: outside it nobody knows the price |
| limit, stop-limit | always; outside the session it waits, or trades in extended hours |
| `opg` | from 19:00 New York until 2 minutes before the opening |
| `cls` | from 19:00 New York until 10 minutes before the close |

Source: Alpaca, "Understand orders" (time in force): opg is taken from 19:00 to 09:28, cls until 15:50, others wait.
"""

from datetime import timedelta
from functools import cache

from contracts.broker import Session
from contracts.enums import OrderType, TimeInForce
from contracts.market import NEW_YORK
from contracts.reasons import DenialCode, Reason
from services.risk.checks.findings import Finding, clear, denied, exempt, missing, passed
from services.risk.checks.sizes import too_large
from services.risk.situation import Situation

C = DenialCode
QUEUE_HOUR = 19
"""New York: from here on orders for an auction are for the next trading day."""
OPG_CUT_OFF = timedelta(minutes=2)
CLS_CUT_OFF = timedelta(minutes=10)
_AUCTIONS = frozenset({TimeInForce.OPG, TimeInForce.CLS})
_AT_THE_MARKET = frozenset({OrderType.MARKET, OrderType.STOP, OrderType.TRAILING_STOP})


def check_session(at: Situation) -> Finding:
    """An order whose price the market makes needs a market, and an order for an auction must come in its time."""
    if at.reduces:
        return exempt("session")
    session = _session(at)
    if session is None:
        return _unknown("session")
    terms = at.terms
    if terms.time_in_force in _AUCTIONS:
        return _in_auction(at, session)
    if terms.order_type in _AT_THE_MARKET and at.evidence.decided_at < session.open_at:
        return _closed(session, f"{terms.order_type} orders need the regular session: use a limit order")
    return clear("session")


def _in_auction(at: Situation, session: Session) -> Finding:
    """Refuse what comes too late for the day's auction and too early for the next day's."""
    local = at.evidence.decided_at.astimezone(NEW_YORK)
    today = at.state.listing.session_on(local.date())
    if today is None or local.hour >= QUEUE_HOUR:
        return clear("session")
    is_opening = at.terms.time_in_force is TimeInForce.OPG
    last = today.open_at - OPG_CUT_OFF if is_opening else today.close_at - CLS_CUT_OFF
    if at.evidence.decided_at < last:
        return clear("session")
    what = f"{at.terms.time_in_force} orders are taken from 19:00 New York until {last:%H:%M} UTC only"
    return _closed(session, what)


def _closed(session: Session, message: str) -> Finding:
    hours = f"{session.open_at:%H:%M} to {session.close_at:%H:%M} UTC"
    told = f"{message}; the session of {session.trading_day} is from {hours}"
    return denied("session", Reason(code=C.SESSION_CLOSED, message=told))


def check_overnight(at: Situation) -> Finding:
    """Shortly before the close, and in extended hours, all exposure together must be fit to be kept overnight."""
    if at.reduces:
        return exempt("overnight_exposure")
    session, limit = _session(at), at.limits.max_overnight_exposure_usd
    window_ms = at.limits.overnight_window_ms
    if session is None or limit is None or window_ms is None:
        return _unknown("overnight_exposure")
    if not _is_kept(at, session, _span(window_ms)):
        return clear("overnight_exposure")
    if at.worst_price is None:
        return missing("overnight_exposure", C.NO_QUOTE, "without a price the exposure is not known")
    after = at.totals_after.gross_usd
    if after <= limit:
        return passed("overnight_exposure", after, limit)
    used = at.totals_before.gross_usd
    return too_large(at, "overnight_exposure", C.MAX_OVERNIGHT_EXPOSURE, (used, after, limit))


def _is_kept(at: Situation, session: Session, window: timedelta) -> bool:
    """Say whether what the order opens now is likely to be held when the exchange is closed."""
    now = at.evidence.decided_at
    if now < session.open_at:
        return at.terms.extended_hours
    return session.close_at - now <= window


@cache
def _span(window_ms: int) -> timedelta:
    return timedelta(milliseconds=window_ms)


def _session(at: Situation) -> Session | None:
    return at.state.listing.session_of(at.evidence.decided_at)


def _unknown(name: str) -> Finding:
    return missing(name, C.NO_SESSION, "the broker has not yet said when the exchange is open")
