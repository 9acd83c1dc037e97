"""Ask to replace an order, to cancel one, or to cancel all: whether it may be, risk says."""

from typing import Annotated

from litestar import Response, delete, patch, post
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter

from contracts.ids import TOKEN_PATTERN, AgentId, IntentId, OrderId, Symbol, is_token
from contracts.intents import CancelAllIntent, IntentMeta
from contracts.reasons import RefusalCode
from services.gateway.access import ApiRequest
from services.gateway.answers import CancelAllAnswer, CancelAnswer, PendingAnswer, ReplaceAnswer
from services.gateway.api_keys import Scope
from services.gateway.decision_answers import cancel_all_answer, cancel_answer, replace_answer
from services.gateway.forms import read_cancel, read_id, read_replace
from services.gateway.gateway import Gateway
from services.gateway.operation import Operation, Parameter
from services.gateway.order_forms import (
    REASON_CHARS_MAX,
    CancelForm,
    ReplaceForm,
    cancel_intent,
    replace_intent,
)
from services.gateway.routes.intents import ACCEPTED, pending
from services.gateway.routes.orders import ORDER_ID, unknown_order
from services.gateway.tracing import traceparent_from
from services.runtime.ids import new_intent_id

PENDING = (PendingAnswer, "On record, but not decided within the wait.")
CLIENT_INTENT_ID = Parameter(
    name="client_intent_id",
    where="query",
    schema={"type": "string"},
    description="Your own id for this request: repeating it returns the original answer and does nothing twice.",
)
REASON = Parameter(
    name="reason",
    where="query",
    schema={"type": "string", "maxLength": REASON_CHARS_MAX},
    description="Why, for the record.",
)
DRY_RUN = Parameter(
    name="dry_run",
    where="query",
    schema={"type": "boolean", "default": False},
    description="Only say how it would be decided: nothing is sent, nothing is set aside.",
)
SYMBOL = Parameter(name="symbol", where="query", schema={"type": "string"}, description="Only orders in this symbol.")
AGENT = Parameter(
    name="agent",
    where="query",
    schema={"type": "string", "pattern": TOKEN_PATTERN},
    description="Only this agent's orders; others than one's own only an operator may name.",
)
ENTRIES_ONLY = Parameter(
    name="entries_only",
    where="query",
    schema={"type": "boolean", "default": False},
    description="Leave working what reduces a position.",
)
ReasonParameter = Annotated[str | None, QueryParameter(max_length=REASON_CHARS_MAX)]

_REPLACE = Operation(
    name="replaceOrder",
    summary="Ask for new terms of a working order, as the key's agent; it stays one order under its own id.",
    scope=Scope.TRADE,
    parameters=(ORDER_ID,),
    body=ReplaceForm,
    answers={
        200: (ReplaceAnswer, "Decided: `accepted` means that the broker is asked, `rejected` has a reason."),
        ACCEPTED: (PendingAnswer, "On record, but not decided within the wait, or held for a person."),
    },
    also={ACCEPTED: ReplaceAnswer},
    refusals=(
        RefusalCode.INVALID_BODY,
        RefusalCode.NOT_FOUND,
        RefusalCode.IDEMPOTENCY_CONFLICT,
        RefusalCode.TOO_LARGE,
    ),
)
_CANCEL = Operation(
    name="cancelOrder",
    summary="Ask to cancel an order, as the key's agent; operators may cancel anybody's.",
    scope=Scope.TRADE,
    parameters=(ORDER_ID,),
    body=CancelForm,
    body_required=False,
    answers={
        200: (CancelAnswer, "Decided: `accepted` means that the broker is asked, `rejected` has a reason."),
        ACCEPTED: PENDING,
    },
    refusals=(RefusalCode.INVALID_BODY, RefusalCode.NOT_FOUND, RefusalCode.IDEMPOTENCY_CONFLICT),
)
_CANCEL_ALL = Operation(
    name="cancelAllOrders",
    summary="Ask to cancel every open order of the key's agent; operators cancel everybody's.",
    scope=Scope.TRADE,
    parameters=(SYMBOL, AGENT, ENTRIES_ONLY, CLIENT_INTENT_ID, REASON),
    answers={
        200: (CancelAllAnswer, "Decided: the broker is asked to cancel `order_ids`, which may be none."),
        ACCEPTED: PENDING,
    },
    refusals=(RefusalCode.INVALID_BODY, RefusalCode.IDEMPOTENCY_CONFLICT),
)


@patch("/v1/orders/{order_id:str}", status_code=200, opt=_REPLACE.as_option())
async def replace_order(
    request: ApiRequest, gateway: NamedDependency[Gateway], order_id: Annotated[str, PathParameter()]
) -> Response[ReplaceAnswer] | Response[PendingAnswer]:
    """State a replace and answer with its decision."""
    if not is_token(order_id):
        raise unknown_order(order_id)
    form = read_replace(await request.body())
    intent = replace_intent(form, IntentId(form.client_intent_id or new_intent_id()), OrderId(order_id))
    trace = traceparent_from(request.headers.get("traceparent"))
    statement = await gateway.clerk.state(request.auth.agent, intent, trace)
    if statement.decided is None:
        return pending(statement.intent_id)
    state = gateway.view.state
    answer = replace_answer(statement.decided, intent.order_id, state, repeated=statement.repeated)
    return Response(answer, status_code=ACCEPTED if answer.held_until is not None else 200)


@post("/v1/orders/{order_id:str}/cancel", status_code=200, opt=_CANCEL.as_option())
async def cancel(
    request: ApiRequest, gateway: NamedDependency[Gateway], order_id: Annotated[str, PathParameter()]
) -> Response[CancelAnswer] | Response[PendingAnswer]:
    """State a cancel and answer with its decision."""
    if not is_token(order_id):
        raise unknown_order(order_id)
    form = read_cancel(await request.body())
    intent = cancel_intent(form, IntentId(form.client_intent_id or new_intent_id()), OrderId(order_id))
    trace = traceparent_from(request.headers.get("traceparent"))
    statement = await gateway.clerk.state(request.auth.agent, intent, trace)
    if statement.decided is None:
        return pending(statement.intent_id)
    state = gateway.view.state
    return Response(cancel_answer(statement.decided, intent.order_id, state, repeated=statement.repeated))


@delete("/v1/orders", status_code=200, opt=_CANCEL_ALL.as_option())
async def cancel_all(  # noqa: PLR0913, PLR0917 - the framework reads each query parameter from the signature
    request: ApiRequest,
    gateway: NamedDependency[Gateway],
    symbol: Annotated[str | None, QueryParameter()] = None,
    agent: Annotated[str | None, QueryParameter(pattern=TOKEN_PATTERN)] = None,
    entries_only: Annotated[bool, QueryParameter()] = False,  # noqa: FBT002 - read by name from the query
    client_intent_id: Annotated[str | None, QueryParameter()] = None,
    reason: ReasonParameter = None,
) -> Response[CancelAllAnswer] | Response[PendingAnswer]:
    """State a cancel of all and answer with its decision."""
    intent = CancelAllIntent(
        intent_id=read_id(client_intent_id),
        symbol=None if symbol is None else Symbol(symbol),
        agent=None if agent is None else AgentId(agent),
        entries_only=entries_only,
        meta=IntentMeta(reason=reason),
    )
    trace = traceparent_from(request.headers.get("traceparent"))
    statement = await gateway.clerk.state(request.auth.agent, intent, trace)
    if statement.decided is None:
        return pending(statement.intent_id)
    return Response(cancel_all_answer(statement.decided, repeated=statement.repeated))
