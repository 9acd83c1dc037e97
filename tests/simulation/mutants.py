"""Deliberately broken transitions, each planted for a while: the checks must find every one of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from immutables import Map
from msgspec.structs import replace

from contracts.enums import EndCause, OrderStatus
from contracts.ids import FillId
from contracts.reasons import RejectionCode
from contracts.values import ZERO
from projections.order_state import OrderState
from services.oms import core as oms_core
from services.oms import fills
from services.oms.brokers.port import Ambiguous, Rejected
from services.oms.decider import NeverArrived, SubmitAnswered
from services.oms.desk import OrderDesk
from services.oms.fills import Execution
from services.oms.kill import KillSwitch
from services.oms.sender import Sender
from services.risk import core as risk_core
from services.risk.core import RiskCore

type Plant = Callable[["Garden"], None]


class Garden:
    """Where a mutant is planted; everything is as before when it is left."""

    def __init__(self, patches: ExitStack) -> None:
        self._patches = patches

    def put(self, where: Any, name: str, value: Any) -> None:
        self._patches.enter_context(mock.patch.object(where, name, value))


def ended_orders_drop_late_fills(garden: Garden) -> None:
    """A fill is taken only while the order's life goes on."""
    missing, executed = fills.missing, fills.executed
    garden.put(fills, "missing", lambda order, *told: () if order.is_terminal else missing(order, *told))
    garden.put(fills, "executed", lambda order, *told: () if order.is_terminal else executed(order, *told))


def a_cancel_request_releases(garden: Garden) -> None:
    """Headroom comes back when a cancel is asked for, not when the order has ended."""
    whole = OrderState.working_qty

    def working_qty(order: OrderState) -> Any:
        return ZERO if order.status is OrderStatus.PENDING_CANCEL else whole.fget(order)

    garden.put(OrderState, "working_qty", property(working_qty))


def a_repeated_fill_counts_again(garden: Garden) -> None:
    """Every message about an execution is an execution."""

    def executed(order: OrderState, update: Any, *_: Any) -> tuple[Execution, ...]:
        if not update.qty or not update.price:
            return ()
        fill_id, total = FillId(f"{update.execution_id}-{order.last_seq}"), order.filled_qty + update.qty
        return (Execution(fill_id=fill_id, qty=update.qty, price=update.price, cum_qty=total, recovered=False),)

    garden.put(fills, "executed", executed)


def nobody_is_fenced(garden: Garden) -> None:
    """What a dead writer's late words say counts."""
    garden.put(oms_core, "admits", lambda _fence, _event: True)
    garden.put(risk_core, "admits", lambda _fence, _event: True)


def expired_decisions_are_sent(garden: Garden) -> None:
    """Only the kill switch is asked before an order is sent, not the clock."""
    blocked = Sender._blocked

    def late_is_fine(sender: Sender, order: OrderState) -> EndCause | None:
        cause = blocked(sender, order)
        return None if cause is EndCause.DECISION_STALE else cause

    garden.put(Sender, "_blocked", late_is_fine)


def the_kill_switch_is_not_asked(garden: Garden) -> None:
    """Orders that were approved before a kill are sent after it."""
    garden.put(KillSwitch, "blocks", lambda _switch, _order: False)


def doubt_sends_again(garden: Garden) -> None:
    """An order without an answer is sent again without asking for it first."""

    async def resolve(sender: Sender, order_id: Any) -> None:
        await sender._send(order_id)

    garden.put(Sender, "_resolve", resolve)


def no_answer_is_a_no(garden: Garden) -> None:
    """A submit that brings no answer is taken for a rejected one."""
    tell = OrderDesk.tell

    async def hasty(desk: OrderDesk, order_id: Any, command: Any) -> Any:
        if isinstance(command, SubmitAnswered) and isinstance(command.outcome, Ambiguous):
            refused = Rejected(code=RejectionCode.BAD_REQUEST, broker_code="504", message="timeout")
            command = SubmitAnswered(refused)
        return await tell(desk, order_id, command)

    garden.put(OrderDesk, "tell", hasty)


def one_miss_is_enough(garden: Garden) -> None:
    """An order that one look-up does not find never arrived."""

    async def after_miss(sender: Sender, order: OrderState, _misses: int) -> bool:
        await sender._desk.tell(order.order_id, NeverArrived())
        return True

    garden.put(Sender, "_after_miss", after_miss)


def decisions_count_when_they_land(garden: Garden) -> None:
    """Risk reserves once the journal has confirmed, so that two decisions in flight see the same headroom."""

    def decide(core: RiskCore, stated: Any, evidence: Any) -> Any:
        stamp = risk_core.Stamp(core.epoch, core._code_version, core.read_seq)
        return risk_core.decide(core.state, stated, evidence, stamp)

    def stands(core: RiskCore, decision: Any, seq: int) -> None:
        core.own_seq, core.intent_seq = max(core.own_seq, seq), max(core.intent_seq, decision.intent_seq)
        core.state = risk_core.account.evolve(core.state, decision, seq)

    garden.put(RiskCore, "decide", decide)
    garden.put(RiskCore, "stands", stands)


def a_snapshot_forgets_working_orders(garden: Garden) -> None:
    """What risk loads from a snapshot has no orders in it."""
    load = RiskCore.load

    def forgetful(core: RiskCore, body: bytes) -> None:
        load(core, body)
        core.state = replace(core.state, orders=Map())

    garden.put(RiskCore, "load", forgetful)


MUTANTS: dict[str, Plant] = {
    plant.__name__: plant
    for plant in (
        ended_orders_drop_late_fills,
        a_cancel_request_releases,
        a_repeated_fill_counts_again,
        nobody_is_fenced,
        expired_decisions_are_sent,
        the_kill_switch_is_not_asked,
        doubt_sends_again,
        no_answer_is_a_no,
        one_miss_is_enough,
        decisions_count_when_they_land,
        a_snapshot_forgets_working_orders,
    )
}


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """Run with one transition broken, or with none."""
    with ExitStack() as patches:
        if name is not None:
            MUTANTS[name](Garden(patches))
        yield
