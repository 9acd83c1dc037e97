"""A dry run is decided like any other intent, and leaves no trace in any state that is folded from the journal."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.decisions import Decision
from contracts.enums import Outcome
from contracts.ids import OrderId
from contracts.orders import OrderWorking
from contracts.reasons import DenialCode as C
from projections import account
from projections.account import AccountState
from projections.dry_runs import is_dry_run
from projections.order_state import order_from_decision
from projections.sql.rows import of_decision
from projections.sql.tables import DECISIONS
from services.audit.conservation import Ledger, Shown
from services.oms import state as oms_state
from services.oms.state import to_cancel
from services.risk.core import RiskCore
from services.risk.decider import decide
from services.risk.whatif import WhatIf
from tests.risk_world import (
    NOW,
    PAPER,
    STAMP,
    answer,
    body,
    bought,
    evidence,
    intent,
    kill,
    limits_set,
    observed,
    quote,
    state_of,
    stated,
)

D = Decimal
READY = (limits_set(), observed())
FIRST = answer(state_of(*READY), body(qty="5"))
ORDER = OrderId(str(FIRST.order_id))
WORKING = OrderWorking(epoch=1, at=NOW, order_id=ORDER, broker_status="new")
OPEN = state_of(*READY, bought("10"), FIRST, WORKING)
ASKED: list[tuple[AccountState, dict[str, Any]]] = [
    (OPEN, json.loads(body("dry"))),
    (OPEN, json.loads(body("dry", side="sell"))),
    (OPEN, json.loads(body("dry", qty="1000000"))),
    (OPEN, json.loads(intent("close", "dry", symbol="AAPL"))),
    (OPEN, json.loads(intent("replace", "dry", order_id=ORDER, limit_price="99.00"))),
    (OPEN, json.loads(intent("replace", "dry", order_id="lg-nothing", limit_price="99.00"))),
    (state_of(*READY, kill()), json.loads(body("dry"))),
]
SEEN = evidence(quote())


def asked(state: AccountState, fields: dict[str, Any], *, dry_run: bool) -> Decision:
    content = json.dumps(fields | {"dry_run": dry_run}).encode()
    return decide(state, stated(content, str(fields["intent_id"])), SEEN, STAMP)


@pytest.mark.parametrize(("state", "fields"), ASKED)
def test_a_dry_run_finds_what_the_order_itself_would_find(state: AccountState, fields: dict[str, Any]) -> None:
    real, dry = asked(state, fields, dry_run=False), asked(state, fields, dry_run=True)
    for name in ("reason", "terms", "reservation", "checks", "headroom", "action", "state_seq", "limits_version"):
        assert getattr(real, name) == getattr(dry, name), name
    expected = {Outcome.APPROVED: Outcome.WOULD_APPROVE}.get(real.outcome, real.outcome)
    assert (dry.outcome, dry.order_id, dry.valid_until, dry.digest) == (expected, None, None, None)
    assert is_dry_run(dry)
    assert not is_dry_run(real)


@pytest.mark.parametrize(("state", "fields"), ASKED)
def test_nothing_follows_from_a_dry_run_anywhere(state: AccountState, fields: dict[str, Any]) -> None:
    dry = asked(state, fields, dry_run=True)
    assert account.evolve(state, dry, 99) is state
    orders = oms_state.OmsState(account=state)
    assert oms_state.evolve(orders, dry, 99) == orders
    assert to_cancel(dry) == ()
    assert order_from_decision(dry, 99) is None
    row = dict(zip(DECISIONS.columns, of_decision(dry, 99, "AAPL"), strict=True))
    assert (row["order_id"], row["reserved_usd"]) == (None, None)


def test_the_watch_takes_an_order_that_only_a_dry_run_explains_for_a_stranger() -> None:
    dry = asked(OPEN, json.loads(body("dry")), dry_run=True)
    real = asked(OPEN, json.loads(body("dry")), dry_run=False)
    shown = Shown(
        broker_order_id="b",
        client_order_id=str(real.order_id),
        symbol="AAPL",
        side="buy",
        qty=None,
        filled_qty=D(0),
        status="new",
        submitted_at=NOW,
    )
    for decision, is_strange in ((dry, True), (real, False)):
        watch = Ledger()
        watch.take(decision)
        assert (watch.fault_of(shown) is not None) is is_strange


def test_risk_counts_on_nothing_while_a_dry_run_becomes_durable() -> None:
    core = RiskCore("test")
    for seq, event in enumerate((*READY, bought("10"), FIRST, WORKING), 1):
        core.take(seq, event)
    core.go_live(1)
    before = core.state
    for fields in (json.loads(body("dry")), json.loads(intent("replace", "dry", order_id=ORDER, qty="4"))):
        decision = core.decide(stated(json.dumps(fields | {"dry_run": True}).encode(), "dry"), SEEN)
        assert decision.outcome is Outcome.WOULD_APPROVE, decision.reason
        core.stands(decision, 50)
        assert core.state == before


def test_what_if_leaves_dry_runs_out() -> None:
    events = (*READY, *(asked(OPEN, fields, dry_run=True) for _, fields in ASKED))
    found = WhatIf(PAPER, {"max_order_notional_usd": D(1)})
    for seq, event in enumerate(events, 1):
        found.take(seq, event)
    report = found.finish()
    assert (report.decisions, report.flips, report.bound, report.orders_assumed) == (0, (), (), 0)


def test_a_dry_run_that_would_be_denied_is_denied_with_all_its_numbers() -> None:
    reason = asked(OPEN, json.loads(body("dry", qty="1000000")), dry_run=True).reason
    assert reason is not None
    assert (reason.code, reason.limit is None, reason.max_acceptable_qty is None) == (
        C.MAX_ORDER_NOTIONAL,
        False,
        False,
    )


KINDS = st.sampled_from(
    [
        json.loads(body()),
        json.loads(body(side="sell", qty="3")),
        json.loads(body(qty="90")),
        json.loads(intent("close", symbol="AAPL", percent="10")),
        json.loads(intent("replace", order_id=ORDER, qty="7")),
        json.loads(intent("cancel", order_id=ORDER)),
    ]
)


@given(st.lists(st.tuples(KINDS, st.booleans()), max_size=25))
def test_a_day_with_dry_runs_in_it_folds_to_the_day_without_them(day: list[tuple[dict[str, Any], bool]]) -> None:
    with_them = without = OPEN
    orders = without_orders = oms_state.OmsState(account=OPEN)
    for number, (fields, dry_run) in enumerate(day):
        named = fields | {"intent_id": f"i{number}"}
        is_dry = dry_run and named["type"] != "intent.cancel.v1"  # which has none
        named |= {"dry_run": True} if is_dry else {}
        decision = decide(with_them, stated(json.dumps(named).encode(), f"i{number}"), SEEN, STAMP)
        assert is_dry_run(decision) is is_dry
        with_them = account.evolve(with_them, decision, number)
        orders = oms_state.evolve(orders, decision, number)
        if not is_dry:
            without = account.evolve(without, decision, number)
            without_orders = oms_state.evolve(without_orders, decision, number)
    assert with_them == without
    assert orders == without_orders
