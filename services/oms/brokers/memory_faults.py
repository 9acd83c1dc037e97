"""What may befall requests to the in-memory broker."""

from enum import StrEnum

from services.oms.brokers.port import Ambiguous, NotSent, RateLimited

_RETRY_AFTER_MS = 100


class Fault(StrEnum):
    """What may befall the next request that writes; a lost answer is of a request that was carried out."""

    LOST_REQUEST = "lost_request"
    LOST_ANSWER = "lost_answer"
    RATE_LIMITED = "rate_limited"
    NOT_SENT = "not_sent"


def unsent(fault: Fault | None) -> Ambiguous | RateLimited | NotSent | None:
    """Give what a fault makes of a request that was never carried out, None when it was."""
    match fault:
        case Fault.LOST_REQUEST:
            return Ambiguous(detail="no answer")
        case Fault.RATE_LIMITED:
            return RateLimited(retry_after_ms=_RETRY_AFTER_MS)
        case Fault.NOT_SENT:
            return NotSent(detail="connection refused")
        case _:
            return None
