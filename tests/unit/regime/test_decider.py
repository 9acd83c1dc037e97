"""When a symbol is tradeable: in at a glance, out only for good."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from contracts.enums import Regime
from contracts.ids import Symbol
from contracts.market import Bar, Quote, SymbolStatus
from contracts.thresholds import Thresholds
from services.regime.decider import Condition, decide, evolve, faults

AAPL = Symbol("AAPL")
START = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
CHOP, UNTRADEABLE = Regime.CHOP, Regime.UNTRADEABLE


def at(ms: int) -> datetime:
    return START + timedelta(milliseconds=ms)


def quote(ms: int, bid: str = "100.00", ask: str = "100.02", *, age_ms: int = 0) -> Quote:
    return Quote(
        symbol=AAPL,
        bid_price=Decimal(bid),
        ask_price=Decimal(ask),
        bid_size=Decimal(100),
        ask_size=Decimal(100),
        at=at(ms - age_ms),
        seq=1,
        source="test",
    )


def status(ms: int, code: str) -> SymbolStatus:
    return SymbolStatus(symbol=AAPL, code=code, message="", reason_code="LUDP", reason="", at=at(ms), source="test")


class Run:
    """One symbol's condition, driven by what is heard; collects the regimes it went through."""

    def __init__(self, regime: Regime | None = None, thresholds: Thresholds | None = None) -> None:
        self.condition = Condition(symbol=AAPL, watched_since=START, regime=regime)
        self.thresholds = thresholds or Thresholds()
        self.changes = []

    def hear(self, ms, message):
        self.condition = evolve(self.condition, message, at(ms), self.thresholds)
        return self.look(ms)

    def look(self, ms):
        change = decide(self.condition, at(ms), self.thresholds)
        if change is not None:
            self.changes.append(change)
            self.condition = evolve(self.condition, change, at(ms), self.thresholds)
        return self.condition.regime


BAD_QUOTES = {
    "wide": (quote(0, "100", "100.60"), "spread_bps 59.83 > 50"),
    "stale": (quote(0, age_ms=5_001), "quote_age_ms 5001 > 5000"),
    "from the future": (quote(0, age_ms=-5_001), "quote 5001 ms in the future"),
    "crossed": (quote(0, "100.02", "100.00"), "crossed 100.02 x 100.00"),
    "no bid": (quote(0, "0", "100.00"), "one-sided 0 x 100.00"),
    "no ask": (quote(0, "100.00", "0"), "one-sided 100.00 x 0"),
    "nothing": (quote(0, "0", "0"), "one-sided 0 x 0"),
}
GOOD_QUOTES = {
    "tight": quote(0),
    "locked": quote(0, "100", "100"),
    "just wide enough": quote(0, "99.75", "100.25"),
    "just young enough": quote(0, age_ms=5_000),
    "a little ahead": quote(0, age_ms=-5_000),
}


@pytest.mark.parametrize(("bad", "reason"), BAD_QUOTES.values(), ids=BAD_QUOTES)
def test_one_bad_quote_makes_a_symbol_untradeable_at_once(bad, reason):
    run = Run(CHOP)
    assert run.hear(0, bad) is UNTRADEABLE
    change = run.changes[0]
    assert (change.previous, change.confidence, change.reasons, change.at) == (CHOP, 1, (reason,), START)


@pytest.mark.parametrize("good", GOOD_QUOTES.values(), ids=GOOD_QUOTES)
def test_the_first_sound_quote_makes_an_unknown_symbol_chop(good):
    run = Run()
    assert run.hear(0, good) is CHOP
    change = run.changes[0]
    told = ("no trend evidence", "judged by quote_age_max_ms 5000 and spread_max_bps 50")
    assert (change.previous, change.confidence, change.reasons) == (None, Decimal("0.5"), told)


def test_more_of_the_same_changes_nothing():
    run = Run(CHOP)
    for ms in range(0, 10_000, 500):
        assert run.hear(ms, quote(ms)) is CHOP
    assert run.changes == []


def test_symbol_grows_untradeable_in_silence():
    run = Run()
    run.hear(0, quote(0))
    assert run.look(5_000) is CHOP
    assert run.look(5_001) is UNTRADEABLE
    assert run.look(60_000) is UNTRADEABLE
    assert len(run.changes) == 2


def test_symbol_without_any_quote_waits_as_long_as_a_quote_may_be_old():
    run = Run()
    assert run.look(5_000) is None
    assert run.look(5_001) is UNTRADEABLE
    assert run.changes[0].reasons == ("no quote for 5001 ms",)


