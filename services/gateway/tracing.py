"""The caller's W3C trace context, carried on to the intent; a caller without one begins a trace here."""

import re

from services.runtime.ids import new_traceparent

_TRACEPARENT = re.compile(r"^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")


def traceparent_from(header: str | None) -> str:
    """Take a well-formed trace header as it came; anything else is ignored, as the standard asks."""
    return header if header is not None and _TRACEPARENT.match(header) else new_traceparent()
