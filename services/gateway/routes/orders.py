"""List orders, show one, ask to cancel one."""

from typing import Annotated

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter

from contracts.ids import IntentId, OrderId, is_token
from contracts.reasons import RefusalCode
from services.gateway.access import ApiRequest
from services.gateway.answers import CancelAnswer, OrderAnswer, OrdersAnswer, PendingAnswer
from services.gateway.api_keys import Scope
from services.gateway.decision_answers import cancel_answer
from services.gateway.forms import CancelForm, cancel_intent, read_cancel
from services.gateway.gateway import Gateway
from services.gateway.operation import Operation, Parameter
from services.gateway.order_answers import OrdersShown, order_answer, orders_shown
from services.gateway.refusals import Refusal
from services.gateway.routes.intents import ACCEPTED, pending
from services.gateway.tracing import traceparent_from
from services.runtime.ids import new_intent_id

LIMIT_DEFAULT = 100
LIMIT_MAX = 500

_ORDER_ID = Parameter(
    name="order_id", where="path", schema={"type": "string"}, description="Lockgate's order id, `lg-…`."
)
_LIST = Operation(
    name="listOrders",
    summary="List the key's own orders, newest first; a key with `control` sees everybody's.",
    scope=Scope.READ,
    parameters=(
        Parameter(
            name="status",
            where="query",
            schema={"enum": list(OrdersShown), "default": OrdersShown.OPEN},
            description="Which orders; closed ones are shown until their trading day is over.",
        ),
        Parameter(
            name="limit",
            where="query",
            schema={"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
            description="How many at most.",
        ),
    ),
    answers={200: (OrdersAnswer, "The orders.")},
    refusals=(RefusalCode.INVALID_BODY,),
)
_SHOW = Operation(
    name="getOrder",
    summary="Show one order: open, or closed on the current trading day.",
    scope=Scope.READ,
    parameters=(_ORDER_ID,),
    answers={200: (OrderAnswer, "The order.")},
    refusals=(RefusalCode.NOT_FOUND,),
)
_CANCEL = Operation(
    name="cancelOrder",
    summary="Ask to cancel an order, as the key's agent; operators may cancel anybody's.",
    scope=Scope.TRADE,
    parameters=(_ORDER_ID,),
    body=CancelForm,
    body_required=False,
    answers={
        200: (CancelAnswer, "Decided: `accepted` means that the broker is asked, `rejected` has a reason."),
        ACCEPTED: (PendingAnswer, "On record, but not decided within the wait."),
    },
    refusals=(RefusalCode.INVALID_BODY, RefusalCode.NOT_FOUND, RefusalCode.IDEMPOTENCY_CONFLICT),
)


@get("/v1/orders", opt=_LIST.as_option(), sync_to_thread=False)
def list_orders(
    request: ApiRequest,
    gateway: NamedDependency[Gateway],
    status: Annotated[OrdersShown, QueryParameter()] = OrdersShown.OPEN,
    limit: Annotated[int, QueryParameter(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT,
) -> OrdersAnswer:
    """List the orders that the key may see."""
    view = gateway.view
    shown = orders_shown(view.state, status, limit, request.auth)
    return OrdersAnswer(orders=shown, state_seq=view.seq, as_of=view.as_of)


@get("/v1/orders/{order_id:str}", opt=_SHOW.as_option(), sync_to_thread=False)
def show_order(
    request: ApiRequest, gateway: NamedDependency[Gateway], order_id: Annotated[str, PathParameter()]
) -> OrderAnswer:
    """Show one order."""
    order = gateway.view.state.orders.get(OrderId(order_id))
    if order is None or not request.auth.may_see(order.agent):
        raise _unknown(order_id)
    return order_answer(order)


@post("/v1/orders/{order_id:str}/cancel", status_code=200, opt=_CANCEL.as_option())
async def cancel(
    request: ApiRequest, gateway: NamedDependency[Gateway], order_id: Annotated[str, PathParameter()]
) -> Response[CancelAnswer] | Response[PendingAnswer]:
    """State a cancel and answer with its decision; whether the order exists and is the agent's, risk says."""
    if not is_token(order_id):
        raise _unknown(order_id)
    form = read_cancel(await request.body())
    intent = cancel_intent(form, IntentId(form.client_intent_id or new_intent_id()), OrderId(order_id))
    trace = traceparent_from(request.headers.get("traceparent"))
    statement = await gateway.clerk.state(request.auth.agent, intent, trace)
    if statement.decided is None:
        return pending(statement.intent_id)
    order = gateway.view.state.orders.get(intent.order_id)
    return Response(cancel_answer(statement.decided, intent.order_id, order, repeated=statement.repeated))


def _unknown(order_id: str) -> Refusal:
    return Refusal(RefusalCode.NOT_FOUND, f"no order {order_id[:80]!r} is open or was closed today")
