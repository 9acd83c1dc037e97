"""List orders and show one."""

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter

from contracts.ids import OrderId
from contracts.reasons import RefusalCode
from services.gateway.access import ApiRequest
from services.gateway.answers import OrderAnswer, OrdersAnswer
from services.gateway.api_keys import Scope
from services.gateway.gateway import Gateway
from services.gateway.operation import Operation, Parameter
from services.gateway.order_answers import OrdersShown, order_answer, orders_shown
from services.gateway.refusals import Refusal

LIMIT_DEFAULT = 100
LIMIT_MAX = 500

ORDER_ID = Parameter(
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
    parameters=(ORDER_ID,),
    answers={200: (OrderAnswer, "The order.")},
    refusals=(RefusalCode.NOT_FOUND,),
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
        raise unknown_order(order_id)
    return order_answer(order, gateway.view.state.orders)


def unknown_order(order_id: str) -> Refusal:
    """Refuse because no such order is shown to this key."""
    return Refusal(RefusalCode.NOT_FOUND, f"no order {order_id[:80]!r} is open or was closed today")
