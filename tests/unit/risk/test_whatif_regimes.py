"""Other thresholds of UNTRADEABLE: which regime a decision would have seen, case by case and as properties."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.decisions import Evidence
from contracts.enums import Regime
from contracts.ids import Symbol
from contracts.market import RegimeChanged, SymbolStatus
from contracts.thresholds import Thresholds
from projections.quote_faults import UNTOLD, in_force, told_in_force
from services.regime.decider import Condition
from services.regime.decider import decide as judge
from services.regime.decider import evolve as hear
from services.risk.whatif import WhatIf
from services.risk.whatif_regimes import ASSUMED_OF_REGIMES, RegimesTried, ThresholdsTried, regime_under
from services.risk.whatif_report import WhatIfReport
from tests.prepared_day import Day
from tests.risk_world import AAPL, NOW, PAPER, evidence, quote
from tests.unit.risk.rows_regimes import RECOMMENDED
from tests.unit.risk.rows_regimes import regime as regime_now

TREND, CHOP, VOL, UNTRADEABLE = Regime.TREND, Regime.CHOP, Regime.VOL_EXPANSION, Regime.UNTRADEABLE
MSFT = Symbol("MSFT")
WIDE, OLD = "spread_bps 60.00 > 50", "quote_age_ms 5001 > 5000"
SPREADS = {20: ("99.90", "100.10"), 60: ("99.70", "100.30"), 100: ("99.50", "100.50")}
"""Quotes by their spread in bps."""


def under(**named: Any) -> Thresholds:
    return replace(UNTOLD, **{name: Decimal(v) if name == "spread_max_bps" else v for name, v in named.items()})


def saw(
    regime: Regime,
    *reasons: str,
    spread: int | tuple[str, str] = 20,
    age_ms: int = 0,
    previous: Regime | None = None,
    halted: str | None = None,
) -> Evidence:
    prices = SPREADS[spread] if isinstance(spread, int) else spread
    seen = quote(*prices, at=NOW - timedelta(milliseconds=age_ms))
    status = None
    if halted is not None:
        status = SymbolStatus(symbol=AAPL, code=halted, message="", reason_code="T1", reason="", at=NOW, source="t")
    return replace(evidence(seen), regime=replace(regime_now(regime, *reasons), previous=previous), status=status)


TIGHTER, YOUNGER = under(spread_max_bps=15), under(quote_age_max_ms=1000)
WIDER, OLDER = under(spread_max_bps=80), under(quote_age_max_ms=9000)
BOTH = under(spread_max_bps=80, quote_age_max_ms=9000)
CROSSED, ONE_SIDED = ("100.02", "100.00"), ("0", "100.00")

RULES = [
    # what was seen, the thresholds tried over 50 bps and 5,000 ms, the regime it would have seen
    ("sound under both", saw(CHOP), under(spread_max_bps=30), CHOP),
    ("too wide under the new one", saw(CHOP), TIGHTER, UNTRADEABLE),
    ("just wide enough", saw(CHOP), under(spread_max_bps=20), CHOP),
    ("a trend with a quote too wide", saw(TREND), TIGHTER, UNTRADEABLE),
    ("too old under the new one", saw(VOL, age_ms=1001), YOUNGER, UNTRADEABLE),
    ("just young enough", saw(VOL, age_ms=1000), YOUNGER, VOL),
    ("too far ahead under the new one", saw(CHOP, age_ms=-1001), YOUNGER, UNTRADEABLE),
    ("too old for both, and for less", saw(CHOP, age_ms=5100), YOUNGER, UNTRADEABLE),
    ("too old then, the regime had not told of it yet", saw(CHOP, age_ms=5100), TIGHTER, UNTRADEABLE),
    ("too old then, only the spread is raised", saw(CHOP, age_ms=5100), WIDER, CHOP),
    ("too wide then, only the age is lowered", saw(CHOP, spread=60), YOUNGER, CHOP),
    ("crossed then, only the spread is lowered", saw(CHOP, spread=CROSSED), TIGHTER, CHOP),
    ("one-sided then, only the age is lowered", saw(CHOP, spread=ONE_SIDED), YOUNGER, CHOP),
    ("wide, and that is wide enough now", saw(UNTRADEABLE, WIDE), WIDER, CHOP),
    ("wide, and it still is", saw(UNTRADEABLE, WIDE, spread=60), WIDER, CHOP),
    ("wide, and just wide enough now", saw(UNTRADEABLE, WIDE), under(spread_max_bps=60), CHOP),
    ("wide, and not quite wide enough now", saw(UNTRADEABLE, WIDE), under(spread_max_bps="59.99"), UNTRADEABLE),
    ("wide, and by now wider than allowed", saw(UNTRADEABLE, WIDE, spread=100), WIDER, UNTRADEABLE),
    ("wide, lowered", saw(UNTRADEABLE, WIDE), TIGHTER, UNTRADEABLE),
    ("wide, only the age is raised", saw(UNTRADEABLE, WIDE), OLDER, UNTRADEABLE),
    ("wide as told with one decimal", saw(UNTRADEABLE, "spread_bps 50.0 > 50"), UNTOLD, UNTRADEABLE),
    ("wide, the quote is too old", saw(UNTRADEABLE, WIDE, age_ms=5100), WIDER, UNTRADEABLE),
    ("old, and young enough now", saw(UNTRADEABLE, OLD), OLDER, CHOP),
    ("never heard of, and waited for", saw(UNTRADEABLE, "no quote for 5001 ms"), OLDER, CHOP),
    ("ahead, and near enough now", saw(UNTRADEABLE, "quote 5001 ms in the future"), OLDER, CHOP),
    ("ahead, and still too far", saw(UNTRADEABLE, "quote 9001 ms in the future"), OLDER, UNTRADEABLE),
    ("old and wide, both raised", saw(UNTRADEABLE, OLD, WIDE), BOTH, CHOP),
    ("old and wide, one raised", saw(UNTRADEABLE, OLD, WIDE), WIDER, UNTRADEABLE),
    ("halted", saw(UNTRADEABLE, "halted H/T1"), BOTH, UNTRADEABLE),
    ("halted and wide", saw(UNTRADEABLE, "halted H/T1", WIDE), BOTH, UNTRADEABLE),
    ("wide, halted since", saw(UNTRADEABLE, WIDE, halted="H"), WIDER, UNTRADEABLE),
    ("wide, halted before and resumed", saw(UNTRADEABLE, WIDE, halted="T"), WIDER, CHOP),
    ("crossed", saw(UNTRADEABLE, "crossed 100.02 x 100.00"), BOTH, UNTRADEABLE),
    ("one-sided", saw(UNTRADEABLE, "one-sided 0 x 100.00"), BOTH, UNTRADEABLE),
    ("wide, and crossed by now", saw(UNTRADEABLE, WIDE, spread=CROSSED), WIDER, UNTRADEABLE),
    ("for a reason nobody knows", saw(UNTRADEABLE, "spread 61.2 bps"), BOTH, UNTRADEABLE),
    ("for no reason", saw(UNTRADEABLE), BOTH, UNTRADEABLE),
    ("back to what was before", saw(UNTRADEABLE, WIDE, previous=TREND), WIDER, TREND),
    ("before it was the same", saw(UNTRADEABLE, WIDE, previous=UNTRADEABLE), WIDER, CHOP),
    ("no quote at all", replace(saw(UNTRADEABLE, WIDE), quote=None), WIDER, UNTRADEABLE),
    ("no quote, sound then", replace(saw(CHOP), quote=None), TIGHTER, CHOP),
    ("another symbol's quote", replace(saw(CHOP), quote=replace(quote(*SPREADS[60]), symbol=MSFT)), TIGHTER, CHOP),
]


@pytest.mark.parametrize(("seen", "tried", "regime"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES])
def test_the_regime_is_the_one_that_the_thresholds_would_have_made(
    seen: Evidence, tried: Thresholds, regime: Regime
) -> None:
    found = regime_under(seen, UNTOLD, tried)
    assert found is not None
    assert found.regime is regime
    assert seen.regime is not None
    assert (found is seen.regime) == (regime is seen.regime.regime)


def test_a_regime_that_is_turned_says_why_and_since_when() -> None:
    imposed = regime_under(saw(TREND, age_ms=1001), UNTOLD, under(spread_max_bps=15, quote_age_max_ms=1000))
    assert imposed is not None
    assert (imposed.previous, imposed.confidence, imposed.at) == (TREND, 1, NOW)
    assert imposed.reasons == ("quote_age_ms 1001 > 1000", "spread_bps 20.00 > 15")
    lifted = regime_under(saw(UNTRADEABLE, WIDE, previous=VOL), UNTOLD, WIDER)
    assert lifted is not None
    assert (lifted.regime, lifted.reasons) == (VOL, ("not UNTRADEABLE under the thresholds tried",))


def test_thresholds_in_force_are_the_ones_told_last_by_any_symbol() -> None:
    tried = RegimesTried(ThresholdsTried(spread_max_bps=Decimal(15)))
    tried.hear(saw(CHOP, "no trend evidence", told_in_force(under(spread_max_bps=15, quote_age_max_ms=700))))
    assert tried.evidence(saw(CHOP)) == saw(CHOP)  # 20 bps were too wide then as well, so nothing new forbids it
    older = saw(CHOP, told_in_force(under(spread_max_bps=40)))
    assert older.regime is not None
    tried.hear(replace(older, regime=replace(older.regime, at=NOW - timedelta(days=1))))
    assert tried.changes() == ()
    newer = saw(UNTRADEABLE, "spread_bps 99.00 > 40")
    assert newer.regime is not None
    tried.hear(replace(newer, regime=replace(newer.regime, symbol=MSFT, at=NOW)))
    assert [(one.path, one.before, one.after) for one in tried.changes()] == [("regime.spread_max_bps", "40", "15")]
    assert tried.evidence(saw(CHOP)) != saw(CHOP)
    assert tried.turned == 1


THRESHOLDS = st.builds(
    Thresholds,
    quote_age_max_ms=st.integers(1, 20_000),
    spread_max_bps=st.decimals("0.01", "300", places=2),
    recovery_quotes=st.just(1),
    recovery_ms=st.just(0),
)
QUOTES = st.tuples(
    st.integers(-12_000, 12_000),  # its age in ms
    st.decimals("99", "100.5", places=2) | st.just(Decimal(0)),
    st.decimals("100", "102", places=2),
)


@st.composite
def stories(draw: st.DrawFn) -> tuple[Thresholds, list[Evidence]]:
    """What decisions saw of a symbol that the regime process follows under some thresholds."""
    thresholds = draw(THRESHOLDS)
    condition, last, seen = Condition(symbol=AAPL, watched_since=NOW), None, []
    for second, (age_ms, bid, ask) in enumerate(draw(st.lists(QUOTES, min_size=1, max_size=8))):
        now = NOW + timedelta(minutes=second)
        heard = quote(str(bid), str(ask), at=now - timedelta(milliseconds=age_ms))
        condition = hear(condition, heard, now, thresholds)
        change = judge(condition, now, thresholds)
        if change is not None:
            last, condition = change, hear(condition, change, now, thresholds)
        seen.append(replace(evidence(heard, at=now), regime=last))
    return thresholds, seen


def truth(seen: Evidence, thresholds: Thresholds) -> Regime:
    """Judge a quote afresh, as the regime process does when one sound quote is enough."""
    condition = hear(Condition(symbol=AAPL, watched_since=NOW), seen.quote or quote(), seen.decided_at, thresholds)
    change = judge(condition, seen.decided_at, thresholds)
    assert change is not None
    return change.regime


def wider(one: Thresholds, other: Thresholds) -> Thresholds:
    return replace(
        one,
        quote_age_max_ms=max(one.quote_age_max_ms, other.quote_age_max_ms),
        spread_max_bps=max(one.spread_max_bps, other.spread_max_bps),
    )


@given(stories())
def test_the_thresholds_of_then_turn_nothing(story: tuple[Thresholds, list[Evidence]]) -> None:
    then, seen = story
    named = ThresholdsTried(quote_age_max_ms=then.quote_age_max_ms, spread_max_bps=then.spread_max_bps)
    for one in seen:
        assert regime_under(one, then, then) is one.regime
        assert regime_under(one, then, named.over(then)) is one.regime


@given(stories(), THRESHOLDS)
def test_what_is_turned_is_what_the_regime_process_would_have_said(
    story: tuple[Thresholds, list[Evidence]], tried: Thresholds
) -> None:
    then, seen = story
    for one in seen:
        found = regime_under(one, then, tried)
        assert found is not None
        assert found is one.regime or found.regime is truth(one, tried)


@given(stories(), THRESHOLDS)
def test_higher_thresholds_make_nothing_untradeable_and_lower_ones_let_nothing_pass(
    story: tuple[Thresholds, list[Evidence]], other: Thresholds
) -> None:
    then, seen = story
    high = wider(then, other)
    for one in seen:
        raised, lowered = regime_under(one, then, high), regime_under(one, high, then)
        assert raised is one.regime or (raised is not None and raised.regime is not UNTRADEABLE)
        assert lowered is one.regime or (lowered is not None and lowered.regime is UNTRADEABLE)


@given(QUOTES, THRESHOLDS, THRESHOLDS)
def test_a_decision_without_a_regime_keeps_none(
    told: tuple[int, Decimal, Decimal], then: Thresholds, tried: Thresholds
) -> None:
    age_ms, bid, ask = told
    seen = replace(saw(CHOP, spread=(str(bid), str(ask)), age_ms=age_ms), regime=None)
    assert regime_under(seen, then, tried) is None
    asked = RegimesTried(ThresholdsTried(spread_max_bps=Decimal(1)))
    asked.hear(seen)
    assert asked.evidence(seen) is seen


def what_if(day: Day, tried: ThresholdsTried | None, **overrides: Any) -> WhatIfReport:
    asked = WhatIf(PAPER, overrides, thresholds=tried)
    for seq, event in enumerate(day.events, 1):
        asked.take(seq, event)
    return asked.finish()


@settings(max_examples=30)
@given(stories())
def test_a_day_decided_again_under_the_thresholds_of_then_flips_nothing(
    story: tuple[Thresholds, list[Evidence]],
) -> None:
    then, seen = story
    day = Day(regimes_allowed=RECOMMENDED, max_spread_bps=Decimal(20_000), quote_age_max_ms=10**6)
    for number, one in enumerate(seen):
        moved: dict[str, Any] = {"quote": one.quote, "regime": one.regime, "decided_at": one.decided_at}
        day.facts = moved | {"received_at": one.decided_at}
        day.ask(f"i{number}", "1")
    known = in_force([reason for one in seen for reason in told_by(one.regime)])
    named = ThresholdsTried(quote_age_max_ms=known.quote_age_max_ms, spread_max_bps=known.spread_max_bps)
    for tried in (named, ThresholdsTried(), None):
        report = what_if(day, tried)
        assert (report.flips, report.consequences, report.changes, report.other_regimes) == ((), (), (), 0), then


def told_by(regime: RegimeChanged | None) -> tuple[str, ...]:
    return () if regime is None else regime.reasons


def test_what_the_thresholds_turn_flips_and_counts_in_the_figures() -> None:
    day = Day(regimes_allowed=RECOMMENDED, max_spread_bps=Decimal(200))
    for intent_id, qty, regime, *reasons in (("calm", "10", CHOP), ("wide", "20", UNTRADEABLE, WIDE)):
        day.facts = {"regime": regime_now(Regime(regime), *reasons)}
        day.ask(intent_id, qty)
    raised = what_if(day, ThresholdsTried(spread_max_bps=Decimal(60)))
    assert [(flip.intent_id, flip.was_code, flip.would_be) for flip in raised.flips] == [
        ("wide", "REGIME", "approved")
    ]
    assert (raised.orders_assumed, raised.other_regimes) == (1, 1)
    assert (raised.peak_gross.was_usd, raised.peak_gross.would_be_usd) == (1000, 3000)
    assert set(ASSUMED_OF_REGIMES) <= set(raised.assumptions)
    lowered = what_if(day, ThresholdsTried(spread_max_bps=Decimal("0.5")))
    assert [(flip.intent_id, flip.would_be_code) for flip in lowered.flips] == [("calm", "REGIME")]
    assert "(spread_bps 1.01 > 0.5)" in lowered.flips[0].message
    assert (lowered.orders_left_out, lowered.peak_gross.would_be_usd) == (1, 0)


def test_without_thresholds_to_try_nothing_is_said_of_them() -> None:
    report = what_if(Day(), None)
    assert (report.thresholds, report.other_regimes) == (None, 0)
    assert not set(ASSUMED_OF_REGIMES) & set(report.assumptions)


def test_exits_pass_in_any_regime() -> None:
    day = Day(regimes_allowed=RECOMMENDED)
    day.facts = {"regime": regime_now(CHOP)}
    day.ask("in", "10")
    place = len(day.events) + 1
    day.ask("out", "10", side="sell", limit_price="99.99")
    asked = WhatIf(PAPER, {}, place, thresholds=ThresholdsTried(spread_max_bps=Decimal("0.5")))
    for seq, event in enumerate(day.events, 1):
        asked.take(seq, event)
    report = asked.finish()
    assert (report.flips, report.other_regimes) == ((), 1)


def test_the_first_thresholds_are_those_of_journals_that_tell_none() -> None:
    assert (UNTOLD.quote_age_max_ms, UNTOLD.spread_max_bps) == (5000, 50)
