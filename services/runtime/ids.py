"""The one source of randomness."""

import secrets
import uuid

from contracts.ids import IntentId

SEED_BYTES = 32


def new_intent_id() -> IntentId:
    """Make an intent id that nobody else will make."""
    return IntentId(uuid.uuid4().hex)


def new_insert_id() -> str:
    """Name one all-or-nothing insert, so that its messages can be told from everybody else's."""
    return uuid.uuid4().hex


def new_traceparent() -> str:
    """Begin a W3C trace: version 00, random trace and span, sampled."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def new_api_key() -> str:
    """Make a bearer key: 256 random bits, safe in headers."""
    return secrets.token_urlsafe(SEED_BYTES)


def new_seed_bytes() -> bytes:
    """Make the 32 random bytes of a private key."""
    return secrets.token_bytes(SEED_BYTES)
