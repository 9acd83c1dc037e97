"""The loop breaker: who states the same intent again and again, and is denied for the same reason, waits a while.

It stops no exit: a close, and an order or a change that reduces, are decided every time.
"""

import hashlib
from decimal import Decimal

from msgspec.structs import replace

from contracts.codec import encode
from contracts.decisions import Evidence
from contracts.ids import OPERATOR, IntentId
from contracts.intents import CloseIntent, ReplaceIntent, SubmitIntent
from contracts.limits import LimitSet
from contracts.reasons import DenialCode, Reason
from projections.account import AccountState
from projections.standing import Whose
from services.risk.answer import MS, Stated
from services.risk.situation import measure, measure_replaced
from services.risk.terms import merged_terms, stated_terms

_DIGEST_BYTES = 8
_NO_ID = IntentId("")


def digest_of(intent: SubmitIntent | CloseIntent | ReplaceIntent) -> str:
    """Give the digest of what an intent asks for, whatever its id."""
    return hashlib.blake2b(encode(replace(intent, intent_id=_NO_ID)), digest_size=_DIGEST_BYTES).hexdigest()


def loop_found(
    state: AccountState,
    limits: LimitSet,
    stated: Stated,
    evidence: Evidence,
    intent: SubmitIntent | CloseIntent | ReplaceIntent,
) -> Reason | None:
    """Find that this very intent was denied too often in a row, and say how long it will not be decided again."""
    repeats, cooldown_ms = limits.max_loop_repeats, limits.loop_cooldown_ms
    denied = state.denials.get(stated.agent)
    if not denied or repeats is None or cooldown_ms is None or stated.agent == OPERATOR or intent.dry_run:
        return None
    digest = digest_of(intent)
    again = next((one for one in denied if one.digest == digest and one.count >= repeats), None)
    left_ms = 0 if again is None else cooldown_ms - (evidence.decided_at - again.last_at) // MS
    if again is None or left_ms <= 0 or _reduces(state, limits, stated, evidence, intent):
        return None
    message = f"the same intent was denied {again.count} times in a row as {again.code}"
    return Reason(
        code=DenialCode.LOOP_BREAKER,
        message=f"{message}: change it, or state it again in {left_ms} ms",
        limit=Decimal(repeats),
        attempted=Decimal(again.count + 1),
        retryable=True,
        retry_after_ms=left_ms,
    )


def _reduces(
    state: AccountState,
    limits: LimitSet,
    stated: Stated,
    evidence: Evidence,
    intent: SubmitIntent | CloseIntent | ReplaceIntent,
) -> bool:
    """Say whether an intent would only take risk away; asked only of one that is stopped otherwise."""
    match intent:
        case CloseIntent():
            return True
        case SubmitIntent():
            whose = Whose(stated.agent, intent.meta.strategy, intent.symbol)
            return measure(state, limits, stated_terms(intent), evidence, whose).reduces
        case ReplaceIntent():
            order = state.orders.get(intent.order_id)
            if order is None or order.is_terminal:
                return False
            return measure_replaced(state, limits, order, merged_terms(order.terms, intent), evidence).reduces
