"""Everything the broker shows traces to an approval, or it is an orphan."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from contracts.controls import EpochTaken
from contracts.decisions import Decision
from contracts.enums import Action, LegRole, OrderClass, Outcome, Role
from contracts.ids import EXTERNAL, OrderId, leg_id_for
from contracts.orders import OrderAcknowledged, OrderAdopted, OrderLegAdded, OrderReplaced
from services.audit.conservation import REMEMBERED, Ledger, Shown, ShownFill
from tests.risk_world import DEMO, NOW, answer, body, limits_set, observed, state_of

D = Decimal
APPROVED = answer(state_of(limits_set(), observed()), body())
ORDER = OrderId(str(APPROVED.order_id))
ON: dict[str, Any] = {"epoch": 1, "at": NOW}


def shown(**changes: Any) -> Shown:
    base = Shown(
        broker_order_id="b1",
        client_order_id=ORDER,
        symbol="AAPL",
        side="buy",
        qty=D(10),
        filled_qty=D(0),
        status="new",
        submitted_at=NOW,
    )
    return replace(base, **changes)


def ledger_of(*events: Any) -> Ledger:
    ledger = Ledger()
    for event in events:
        ledger.take(event)
    return ledger


def of_class(order_class: OrderClass) -> Decision:
    assert APPROVED.terms is not None
    return replace(APPROVED, terms=replace(APPROVED.terms, order_class=order_class))


def replacing(qty: str) -> Decision:
    assert APPROVED.terms is not None
    return replace(APPROVED, action=Action.REPLACE, terms=replace(APPROVED.terms, qty=D(qty)))


ACKNOWLEDGED = OrderAcknowledged(**ON, order_id=ORDER, broker_order_id="b1", broker_status="new")


def test_an_approved_order_traces_by_its_name_before_anybody_acknowledged_it() -> None:
    assert ledger_of(APPROVED).fault_of(shown()) is None


def test_an_order_that_nobody_approved_is_an_orphan() -> None:
    fault = ledger_of(APPROVED).fault_of(shown(client_order_id="by hand", broker_order_id="b9"))
    assert fault is not None
    assert (fault.broker_order_id, "buy 10 AAPL" in fault.shown) == ("b9", True)


def test_a_denied_decision_explains_nothing() -> None:
    denied = replace(APPROVED, outcome=Outcome.DENIED)
    assert ledger_of(denied).fault_of(shown()) is not None


def test_adopting_an_order_does_not_approve_it() -> None:
    assert APPROVED.terms is not None
    adopted = OrderAdopted(
        **ON,
        order_id=OrderId("ext-b9"),
        agent=EXTERNAL,
        client_order_id="by hand",
        broker_order_id="b9",
        broker_status="new",
        terms=APPROVED.terms,
    )
    assert ledger_of(APPROVED, adopted).fault_of(shown(client_order_id="by hand", broker_order_id="b9")) is not None


@pytest.mark.parametrize(
    "changes",
    [{"symbol": "MSFT"}, {"side": "sell"}, {"side": "sell_short"}, {"qty": D(11)}, {"filled_qty": D("10.5")}],
    ids=lambda changes: "-".join(str(part) for part in changes.items()),
)
def test_what_differs_from_the_approval_is_an_orphan_too(changes: dict[str, Any]) -> None:
    assert ledger_of(APPROVED, ACKNOWLEDGED).fault_of(shown(**changes)) is not None


def test_an_amount_in_dollars_shows_no_quantity_and_traces() -> None:
    assert ledger_of(APPROVED).fault_of(shown(qty=None)) is None


NEW = {"broker_order_id": "b2", "client_order_id": "made by the broker", "replaces": "b1"}


def test_a_replacement_needs_an_approval_of_its_own() -> None:
    assert ledger_of(APPROVED, ACKNOWLEDGED).fault_of(shown(**NEW)) is not None
    ledger = ledger_of(APPROVED, ACKNOWLEDGED, replacing("20"))
    assert ledger.fault_of(shown(**NEW, qty=D(20))) is None
    again = {"broker_order_id": "b3", "client_order_id": "once more", "replaces": "b2"}
    assert ledger.fault_of(shown(**again)) is not None


def test_the_oms_saying_that_an_order_was_replaced_does_not_approve_it() -> None:
    assert APPROVED.terms is not None
    told = OrderReplaced(**ON, order_id=ORDER, broker_order_id="b2", terms=APPROVED.terms)
    assert ledger_of(APPROVED, ACKNOWLEDGED, told).fault_of(shown(**NEW)) is not None
    assert ledger_of(APPROVED, ACKNOWLEDGED, replacing("10"), told).fault_of(shown(**NEW)) is None


EXIT = {"broker_order_id": "x1", "client_order_id": "made by the broker", "side": "sell", "parent_id": "b1"}


def test_the_exits_of_a_bracket_trace_through_their_entry() -> None:
    ledger = ledger_of(of_class(OrderClass.BRACKET), ACKNOWLEDGED)
    assert ledger.fault_of(shown(**EXIT)) is None
    assert ledger.fault_of(shown(**EXIT | {"broker_order_id": "x2", "side": "buy"})) is not None
    assert ledger.fault_of(shown(**EXIT | {"broker_order_id": "x3", "parent_id": None, "replaces": "x1"})) is None


def test_the_exits_of_an_oco_go_the_same_way_as_it_does() -> None:
    ledger = ledger_of(of_class(OrderClass.OCO), ACKNOWLEDGED)
    assert ledger.fault_of(shown(**EXIT | {"side": "buy"})) is None


def test_a_simple_order_brings_no_exits() -> None:
    assert ledger_of(APPROVED, ACKNOWLEDGED).fault_of(shown(**EXIT)) is not None


def test_an_exit_that_the_journal_knows_traces_also_where_it_is_shown_alone() -> None:
    entry = of_class(OrderClass.BRACKET)
    assert entry.terms is not None
    leg = OrderLegAdded(
        **ON,
        order_id=leg_id_for(ORDER, LegRole.STOP_LOSS),
        agent=DEMO,
        parent_id=ORDER,
        role=LegRole.STOP_LOSS,
        client_order_id="made by the broker",
        broker_order_id="x1",
        broker_status="held",
        terms=entry.terms,
    )
    ledger = ledger_of(entry, ACKNOWLEDGED, leg)
    assert ledger.fault_of(shown(**EXIT | {"parent_id": None})) is None
    assert APPROVED.terms is not None
    resized = OrderReplaced(**ON, order_id=leg.order_id, broker_order_id="x2", terms=APPROVED.terms)
    ledger.take(resized)
    assert ledger.fault_of(shown(**EXIT | {"parent_id": None, "broker_order_id": "x2"})) is None


def test_a_fill_traces_when_its_order_does() -> None:
    ledger = ledger_of(APPROVED, ACKNOWLEDGED)
    fill = ShownFill(activity_id="a", broker_order_id="b1", symbol="AAPL", side="buy", qty=D(1), price=D(100), at=NOW)
    assert ledger.explains(fill)
    assert not ledger.explains(replace(fill, broker_order_id="b9"))


def test_approvals_whose_orders_cannot_stand_any_more_are_let_go() -> None:
    ledger = ledger_of(APPROVED, ACKNOWLEDGED)
    ledger.forget_before(NOW + REMEMBERED)
    assert ledger.fault_of(shown()) is None
    ledger.forget_before(NOW + REMEMBERED + timedelta(seconds=1))
    assert ledger.fault_of(shown()) is not None


def test_the_ledger_knows_when_its_journal_began() -> None:
    later = NOW + timedelta(hours=1)
    epochs = [EpochTaken(epoch=1, at=at, role=Role.RISK, owner="o", code_version="c") for at in (NOW, later)]
    assert (ledger_of().began_at, ledger_of(*epochs).began_at) == (None, NOW)
