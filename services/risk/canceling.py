"""The answer to what asks for an end of orders; it can only cut risk, so it is never too late for it."""

from contracts.decisions import Check
from contracts.enums import Action, Outcome
from contracts.ids import OPERATOR
from contracts.intents import CancelAllIntent, CancelIntent
from contracts.reasons import DenialCode, Reason
from projections.account import AccountState
from projections.order_state import OrderState
from services.risk.answer import Answer, Stated, no
from services.risk.ownership import may_act_on, order_of
from services.risk.said import short

ORDERS_MAX = 5_000
"""One decision names no more orders than this (200 kB); the next cancel of all names what is left."""
_MORE = "more are open: ask again for the rest"


def answer_cancel(state: AccountState, stated: Stated, intent: CancelIntent) -> Answer:
    """Approve a cancel of one's own working order."""
    order = order_of(state, stated, intent.order_id)
    if isinstance(order, Reason):
        return no(Action.CANCEL, order)
    if order.is_terminal:
        message = f"order {order.order_id} is {order.status} already"
        return no(Action.CANCEL, Reason(code=DenialCode.ORDER_NOT_WORKING, message=message))
    return Answer(action=Action.CANCEL, outcome=Outcome.APPROVED, order_id=order.order_id)


def answer_cancel_all(state: AccountState, stated: Stated, intent: CancelAllIntent) -> Answer:
    """Name every open order that is meant and that whoever asks may cancel, by their ids; none is an answer too."""
    if intent.agent is not None and stated.agent not in {intent.agent, OPERATOR}:
        message = (
            f"the orders of {short(intent.agent)} belong to another: agents cancel their own, so leave agent out"
        )
        return no(Action.CANCEL_ALL, Reason(code=DenialCode.NOT_YOUR_ORDER, message=message))
    open_ids = sorted(
        order.order_id
        for order in state.orders.values()
        if not order.is_terminal and may_act_on(stated, order) and _is_meant(intent, order)
    )
    cut = len(open_ids) > ORDERS_MAX
    checks = (Check(name="cancel_all", passed=True, note=_MORE),) if cut else ()
    return Answer(
        action=Action.CANCEL_ALL, outcome=Outcome.APPROVED, order_ids=tuple(open_ids[:ORDERS_MAX]), checks=checks
    )


def _is_meant(intent: CancelAllIntent, order: OrderState) -> bool:
    named = intent.symbol in {None, order.terms.symbol} and intent.agent in {None, order.agent}
    return named and not (intent.entries_only and order.reduces)
