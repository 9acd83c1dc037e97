"""The control on the market's condition: each strategy trades in its own kind of market, and nobody in a bad one."""

from collections.abc import Sequence
from datetime import timedelta

from contracts.market import RegimeChanged
from contracts.reasons import DenialCode, Reason
from services.risk.checks.findings import Finding, clear, denied, exempt, missing
from services.risk.situation import Situation

C = DenialCode
RETRY_AFTER_MS = 5_000
"""UNTRADEABLE is left after some seconds of sound quotes, the others more slowly: to ask sooner is in vain."""
_REASONS_CHARS = 160
_MS = timedelta(milliseconds=1)


def check_regime(at: Situation) -> Finding:
    """The symbol itself must be in an allowed regime; what the market as a whole is in says nothing of it.

    Regimes are told when they change, so a regime is never too old: while the one who tells them is silent, quotes
    are too, and grow stale.
    """
    if at.reduces:
        return exempt("regime")
    seen, symbol = at.evidence.regime, at.terms.symbol
    if seen is None or seen.symbol != symbol:
        return missing("regime", C.NO_REGIME, f"nobody has yet said which regime {symbol} is in")
    allowed = at.limits.regimes_allowed or ()
    if seen.regime in allowed:
        return clear("regime")
    age_ms = (at.evidence.decided_at - seen.at) // _MS
    message = f"{symbol} is in {seen.regime} since {age_ms} ms ({_why(seen)}), allowed: {_named(allowed)}"
    return denied("regime", Reason(code=C.REGIME, message=message, retryable=True, retry_after_ms=RETRY_AFTER_MS))


def _why(seen: RegimeChanged) -> str:
    return _named(seen.reasons)[:_REASONS_CHARS]


def _named(words: Sequence[str]) -> str:
    return ", ".join(words) or "none"