RECOVERIES = [
    # quotes heard at these times (ms), all sound; when the symbol is tradeable again
    ([100, 200, 300], None),
    ([100, 200, 300, 2_099], None),
    ([100, 200, 300, 2_100], 2_100),
    ([100, 2_200], None),
    ([100, 2_200, 2_300], 2_300),
    ([100, 200, 5_201, 5_202], None),
    ([100, 200, 5_201, 5_202, 7_201], 7_201),
]


@pytest.mark.parametrize(("times", "recovered_at"), RECOVERIES)
def test_symbol_is_tradeable_again_after_enough_sound_quotes_over_enough_time(times, recovered_at):
    run = Run(CHOP)
    run.hear(0, quote(0, "100", "101"))
    regimes = [run.hear(ms, quote(ms)) for ms in times]
    assert regimes[:-1] == [UNTRADEABLE] * (len(times) - 1)
    assert regimes[-1] is (UNTRADEABLE if recovered_at is None else CHOP)


def test_one_bad_quote_while_recovering_begins_the_count_anew():
    run = Run(UNTRADEABLE)
    for ms, heard in (
        (0, quote(0)),
        (1_000, quote(1_000)),
        (1_500, quote(1_500, "100", "101")),
        (2_500, quote(2_500)),
    ):
        assert run.hear(ms, heard) is UNTRADEABLE
    assert run.hear(3_000, quote(3_000)) is UNTRADEABLE
    assert run.hear(4_500, quote(4_500)) is CHOP


def test_recovery_needs_no_further_quote_when_only_time_was_missing():
    run = Run(UNTRADEABLE)
    for ms in (0, 100, 200):
        run.hear(ms, quote(ms))
    assert run.look(1_999) is UNTRADEABLE
    assert run.look(2_000) is CHOP


def test_flicker_does_not_make_the_regime_flicker():
    run = Run(CHOP)
    for ms in range(0, 20_000, 200):
        run.hear(ms, quote(ms, "100", "101") if ms % 1_000 == 0 else quote(ms))
    assert [change.regime for change in run.changes] == [UNTRADEABLE]


@pytest.mark.parametrize(("halt", "resume"), [("2", "3"), ("H", "T"), ("P", "T")])
def test_halt_holds_until_trading_resumes(halt, resume):
    run = Run(CHOP)
    assert run.hear(0, status(0, halt)) is UNTRADEABLE
    assert run.changes[0].reasons == (f"halted {halt}/LUDP",)
    for ms in range(100, 4_000, 100):
        assert run.hear(ms, quote(ms)) is UNTRADEABLE
    assert run.hear(4_000, status(4_000, "Q")) is UNTRADEABLE
    assert run.hear(4_100, status(4_100, resume)) is CHOP


def test_other_statuses_and_bars_change_nothing():
    run = Run(CHOP)
    run.hear(0, quote(0))
    one = Decimal(1)
    bar = Bar(symbol=AAPL, timeframe="1Min", open=one, high=one, low=one, close=one, volume=one, at=START, source="t")
    for heard in (status(0, "5"), status(0, "E"), status(0, ""), bar):
        assert run.hear(1, heard) is CHOP
    assert run.changes == []


def test_a_quote_older_than_the_known_one_is_ignored():
    run = Run(CHOP)
    run.hear(1_000, quote(1_000))
    assert run.hear(1_001, quote(500, "100", "101")) is CHOP
    assert run.condition.quote == quote(1_000)


def test_every_fault_is_named():
    condition = Condition(symbol=AAPL, watched_since=START, quote=quote(0, "100", "101"), halt="H/T1")
    told = [fault.told for fault in faults(condition, at(6_000))]
    assert told == ["halted H/T1", "quote_age_ms 6000 > 5000", "spread_bps 99.51 > 50"]


def test_other_thresholds_are_kept_and_told():
    run = Run(thresholds=Thresholds(quote_age_max_ms=700, spread_max_bps=Decimal("1.5"), recovery_ms=100))
    run.hear(0, quote(0, "100", "100.01"))
    run.hear(100, quote(100, "100", "100.02"))
    for ms in (200, 250, 300):
        run.hear(ms, quote(ms, "100", "100.01"))
    run.look(1_001)
    in_force = "judged by quote_age_max_ms 700 and spread_max_bps 1.5"
    assert [change.reasons[-1] for change in run.changes] == [
        in_force,
        "spread_bps 2.00 > 1.5",
        in_force,
        "quote_age_ms 701 > 700",
    ]
