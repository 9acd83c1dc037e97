"""Who may do what: a bearer key on every route but the open ones, and the scope that the route asks for."""

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers.base import BaseRouteHandler

from contracts.reasons import RefusalCode
from services.gateway.api_keys import ApiKey, KeysUnreadableError, Scope
from services.gateway.gateway import Gateway
from services.gateway.operation import OPERATION, Operation
from services.gateway.refusals import Refusal, unavailable

ApiRequest = Request[Any, ApiKey, State]

CHALLENGE = {"www-authenticate": 'Bearer realm="lockgate"'}
_SCHEME = "bearer"
_ASKS_METHODS = "OPTIONS"


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let a request through only with a key that may do this, and only while there is a link to the journal.

    It waits for nothing, but the framework would run a plain function in a thread.
    """
    if connection.scope.get("method") == _ASKS_METHODS:
        return  # the framework's own answer: which methods a path has, and nothing else
    operation: Operation = handler.opt[OPERATION]
    if operation.scope is None:
        return
    gateway: Gateway = connection.app.state["gateway"]
    key = _authenticated(gateway, connection.headers.get("authorization"))
    if key.account != gateway.account:
        raise Refusal(RefusalCode.FORBIDDEN, f"this key is for account {key.account}, here is {gateway.account}")
    require(key, operation.scope)
    if not gateway.is_linked():
        raise unavailable("the link to the journal is down: nothing was done")
    if operation.scope is Scope.TRADE:
        gateway.beat(key.agent)  # who asks is alive, also when a repeated request reaches risk no more
    connection.scope["auth"] = key


def require(key: ApiKey, scope: Scope) -> None:
    """Refuse when a key lacks a scope."""
    if scope not in key.scopes:
        held = ", ".join(sorted(key.scopes)) or "nothing"
        message = f"this needs the scope {scope}, this key has {held}"
        raise Refusal(RefusalCode.FORBIDDEN, message, details={"scope": scope})


def _authenticated(gateway: Gateway, header: str | None) -> ApiKey:
    scheme, _, key_text = (header or "").partition(" ")
    if scheme.lower() != _SCHEME or not key_text:
        raise _unauthenticated("send the header Authorization: Bearer <key>")
    try:
        key = gateway.keys.find(key_text.strip())
    except KeysUnreadableError as error:
        raise unavailable(str(error)) from error
    if key is None:
        raise _unauthenticated("this key is not known")
    return key


def _unauthenticated(message: str) -> Refusal:
    return Refusal(RefusalCode.UNAUTHENTICATED, message, headers=CHALLENGE)
