"""What the broker answers when it says no: HTTP status, stable code, message and extra fields."""

from collections.abc import Mapping
from typing import Any

MALFORMED = 40010001
UNPROCESSABLE = 42210000
FORBIDDEN = 40310000
NOT_FOUND = 40410000
TOO_MANY = 42910000


class BrokerError(Exception):
    """One refusal, exactly as it goes on the wire."""

    def __init__(self, status: int, code: int | None, message: str, extra: Mapping[str, Any] | None = None) -> None:
        """Keep the HTTP status, the Alpaca code (absent for 401) and the body's extra fields."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.extra = dict(extra or {})

    def body(self) -> dict[str, Any]:
        """Return the JSON body of the refusal."""
        code = {} if self.code is None else {"code": self.code}
        return {**code, "message": self.message, **self.extra}


def malformed(message: str) -> BrokerError:
    """Return the 422 for a body whose shape or values are wrong."""
    return BrokerError(422, MALFORMED, message)


def unprocessable(message: str, **extra: Any) -> BrokerError:
    """Return the 422 for a well-formed request that the rules of the asset or order refuse."""
    return BrokerError(422, UNPROCESSABLE, message, extra)


def forbidden(message: str, **extra: Any) -> BrokerError:
    """Return the 403 for what the account may not do."""
    return BrokerError(403, FORBIDDEN, message, extra)


def not_found(message: str) -> BrokerError:
    """Return the 404 for an order, position or asset that does not exist."""
    return BrokerError(404, NOT_FOUND, message)
