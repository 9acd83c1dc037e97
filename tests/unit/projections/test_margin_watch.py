"""Projections of margin and settlement rules: silent at their line; one step beyond they warn and say whence."""

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from contracts.broker import Asset, AssetsObserved
from contracts.enums import Side
from contracts.ids import FillId
from projections.margin_watch import Certainty, margin_warnings
from projections.state_view import Place, view_of
from tests.risk_world import NOW, PAPER, bought, limits_set, observed, state_of

D = Decimal


def account(equity: str, *events: Any, cash: str = "0", power: str = "99999") -> dict[str, Decimal]:
    """Give the warnings of an account, and what each projects."""
    seen = replace(observed(equity), cash_usd=D(cash), buying_power_usd=D(power))
    state = state_of(limits_set(), observed(), *events, seen)
    return {one.name: one.projected_usd for one in margin_warnings(state)}


def listed(pct: str) -> AssetsObserved:
    asset = Asset(symbol=bought("1").symbol, tradable=True, maintenance_pct=D(pct))
    return AssetsObserved(epoch=1, at=NOW, assets=(asset,))


def sold(qty: str, price: str = "100") -> Any:
    return replace(bought(qty, price, side=Side.SELL), fill_id=FillId("later"))


def test_a_deficit_is_warned_of_once_maintenance_is_above_equity() -> None:
    assert "intraday_margin" not in account("3000", bought("100"))
    assert account("2999.99", bought("100"))["intraday_margin"] == 3000


def test_the_brokers_own_word_on_a_symbol_goes_before_the_table() -> None:
    assert account("4999", bought("100"), listed("50"))["intraday_margin"] == 5000


def test_cheap_longs_are_paid_in_full_and_cheap_shorts_have_a_floor() -> None:
    assert account("599", bought("100", "6"))["intraday_margin"] == 600
    assert account("999", sold("200", "6"))["intraday_margin"] == 1000


def test_figures_that_are_no_numbers_count_as_none() -> None:
    assert account("2999.99", bought("100"), listed("NaN"), power="NaN")["intraday_margin"] == 3000


def test_half_of_all_exposure_must_be_owned() -> None:
    assert "initial_margin" not in account("5000", bought("100"))
    assert account("4999.99", bought("100"))["initial_margin"] == 5000
    assert account("1999", bought("25"))["margin_minimum"] == 2500


def test_a_cash_account_is_warned_of_buys_that_unsettled_sales_pay_for() -> None:
    events = (bought("10"), sold("10"), replace(bought("8"), fill_id=FillId("third")))
    assert "good_faith" not in account("9999", *events, cash="1000", power="1000")
    assert account("9999", *events, cash="200", power="200")["good_faith"] == 1800
    assert "good_faith" not in account("9999", *events, cash="200", power="400")  # margin is lent here
    assert account("9999", *events, cash="-100", power="-100")["free_riding"] == 1800


def test_nothing_is_said_of_an_account_that_nobody_knows_and_everything_names_its_source() -> None:
    assert margin_warnings(state_of(limits_set(), bought("100"))) == ()
    assert account("NaN", bought("100")) == {}
    state = state_of(limits_set(), bought("100"), observed("100"))
    found = view_of(state, Place(account=PAPER, seq=3, at=NOW)).warnings
    assert {one.certainty for one in found} == {Certainty.DOCUMENTED, Certainty.FROM_MEMORY}
    assert all(one.source and one.message for one in found)
