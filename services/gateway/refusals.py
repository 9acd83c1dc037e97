"""Refusals: what the gateway says before anything is published, always in one form."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Literal

import msgspec

from contracts.reasons import RefusalCode

STATUS: Mapping[RefusalCode, HTTPStatus] = {
    RefusalCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    RefusalCode.FORBIDDEN: HTTPStatus.FORBIDDEN,
    RefusalCode.MISSING_REQUIRED_FIELDS: HTTPStatus.BAD_REQUEST,
    RefusalCode.INVALID_BODY: HTTPStatus.BAD_REQUEST,
    RefusalCode.IDEMPOTENCY_CONFLICT: HTTPStatus.CONFLICT,
    RefusalCode.VERSION_CONFLICT: HTTPStatus.CONFLICT,
    RefusalCode.KILL_FILE_PRESENT: HTTPStatus.CONFLICT,
    RefusalCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    RefusalCode.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    RefusalCode.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    RefusalCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Every code with the HTTP status that carries it."""
RETRY_AFTER_S = 1


class RefusalAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing was done, and why. `reason` repeats the code under the name that older clients read."""

    status: Literal["refused"] = "refused"
    code: RefusalCode
    reason: RefusalCode
    message: str
    details: Annotated[
        dict[str, Any] | None, msgspec.Meta(description="What a program can use: names of fields, modes or ids.")
    ] = None


class Refusal(Exception):  # noqa: N818 - the project's word for it; it is an answer, not a failure
    """Ends a request with one of the refusal codes."""

    def __init__(
        self,
        code: RefusalCode,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Say which code, in words, and with what a program can use."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details
        self.headers = dict(headers or {})
        if code is RefusalCode.UNAVAILABLE:
            self.headers.setdefault("retry-after", str(RETRY_AFTER_S))

    @property
    def status(self) -> HTTPStatus:
        """Give the HTTP status of this refusal."""
        return STATUS[self.code]

    def answer(self) -> RefusalAnswer:
        """Give the body of this refusal."""
        details = None if self.details is None else dict(self.details)
        return RefusalAnswer(code=self.code, reason=self.code, message=self.message, details=details)


def unavailable(message: str, *, details: Mapping[str, Any] | None = None) -> Refusal:
    """Refuse because a part that we need does not answer; the same request may work in a moment."""
    return Refusal(RefusalCode.UNAVAILABLE, message, details=details)
