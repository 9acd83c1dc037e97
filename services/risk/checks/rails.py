"""The control on the controls: what somebody did without for a while must be set when that time is over."""

from contracts.rails import lapsed_rails
from contracts.reasons import DenialCode, Reason
from services.risk.checks.findings import Finding, clear, denied, exempt
from services.risk.situation import Situation


def check_rails(at: Situation) -> Finding:
    """Once the waiver of a rail is over, nothing may take new risk before the rail is set or waived anew."""
    if at.reduces:
        return exempt("rails")
    missing = lapsed_rails(at.limits, at.evidence.decided_at)
    if not missing:
        return clear("rails")
    message = f"nobody has set, and nobody waives any longer: {', '.join(missing)}"
    return denied("rails", Reason(code=DenialCode.RAIL_MISSING, message=message, needs_human=True))
