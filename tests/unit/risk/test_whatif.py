"""The same day under other limits: which decisions flip, by hand count, and what it does to exposure and profit."""

import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from contracts.controls import LimitsSet
from contracts.enums import Outcome, Regime, Side
from contracts.ids import IntentId, OrderId
from contracts.limits import LimitOverride, LimitSet
from contracts.orders import OrderAcknowledged, OrderCanceled, OrderReplaced, OrderReplaceRequested
from contracts.scopes import Scope
from projections.layers import NO_LAYERS
from services.risk.decider import Stamp, Stated, decide
from services.risk.whatif import WhatIf
from services.risk.whatif_report import WhatIfReport
from tests.prepared_day import Day, cancel
from tests.risk_world import DEMO, NOW, PAPER, body, evidence, kill, observed, quote
from tests.unit.risk.rows_regimes import regime as regime_seen


def what_if(
    day: Day, first_seq: int = 1, layers: Mapping[Scope, LimitOverride] = NO_LAYERS, **overrides: Any
) -> WhatIfReport:
    asked = WhatIf(PAPER, overrides, first_seq, layers)
    for seq, event in enumerate(day.events, 1):
        asked.take(seq, event)
    return asked.finish()


def flips(report: WhatIfReport) -> list[tuple[str, str, str]]:
    return [(flip.intent_id, flip.was, flip.would_be) for flip in report.flips]


def prepared() -> Day:
    """Order limit 5,000 USD at 100 a share: by hand, halving it turns b, d and f; e was too large before."""
    day = Day()
    for intent_id, qty in (("a", "10"), ("b", "26"), ("c", "25"), ("d", "30"), ("e", "60")):
        day.ask(intent_id, qty)
    day.ask("f", "40", side="sell", limit_price="99")  # reduces: exempt while 91 are held
    return day


def test_halving_the_order_limit_names_exactly_the_intents_of_a_hand_count():
    report = what_if(prepared(), max_order_notional_usd=Decimal(2500))
    # a 1,000 and c 2,500 still pass; b 2,600 and d 3,000 do not; e 6,000 never did. f sells 40 of the 91 that were
    # held; of the 35 that would have been held it is no longer a reduction, and would turn the position around.
    assert flips(report) == [
        ("b", "approved", "denied"),
        ("d", "approved", "denied"),
        ("f", "approved", "denied"),
    ]
    assert [flip.would_be_code for flip in report.flips] == [
        "MAX_ORDER_NOTIONAL",
        "MAX_ORDER_NOTIONAL",
        "CROSSES_ZERO",
    ]
    assert {(bound.code, bound.was, bound.would_be) for bound in report.bound} == {
        ("CROSSES_ZERO", 0, 1),
        ("MAX_ORDER_NOTIONAL", 1, 3),
    }
    assert [(change.path, change.before, change.after) for change in report.changes] == [
        ("max_order_notional_usd", "5000", "2500")
    ]
    assert (report.decisions, report.orders_left_out, report.orders_assumed) == (6, 3, 0)


def test_the_same_limits_flip_nothing_and_give_the_same_figures():
    report = what_if(prepared())
    assert (report.flips, report.consequences, report.changes) == ((), (), ())
    assert report.peak_gross.was_usd == report.peak_gross.would_be_usd == Decimal(9100)
    assert report.profit.was_usd == report.profit.would_be_usd


def in_regimes(*regimes: Regime, **limits: Any) -> Day:
    """One order of two strategies in each regime."""
    day = Day(**limits)
    for regime in regimes:
        day.facts["regime"] = regime_seen(regime)
        for strategy in ("calm", "wild"):
            day.ask(f"{strategy} in {regime}".replace(" ", "-"), "1", meta={"strategy": strategy})
    return day


