"""What tightens a mandate never lets an order pass that the mandate before would not have let pass."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.decisions import Evidence
from contracts.enums import OrderType, Outcome, Regime
from contracts.ids import Symbol
from contracts.limits import LimitOverride
from contracts.mandates import AssetClass, Hours, Mandate, MandateSide, Venue
from contracts.reasons import DenialCode as C
from projections.account import AccountState
from projections.mandates import widened
from services.runtime.mandate_form import MandateError, MandateForm, MandateLimits, read_form, tighter_mandate
from tests.risk_world import NOW, answer, body, state_of
from tests.unit.risk.row import READY
from tests.unit.risk.rows_mandates import granted
from tests.unit.risk.rows_regimes import seen_in

D = Decimal
MANDATE_CODES = {C.NO_MANDATE, C.MANDATE_EXPIRED, C.MANDATE_FORBIDS, C.NEEDS_APPROVAL}
OF_LIMITS = {
    C.MAX_ORDER_NOTIONAL,
    C.SYMBOL_NOT_ALLOWED,
    C.SHORT_NOT_ALLOWED,
    C.MAX_ORDER_QTY,
    C.MAX_TURNOVER,
    C.REGIME,
}


def some(choices: Any) -> st.SearchStrategy[Any]:
    return st.lists(st.sampled_from(choices), unique=True, max_size=len(choices)).map(tuple)


def perhaps(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


USD = st.sampled_from([D(500), D(1000), D("1000.5"), D(2000)])
HOURS = st.sampled_from([(570, 960), (600, 601), (0, 1440), (570, 600)]).map(
    lambda ends: Hours(from_minute=ends[0], to_minute=ends[1])
)
LIMITS = st.builds(
    LimitOverride,
    max_order_notional_usd=perhaps(USD),
    max_order_qty=perhaps(st.sampled_from([D(5), D(10)])),
    symbol_allowlist=perhaps(some([Symbol("AAPL"), Symbol("SPY")])),
    symbol_denylist=perhaps(some([Symbol("AAPL"), Symbol("SPY")])),
    regimes_allowed=perhaps(some([Regime.TREND, Regime.CHOP])),
    shorts_allowed=st.sampled_from([None, True, False]),
)
LIMIT_NAMES = (
    "max_order_notional_usd",
    "max_order_qty",
    "symbol_allowlist",
    "symbol_denylist",
    "regimes_allowed",
    "shorts_allowed",
)
MANDATES = st.builds(
    Mandate,
    expires_at=st.sampled_from([NOW, NOW + timedelta(minutes=1), NOW + timedelta(days=1)]),
    symbols=perhaps(some([Symbol("AAPL"), Symbol("SPY")])),
    asset_classes=some(list(AssetClass)),
    sides=some(list(MandateSide)),
    order_types=some([OrderType.MARKET, OrderType.LIMIT]),
    strategies=perhaps(some(["calm", "wild"])),
    venues=some(list(Venue)),
    hours=perhaps(HOURS),
    budget_per_day_usd=perhaps(USD),
    approval_from_usd=perhaps(USD),
    approval_wait_ms=perhaps(st.sampled_from([1, 900_000, 1_000_000])),
    lease_ms=perhaps(st.sampled_from([1000, 2000])),
    limits=LIMITS,
)


@st.composite
def orders(draw: st.DrawFn) -> tuple[bytes, Evidence]:
    terms: dict[str, Any] = {
        "side": draw(st.sampled_from(["buy", "sell"])),
        "qty": draw(st.sampled_from(["1", "10"])),
    }
    if draw(st.booleans()):
        terms |= {"order_type": "market", "limit_price": None}
    terms["meta"] = {"strategy": draw(st.sampled_from([None, "calm", "wild"]))}
    seen = seen_in(draw(st.sampled_from([Regime.TREND, Regime.CHOP])))
    return body(**terms), replace(seen, live=draw(st.booleans()))


def lets_pass(mandate: Mandate, order: tuple[bytes, Evidence]) -> bool:
    decision = answer(bound(mandate), *order)
    if decision.outcome is Outcome.HELD:
        return False
    code = None if decision.reason is None else decision.reason.code
    return code not in MANDATE_CODES | OF_LIMITS


def bound(mandate: Mandate) -> AccountState:
    return state_of(*READY, replace(granted(), mandate=mandate))


def tightened(old: Mandate, other: Mandate) -> Mandate:
    """Take from another mandate whatever may be taken without widening."""
    for name in (*(name for name in old.__struct_fields__ if name != "limits"), *LIMIT_NAMES):
        if name in LIMIT_NAMES:
            new = replace(old, limits=replace(old.limits, **{name: getattr(other.limits, name)}))
        else:
            new = replace(old, **{name: getattr(other, name)})
        old = old if widened(old, new) else new
    return old


@given(old=MANDATES, other=MANDATES, order=orders())
def test_whatever_widens_nothing_lets_nothing_more_pass(
    old: Mandate, other: Mandate, order: tuple[bytes, Evidence]
) -> None:
    new = tightened(old, other)
    assert widened(old, new) == ()
    assert lets_pass(old, order) or not lets_pass(new, order)


@given(mandate=MANDATES)
def test_a_mandate_is_not_wider_than_itself(mandate: Mandate) -> None:
    assert widened(mandate, mandate) == ()


@given(a=MANDATES, b=MANDATES, c=MANDATES)
def test_tightening_twice_is_tightening(a: Mandate, b: Mandate, c: Mandate) -> None:
    assert widened(a, tightened(tightened(a, b), c)) == ()


FORMS = MANDATES.map(
    lambda made: MandateForm(
        **{name: getattr(made, name) for name in ("symbols", "sides", "budget_per_day_usd", "hours", "expires_at")},
        limits=MandateLimits(max_order_notional_usd=made.limits.max_order_notional_usd),
    )
)


@given(old=MANDATES, form=FORMS, order=orders())
def test_what_tightening_made_lets_nothing_more_pass(
    old: Mandate, form: MandateForm, order: tuple[bytes, Evidence]
) -> None:
    try:
        new = tighter_mandate(old, form)
    except MandateError:
        return
    assert widened(old, new) == ()
    assert lets_pass(old, order) or not lets_pass(new, order)


@pytest.mark.parametrize(
    ("said", "wider"),
    [
        ({"symbols": None}, "symbols"),
        ({"sides": ["buy", "sell", "short"]}, "sides"),
        ({"venues": ["paper", "live"]}, "venues"),
        ({"strategies": None}, "strategies"),
        ({"budget_per_day_usd": None}, "budget_per_day_usd"),
        ({"approval_from_usd": "4000.01"}, "approval_from_usd"),
        ({"approval_wait_ms": 900_001}, "approval_wait_ms"),
        ({"lease_ms": 60_001}, "lease_ms"),
        ({"hours": {"from_minute": 569, "to_minute": 900}}, "hours"),
        ({"hours": None}, "hours"),
        ({"expires_at": "2027-01-01T00:00:00Z"}, "expires_at"),
        ({"limits": {"max_order_notional_usd": "2000.01"}}, "limits.max_order_notional_usd"),
        ({"limits": {"symbol_denylist": []}}, "limits.symbol_denylist"),
        ({"limits": {"shorts_allowed": True}}, "limits.shorts_allowed"),
    ],
)
def test_each_way_to_do_more_is_named_and_refused(said: dict[str, Any], wider: str) -> None:
    stands = Mandate(
        expires_at=datetime(2026, 12, 31, tzinfo=UTC),
        symbols=(Symbol("AAPL"),),
        strategies=("calm",),
        hours=Hours(from_minute=570, to_minute=960),
        budget_per_day_usd=D(25_000),
        approval_from_usd=D(4000),
        lease_ms=60_000,
        limits=LimitOverride(max_order_notional_usd=D(2000), symbol_denylist=(Symbol("GME"),), shorts_allowed=False),
    )
    with pytest.raises(MandateError, match=rf"widen {wider}:"):
        tighter_mandate(stands, read_form(said))
