"""The answer to what asks for an end of orders; it can only cut risk, so it is never too late for it."""

from contracts.decisions import Check
from contracts.enums import Action, Outcome
from contracts.intents import CancelAllIntent, CancelIntent
from contracts.reasons import DenialCode, Reason
from projections.account import AccountState
from services.risk.answer import Answer, Stated, no
from services.risk.ownership import may_act_on, order_of

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
    """Name every open order that whoever asks may cancel, in the order of their ids; none is an answer too."""
    open_ids = sorted(
        order.order_id
        for order in state.orders.values()
        if not order.is_terminal and may_act_on(stated, order) and intent.symbol in {None, order.terms.symbol}
    )
    cut = len(open_ids) > ORDERS_MAX
    checks = (Check(name="cancel_all", passed=True, note=_MORE),) if cut else ()
    return Answer(
        action=Action.CANCEL_ALL, outcome=Outcome.APPROVED, order_ids=tuple(open_ids[:ORDERS_MAX]), checks=checks
    )