def test_other_regimes_turn_exactly_what_was_decided_in_them():
    day = in_regimes(Regime.CHOP, Regime.TREND, Regime.UNTRADEABLE)
    report = what_if(day, regimes_allowed=(Regime.CHOP, Regime.TREND))
    assert [(flip.intent_id, flip.would_be_code) for flip in report.flips] == [
        ("calm-in-UNTRADEABLE", "REGIME"),
        ("wild-in-UNTRADEABLE", "REGIME"),
    ]
    assert [(change.path, change.after) for change in report.changes] == [("regimes_allowed", "CHOP, TREND")]


def test_a_strategy_gated_by_regime_loses_what_it_did_in_the_others():
    day = in_regimes(Regime.CHOP, Regime.TREND)
    calm = {Scope("strategy.calm"): LimitOverride(regimes_allowed=(Regime.CHOP,))}
    report = what_if(day, layers=calm)
    assert flips(report) == [("calm-in-TREND", "approved", "denied")]
    assert report.orders_left_out == 1


def test_regimes_that_were_denied_are_taken_when_they_are_allowed():
    day = in_regimes(Regime.CHOP, Regime.TREND, regimes_allowed=(Regime.CHOP,))
    report = what_if(day, regimes_allowed=(Regime.CHOP, Regime.TREND))
    assert flips(report) == [("calm-in-TREND", "denied", "approved"), ("wild-in-TREND", "denied", "approved")]
    assert [(bound.code, bound.was, bound.would_be) for bound in report.bound] == [("REGIME", 2, 0)]


def test_peak_exposure_and_profit_are_those_of_the_orders_that_remain():
    day = Day()
    day.ask("small", "10")
    day.ask("large", "40")
    day.ask("out", "50", side="sell", limit_price="99", fill="110")
    report = what_if(day, max_order_notional_usd=Decimal(2000))
    assert (report.peak_gross.was_usd, report.peak_gross.would_be_usd) == (5000, 1000)
    # 50 bought at 100, sold at 110; under the other limit only 10 would be held, and a sale of 50 crosses zero.
    assert report.profit.was_usd == 500
    assert report.profit.would_be_usd == Decimal(100)  # 10 still held, worth 110 each


def test_an_order_that_only_wider_limits_approve_fills_at_the_far_side_of_its_quote():
    day = Day()
    day.ask("wide", "60")
    day.ask("later", "1", fill="100.10")
    report = what_if(day, max_order_notional_usd=Decimal(10_000))
    assert flips(report) == [("wide", "denied", "approved")]
    assert report.orders_assumed == 1
    assert (report.peak_gross.was_usd, report.peak_gross.would_be_usd) == (Decimal("100.1"), Decimal("6106.1"))
    assert report.profit.would_be_usd == Decimal(6)  # 60 from the ask of 100 to the last fill of 100.10
    assert any("far side of the quote" in told for told in report.assumptions)


@pytest.mark.parametrize(("tif", "peak"), [("day", Decimal(5400)), ("ioc", Decimal(5400))])
def test_an_assumed_limit_order_below_the_market_counts_until_its_end_and_never_fills(tif: str, peak: Decimal):
    day = Day()
    day.ask("deep", "60", limit_price="90", time_in_force=tif)
    report = what_if(day, max_order_notional_usd=Decimal(10_000))
    assert flips(report) == [("deep", "denied", "approved")]
    assert (report.peak_gross.would_be_usd, report.profit.would_be_usd) == ((peak if tif == "day" else 0), 0)


def test_an_assumed_day_order_is_over_on_the_next_exchange_day():
    day = Day(max_gross_exposure_usd=Decimal(6000), max_position_notional_usd=Decimal(6000))
    day.ask("deep", "60", limit_price="90")
    tomorrow = NOW + timedelta(days=1)
    day.add(replace(observed(), at=tomorrow, trading_day=tomorrow.date()))
    seen = replace(evidence(quote(at=tomorrow), at=tomorrow), trading_day=tomorrow.date())
    stated = Stated(PAPER, DEMO, IntentId("next"), body("next", qty="40"), 9)
    day.add(decide(day.state, stated, seen, Stamp(1, "test", len(day.events))))
    assert flips(what_if(day, max_order_notional_usd=Decimal(10_000))) == [("deep", "denied", "approved")]


