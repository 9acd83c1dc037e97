"""A waiver lasts until its moment; from then on nothing takes new risk without the rail, and exits pass."""

from datetime import timedelta
from decimal import Decimal

from contracts.decisions import checks_of
from contracts.enums import Outcome
from contracts.limits import Waiver
from contracts.rails import RAILS
from projections import account
from services.risk.checks import CONTROLS
from services.risk.checks.own_books import OWN_FIELDS
from tests.risk_world import NOW, answer, body, bought, limits_set, observed, state_of
from tests.unit.risk.rows_layers import MOMO, layer, waived

SOON = NOW + timedelta(microseconds=1)


def test_until_its_moment_a_waiver_stands_in_for_its_rail() -> None:
    decision = answer(waived(SOON), MOMO)
    assert decision.outcome is Outcome.APPROVED, decision.reason
    assert "rails" in {check.name for check in checks_of(decision)}


def test_a_rail_that_is_set_needs_no_waiver() -> None:
    assert answer(waived(NOW, max_loss_week_usd=Decimal(9)), MOMO).outcome is Outcome.APPROVED
    by_layer = account.evolve(waived(NOW, "max_order_qty"), layer("firm", max_order_qty=Decimal(99)), 9)
    assert answer(by_layer, MOMO).outcome is Outcome.APPROVED


def test_a_later_waiver_of_the_same_rail_stands() -> None:
    waivers = tuple(Waiver(rail="min_cash_usd", until=until, by="ada", reason="a day") for until in (NOW, SOON))
    state = state_of(limits_set(waivers=waivers), observed())
    assert answer(state, MOMO).outcome is Outcome.APPROVED


def test_a_lapsed_waiver_traps_no_position() -> None:
    state = account.evolve(waived(NOW), bought("10"), 9)
    assert answer(state, body(side="sell", qty="10", limit_price="99.00")).outcome is Outcome.APPROVED


def test_every_rail_that_a_control_needs_is_in_the_table() -> None:
    owned = {f"{kind}.{field}" for kind in ("agent", "strategy") for field in OWN_FIELDS}
    needed = {rail for entry in CONTROLS for rail in entry.rails}
    assert needed <= RAILS.keys() | owned | {"waivers", "sectors"}
