"""Controls on the instrument: does the broker trade it, is it halted, may it be sold short."""

from contracts.broker import Asset
from contracts.decisions import Check
from contracts.enums import Side
from contracts.market import says_halted
from contracts.reasons import DenialCode, Reason
from services.risk.checks.findings import SHOWN_CHARS, Finding, clear, denied, exempt, missing
from services.risk.order_form import is_whole
from services.risk.situation import Situation

C = DenialCode
_NO_HALT_HEARD = Check(name="halts", passed=True, note="no halt and no resumption was heard of")
"""Venues speak of a symbol's trading status only when it changes, so silence is no halt."""


def check_assets(at: Situation) -> Finding:
    """The broker must have said that it trades the symbol, and in fractions when a fraction is wanted."""
    if at.reduces:
        return exempt("assets")
    symbol, asset = at.terms.symbol, _asset(at)
    if asset is None:
        return missing("assets", C.NO_ASSET, f"the broker has not yet said whether it trades {symbol}")
    if not asset.tradable:
        return _not_tradable(f"the broker does not trade {symbol}")
    if not asset.fractionable and (at.terms.notional_usd is not None or not is_whole(at.terms.qty)):
        return _not_tradable(f"{symbol} is traded in whole shares only")
    return clear("assets")


def _not_tradable(message: str) -> Finding:
    return denied("assets", Reason(code=C.NOT_TRADABLE, message=message, needs_human=True))


def check_halts(at: Situation) -> Finding:
    """While the venue halts the symbol, an order would wait for a price that nobody can foresee."""
    if at.reduces:
        return exempt("halts")
    status, symbol = at.evidence.status, at.terms.symbol
    if status is None or status.symbol != symbol:
        return _NO_HALT_HEARD
    if not says_halted(status):
        return clear("halts")
    told = f"{status.code} {status.reason_code} {status.reason}".strip()[:SHOWN_CHARS]
    message = f"{symbol} is halted since {status.at.isoformat()}: {told}"
    return denied("halts", Reason(code=C.SYMBOL_HALTED, message=message, retryable=True, retry_after_ms=60_000))


def check_shorts(at: Situation) -> Finding:
    """Short sales may be forbidden; where they are allowed, the broker must say that the shares are easy to borrow.

    Alpaca refuses to open a short in what is hard to borrow. The rail has three answers: none binds nothing. A broker
    that has said nothing has not said that they are, whether or not the rail on assets is set.
    """
    allowed = at.limits.shorts_allowed
    if allowed is None or not _opens_short(at):
        return clear("shorts")
    symbol = at.terms.symbol
    if not allowed:
        return _no_short(C.SHORT_NOT_ALLOWED, f"short sales are not allowed, and {symbol} is not held")
    asset = _asset(at)
    if asset is None:
        return missing("shorts", C.NO_ASSET, f"the broker has not yet said whether {symbol} can be borrowed")
    if not (asset.shortable and asset.easy_to_borrow):
        return _no_short(C.NOT_BORROWABLE, f"{symbol} is not easy to borrow: the broker takes no short sale")
    return clear("shorts")


def _opens_short(at: Situation) -> bool:
    """Say whether the order sells what is not held; one that sells more than is held crosses zero instead."""
    return at.terms.side is Side.SELL and not at.reduces and at.held.position_qty <= 0


def _no_short(code: DenialCode, message: str) -> Finding:
    return denied("shorts", Reason(code=code, message=message, needs_human=True))


def _asset(at: Situation) -> Asset | None:
    return at.state.listing.assets.get(at.terms.symbol)