def test_a_cancel_of_an_order_that_never_came_to_be_is_a_consequence_not_a_flip():
    day = Day()
    working = day.ask("a", "40", limit_price="90", fill=None)
    day.state_intent("c", cancel("c", working.order_id))
    day.add(OrderCanceled(epoch=1, at=NOW, order_id=OrderId(str(working.order_id))))
    report = what_if(day, max_order_notional_usd=Decimal(100))
    assert flips(report) == [("a", "approved", "denied")]
    assert [(flip.intent_id, flip.would_be_code) for flip in report.consequences] == [("c", "ORDER_NOT_FOUND")]


def test_only_the_stretch_is_decided_again():
    day = prepared()
    place = next(seq for seq, event in enumerate(day.events, 1) if getattr(event, "intent_id", "") == "c")
    report = what_if(day, place, max_order_notional_usd=Decimal(2500))
    assert [flip[0] for flip in flips(report)] == ["d"]  # 61 would be held, so f still reduces
    assert (report.first_seq, report.decisions) == (place, 4)


def test_limits_set_within_the_stretch_keep_what_is_overridden():
    day = Day()
    day.add(LimitsSet(epoch=0, at=NOW, version=2, limits=LimitSet(max_daily_trades=1), by="t", reason="t"))
    day.ask("a", "30")
    day.ask("b", "1")
    report = what_if(day, max_order_notional_usd=Decimal(1000))
    assert [(flip.intent_id, flip.would_be) for flip in report.flips] == [("a", "denied"), ("b", "approved")]


def test_a_kill_switch_in_the_stretch_still_holds():
    day = Day()
    day.add(kill())
    day.ask("a", "60")
    report = what_if(day, max_order_notional_usd=Decimal(100_000))
    assert report.flips == ()


def test_the_loss_limit_sees_the_equity_that_would_have_been():
    day = Day(max_daily_loss_usd=Decimal(300), max_drawdown_usd=Decimal(100_000))
    day.ask("big", "40", fill="100")
    day.ask("mark", "1", fill="90")
    day.add(observed(equity="99600"))
    day.ask("after", "1")
    report = what_if(day, max_order_notional_usd=Decimal(1000))
    # Without the big order the fall of 400 USD would not have happened, so the next one is not stopped by it.
    assert flips(report) == [("big", "approved", "denied"), ("after", "denied", "approved")]


def test_a_short_position_is_valued_as_one():
    day = Day()
    day.ask("s", "10", side="sell", limit_price="99.5", fill="100")
    day.ask("mark", "1", fill="90", side=Side.BUY)
    report = what_if(day)
    assert report.profit.was_usd == 100


def test_a_replacement_that_only_the_old_limits_allow_leaves_the_order_as_it_was():
    day = Day()
    working = day.ask("a", "10", limit_price="90", fill=None)
    stamp = {"epoch": 1, "at": NOW, "order_id": OrderId(str(working.order_id))}
    day.add(OrderAcknowledged(**stamp, broker_order_id="b1", broker_status="new"))
    content = {"type": "intent.replace.v1", "intent_id": "r", "order_id": working.order_id, "qty": "40"}
    replaced = day.state_intent("r", json.dumps(content).encode())
    assert replaced.outcome is Outcome.APPROVED, replaced.reason
    assert replaced.terms is not None
    day.add(OrderReplaceRequested(**stamp, requested_by=DEMO, decision_seq=len(day.events)))
    day.add(OrderReplaced(**stamp, broker_order_id="b2", terms=replaced.terms))
    day.fill(replaced, "90")
    report = what_if(day, max_order_notional_usd=Decimal(1000))
    assert flips(report) == [("r", "approved", "denied")]
    assert (report.peak_gross.was_usd, report.peak_gross.would_be_usd) == (3600, 900)
