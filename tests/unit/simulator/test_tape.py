"""The tape: recorded prices, deterministic quotes between them, no jumps."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.simulator.core.sessions import MarketHours
from services.simulator.history import History, Span, timeframe
from services.simulator.importer import ImportRefusedError, main
from services.simulator.market import Market, quote_of
from services.simulator.tape.forms import Bar, Track, merged
from services.simulator.tape.library import HOME, Pace, TapeError, tracks
from services.simulator.tape.recordings import read
from services.simulator.tape.reel import Reel, there_and_back
from services.simulator.tape.synthesis import minute_ticks

PACE = Pace(quotes_per_second=2, speed=1, seed=1)
ANCHOR = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
TEN = {"AAPL", "AMZN", "AVGO", "GOOGL", "JPM", "META", "MSFT", "NVDA", "TSLA", "XOM"}


@pytest.fixture(scope="module")
def default() -> dict[str, Track]:
    return {track.symbol: track for track in tracks("default", PACE)}


def test_the_default_tape_holds_the_ten_recorded_stocks_and_spy(default: dict[str, Track]) -> None:
    assert set(default) == TEN | {"SPY"}
    assert {len(track) for track in default.values()} == {1564}


def test_synthetic_minutes_keep_the_recorded_day(default: dict[str, Track]) -> None:
    for symbol, days in read(HOME).daily.items():
        for index, day in enumerate(days[-4:]):
            whole = merged([default[symbol].bar(minute) for minute in range(index * 391, index * 391 + 391)])
            assert (whole.open, whole.high, whole.low, whole.close) == (
                day.bar.open,
                day.bar.high,
                day.bar.low,
                day.bar.close,
            )
            assert 0 <= day.bar.volume - whole.volume <= 391


def test_minutes_join_without_a_jump_inside_a_day(default: dict[str, Track]) -> None:
    track = default["AAPL"]
    assert all(track.bar(minute).open == track.bar(minute - 1).close for minute in range(1, 391))


BARS = st.builds(
    lambda prices, volume: Bar(prices[0], max(prices), min(prices), prices[1], volume),
    st.lists(st.integers(100, 50_000), min_size=4, max_size=4),
    st.integers(0, 10_000),
)


@given(BARS, st.integers(1, 200), st.text(max_size=5))
def test_quotes_stay_in_the_recorded_range_and_never_cross(bar: Bar, steps: int, key: str) -> None:
    ticks = minute_ticks(bar, steps, 0.5, key)
    assert len(ticks) == steps
    for tick in ticks:
        assert 0 < tick.bid < tick.ask
        assert bar.low - 10 <= (tick.bid + tick.ask) / 2 <= bar.high + 10
        assert tick.bid <= tick.last <= tick.ask
    assert ticks == minute_ticks(bar, steps, 0.5, key)


def test_the_same_seed_gives_the_same_quotes_and_another_seed_others(default: dict[str, Track]) -> None:
    again = {track.symbol: track for track in tracks("default", PACE)}
    other = {track.symbol: track for track in tracks("default", Pace(quotes_per_second=2, speed=1, seed=2))}
    assert default["MSFT"].ticks(700) == again["MSFT"].ticks(700)
    assert default["MSFT"].ticks(700) != other["MSFT"].ticks(700)


@given(st.integers(-10_000, 10_000), st.integers(1, 500))
def test_the_reel_moves_by_one_minute_and_never_leaves_the_recording(minute: int, length: int) -> None:
    (here, _), (there, _) = there_and_back(minute, length), there_and_back(minute + 1, length)
    assert 0 <= here < length
    assert abs(there - here) <= 1


def test_prices_join_without_a_jump_where_the_reel_turns(default: dict[str, Track]) -> None:
    reel = Reel(default["TSLA"], ANCHOR, 1)
    for turn in (1564, 3128, 0, -1564):
        assert reel.bar_at(turn - 1).close == reel.bar_at(turn).open


def test_two_markets_started_at_different_times_show_the_same_quotes(default: dict[str, Track]) -> None:
    def shown(start: datetime) -> object:
        reels = {symbol: Reel(track, ANCHOR, 1) for symbol, track in default.items()}
        market = Market(reels, MarketHours(always=True), start)
        market.advance(ANCHOR + timedelta(hours=30))
        return sorted(market.quotes(), key=lambda quote: quote.symbol)

    assert shown(ANCHOR) == shown(ANCHOR + timedelta(hours=29))


def market_at(start: datetime, *, always: bool = True, speed: int = 1) -> Market:
    pace = Pace(quotes_per_second=2, speed=speed, seed=1)
    reels = {track.symbol: Reel(track, ANCHOR, speed) for track in tracks("default", pace)}
    return Market(reels, MarketHours(always=always), start)


def test_quotes_come_at_the_rate_asked_and_carry_present_time() -> None:
    market = market_at(ANCHOR)
    seen = []
    for step in range(1, 501):
        now = ANCHOR + timedelta(milliseconds=20 * step)
        fresh = market.advance(now)
        assert all(now - timedelta(milliseconds=40) <= quote.time <= now for quote in fresh)
        seen += [quote for quote in fresh if quote.symbol == "AAPL"]
    assert 18 <= len(seen) <= 21


def test_a_pinned_quote_is_repeated_with_fresh_times_until_released() -> None:
    market = market_at(ANCHOR)
    original = market.quote("AAPL")
    assert original is not None
    pinned = quote_of("AAPL", market.reels["AAPL"].ticks_at(0)[0], ANCHOR)
    market.pin(pinned, silent=False)
    later = [q for q in market.advance(ANCHOR + timedelta(seconds=5)) if q.symbol == "AAPL"]
    assert [(q.bid, q.ask) for q in later] == [(pinned.bid, pinned.ask)]
    assert later[0].time == ANCHOR + timedelta(seconds=5)
    market.release(["AAPL"])
    market.advance(ANCHOR + timedelta(hours=2))
    assert market.quote("AAPL") != later[0]


def test_frozen_and_silent_symbols_grow_stale() -> None:
    market = market_at(ANCHOR)
    market.freeze(["AAPL", "MSFT"])
    market.resume(["MSFT"])
    fresh = {quote.symbol for quote in market.advance(ANCHOR + timedelta(seconds=5))}
    assert "AAPL" not in fresh
    assert "MSFT" in fresh


def test_no_quotes_come_while_the_exchange_is_closed() -> None:
    night = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
    market = market_at(night, always=False)
    assert market.advance(night + timedelta(hours=1)) == []
    assert market.advance(night + timedelta(hours=12)) != []


def test_history_is_cut_at_the_last_complete_minute_and_agrees_with_the_tape() -> None:
    now = ANCHOR + timedelta(minutes=10, seconds=30)
    market = market_at(now)
    found = list(History(market).bars("SPY", timeframe("1Min"), Span(ANCHOR, now + timedelta(hours=1)), now))
    assert [bar.time for bar in found] == [ANCHOR + timedelta(minutes=n) for n in range(10)]
    assert found[3].bar == market.reels["SPY"].bar_at(3)


def test_longer_bars_are_made_of_shorter_ones_in_both_directions() -> None:
    now = ANCHOR + timedelta(hours=3)
    history = History(market_at(now))
    span = Span(ANCHOR, now)
    minutes = [bar.bar for bar in history.bars("NVDA", timeframe("1Min"), span, now)]
    fives = list(history.bars("NVDA", timeframe("5Min"), span, now))
    assert fives[1].bar == merged(minutes[5:10])
    backwards = list(history.bars("NVDA", timeframe("5Min"), Span(ANCHOR, now, backwards=True), now))
    assert backwards == list(reversed(fives))


def test_daily_bars_before_the_tape_are_the_recorded_ones() -> None:
    now = ANCHOR + timedelta(hours=1)
    history = History(market_at(now))
    span = Span(now - timedelta(days=40), now)
    found = list(history.bars("AAPL", timeframe("1Day"), span, now))
    recorded = read(HOME).daily["AAPL"]
    assert found[-2].bar == recorded[-5].bar
    assert found[-1].bar.open == recorded[-4].bar.open or found[-1].time.day == 23
    assert len(found) > 25


def test_a_price_set_by_hand_is_in_the_bar_of_its_minute() -> None:
    market = market_at(ANCHOR)
    pinned = quote_of("AAPL", market.reels["AAPL"].ticks_at(0)[0], ANCHOR)
    market.pin(pinned, silent=False)
    market.advance(ANCHOR + timedelta(seconds=50))
    bar = History(market).minute("AAPL", ANCHOR)
    assert bar is not None
    assert (bar.high, bar.low) == (int(pinned.last * 100), int(pinned.last * 100))


def test_the_generated_tape_has_as_many_symbols_as_asked() -> None:
    found = tracks("generated:SYMBOLS=7,RATE=5", PACE)
    assert [track.symbol for track in found] == [f"SIM{n:03d}" for n in range(1, 8)]
    assert len(found[0].ticks(0)) == 300


@pytest.mark.parametrize("name", ["generated:SYMBOLS=x", "generated:SPEED=3", "generated:RATE=0"])
def test_an_odd_tape_option_is_refused(name: str) -> None:
    with pytest.raises(TapeError):
        tracks(name, PACE)


def test_an_empty_folder_is_no_tape(tmp_path: Path) -> None:
    with pytest.raises(TapeError):
        tracks(str(tmp_path), PACE)


def test_imported_quotes_play_as_they_were_recorded(tmp_path: Path) -> None:
    source = tmp_path / "ticks.csv"
    source.write_text(
        "when,b,a,bs,as_\n"
        "2026-01-05T14:30:01Z,10.00,10.02,100,200\n"
        "2026-01-05T14:30:31Z,10.01,10.03,100,200\n"
        "2026-01-05T14:32:10Z,10.05,10.07,100,200\n"
    )
    columns = ["time=when", "bid=b", "ask=a", "bid_size=bs", "ask_size=as_"]
    renamed = [part for column in columns for part in ("--column", column)]
    folder = tmp_path / "tape"
    assert main([str(source), str(folder), "--kind", "quotes", "--symbol", "TEST", *renamed]) == 0
    (track,) = tracks(str(folder), PACE)
    assert len(track) == 3
    assert [(tick.offset, tick.bid, tick.ask) for tick in track.ticks(0)] == [(1, 1000, 1002), (31, 1001, 1003)]
    assert [(tick.offset, tick.bid) for tick in track.ticks(1)] == [(0, 1001)]


def test_a_bad_row_is_refused_with_its_line(tmp_path: Path) -> None:
    source = tmp_path / "bars.csv"
    source.write_text("symbol,time,open,high,low,close,volume\nA,2026-01-05,1,1,1,NaN,1\n")
    with pytest.raises(ImportRefusedError, match="line 2"):
        main([str(source), str(tmp_path / "tape"), "--kind", "daily"])
