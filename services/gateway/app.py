"""The application: routes, the guard in front of them, and one form for everything that goes wrong."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from traceback import format_exception
from typing import Any

from litestar import Litestar, MediaType, Request, Response
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from contracts.intents import INTENT_BYTES_MAX
from contracts.reasons import RefusalCode
from services.gateway.access import guard
from services.gateway.gateway import Gateway
from services.gateway.openapi import document_route
from services.gateway.refusals import Refusal, RefusalAnswer, unavailable
from services.gateway.routes import (
    account,
    approvals,
    controls,
    health,
    heartbeat,
    intents,
    limits,
    mandates,
    order_changes,
    orders,
    positions,
    trips,
)
from services.runtime.ports import JournalUnavailableError
from services.runtime.stream_api import RefusedError
from services.runtime.telemetry import get_logger

BODY_BYTES_MAX = INTENT_BYTES_MAX
HANDLERS: Sequence[HTTPRouteHandler] = (
    health.show_health,
    heartbeat.say_alive,
    intents.submit,
    intents.look,
    account.show_state,
    account.show_risk_state,
    limits.show_limits,
    limits.set_layer,
    limits.unset_layer,
    limits.show_agent,
    orders.list_orders,
    orders.show_order,
    order_changes.replace_order,
    order_changes.cancel,
    order_changes.cancel_all,
    positions.close_position,
    positions.close_all_positions,
    controls.set_kill_switch,
    trips.list_trips,
    trips.reset_trip,
    mandates.list_mandates,
    mandates.show_mandate,
    mandates.grant_mandate,
    mandates.tighten_mandate,
    mandates.revoke_mandate,
    approvals.list_approvals,
    approvals.answer_approval,
    approvals.take_back,
)
_CODES: Mapping[int, RefusalCode] = {
    HTTPStatus.NOT_FOUND: RefusalCode.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: RefusalCode.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: RefusalCode.TOO_LARGE,
}
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}

_log = get_logger("gateway.app")


def make_app(gateway: Gateway) -> Litestar:
    """Build the application of one gateway."""
    return Litestar(
        route_handlers=[*HANDLERS, document_route(HANDLERS, gateway.version)],
        dependencies={"gateway": Provide(lambda: gateway, sync_to_thread=False)},
        guards=[guard],
        state=State({"gateway": gateway}),
        exception_handlers={
            Refusal: _refused,
            HTTPException: _refused_by_framework,
            JournalUnavailableError: _journal_unavailable,
            RefusedError: _journal_unavailable,
            Exception: _broken,
        },
        response_headers=_HEADERS,
        request_max_body_size=BODY_BYTES_MAX,
        openapi_config=None,
        logging_config=None,
    )


def _refused(_: Request[Any, Any, Any], refusal: Refusal) -> Response[RefusalAnswer]:
    return _answer(refusal.answer(), refusal.status, refusal.headers)


def _refused_by_framework(request: Request[Any, Any, Any], error: HTTPException) -> Response[RefusalAnswer]:
    """Bring the framework's own errors (no such route, parameter out of range, body too long) into our form."""
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _broken(request, error)
    code = _CODES.get(error.status_code, RefusalCode.INVALID_BODY)
    details = {"errors": error.extra} if error.extra else None
    refusal = Refusal(code, _words(request, code, error), details=details)
    return _answer(refusal.answer(), HTTPStatus(error.status_code), error.headers or {})


def _words(request: Request[Any, Any, Any], code: RefusalCode, error: HTTPException) -> str:
    """Say what there is instead, where the framework only names the HTTP status."""
    asked = f"{request.method} {request.url.path}"
    match code:
        case RefusalCode.NOT_FOUND:
            return f"there is no {asked}: /openapi.json lists every path"
        case RefusalCode.METHOD_NOT_ALLOWED:
            return f"{asked} is not offered: /openapi.json lists what is"
        case _:
            return error.detail


def _journal_unavailable(request: Request[Any, Any, Any], error: Exception) -> Response[RefusalAnswer]:
    _log.warning("journal unavailable", path=request.url.path, error=str(error))
    return _refused(request, unavailable(f"the journal does not answer: {error}"))


def _broken(request: Request[Any, Any, Any], error: Exception) -> Response[RefusalAnswer]:
    """Answer for a fault of ours: say so, keep the traceback in the log, and give nothing of it away.

    The traceback is written without the values of variables, which may hold a caller's key.
    """
    _log.error("request failed", path=request.url.path, traceback="".join(format_exception(error)))
    refusal = Refusal(RefusalCode.UNAVAILABLE, "something is broken in the gateway; its log has the traceback")
    return _answer(refusal.answer(), HTTPStatus.INTERNAL_SERVER_ERROR, {})


def _answer(answer: RefusalAnswer, status: HTTPStatus, headers: Mapping[str, str]) -> Response[RefusalAnswer]:
    return Response(answer, status_code=status, headers=dict(headers), media_type=MediaType.JSON)
