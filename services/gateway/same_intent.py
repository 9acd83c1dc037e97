"""Whether two intents ask for the same thing, however their senders wrote the numbers."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec

from contracts.codec import UndecodableError, decode_intent
from contracts.decisions import Decision
from contracts.intents import Intent
from contracts.values import is_exact


def is_same(intent: Intent, stored: bytes) -> bool:
    """Compare an intent with stored bytes by content: 10, "10" and "10.0" are one quantity."""
    with suppress(UndecodableError):
        return _canonical(intent) == _canonical(decode_intent(stored))
    return False


def stated_in(decision: Decision) -> bytes:
    """Give the bytes that an agent stated, as its decision keeps them."""
    return bytes(decision.intent) if decision.malformed is None else decision.malformed


def _canonical(intent: Intent) -> Any:
    return _plain(msgspec.to_builtins(intent, builtin_types=(Decimal,)))


def _plain(value: Any) -> Any:
    """Write every number as text: exact ones without trailing zeros, others (NaN, 1e400) as they were given."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Decimal):
        return str(value.normalize()) if is_exact(value) else str(value)
    return value
