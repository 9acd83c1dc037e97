"""Places in a journal as people write them, and the bar that comes only when it is worth it."""

from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from services.cli import progress as bars
from services.cli.outcome import UsageError
from services.cli.points import is_past, point_of, stretch_of
from services.cli.progress import progress
from tests.risk_world import NOW, kill


def test_a_point_is_a_sequence_a_moment_or_a_day():
    assert point_of("812") == 812
    assert point_of("2026-11-23T14:30:05Z") == datetime(2026, 11, 23, 14, 30, 5, tzinfo=UTC)
    assert point_of("2026-11-23T09:30:05-05:00") == datetime(2026, 11, 23, 14, 30, 5, tzinfo=UTC)
    assert point_of("2026-11-23") == datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "-1", "noon", "٣", "1.5", "2026-13-01"])
def test_anything_else_is_a_usage_error(text: str):
    with pytest.raises(UsageError, match="no place in a journal"):
        point_of(text)


def test_an_event_written_later_than_a_moment_and_one_after_a_sequence_are_past_it():
    assert [is_past(point, 5, kill()) for point in (4, 5, NOW, datetime(2026, 1, 1, tzinfo=UTC))] == [
        True,
        False,
        False,
        True,
    ]


def test_a_stretch_includes_both_ends_and_is_open_where_nothing_is_said():
    bounded, everything = stretch_of("4", "6"), stretch_of(None, None)
    assert [bounded.has_begun(seq, kill()) and not bounded.is_over(seq, kill()) for seq in (3, 4, 6, 7)] == [
        False,
        True,
        True,
        False,
    ]
    assert everything.has_begun(1, kill())
    assert not everything.is_over(10**9, kill())


def shown(monkeypatch: pytest.MonkeyPatch, *, seconds: float, terminal: bool) -> str:
    now = iter([0.0, *[seconds] * 1000])
    monkeypatch.setattr(bars.time, "monotonic", lambda: next(now))
    out = StringIO()
    with progress("folding", 10_000, Console(file=out, force_terminal=terminal, width=80)) as bar:
        for done in range(1, 2_000):
            bar.at(done)
    return out.getvalue()


def test_a_bar_is_shown_after_a_second_and_only_to_people(monkeypatch: pytest.MonkeyPatch):
    assert "folding" in shown(monkeypatch, seconds=1.5, terminal=True)
    assert not shown(monkeypatch, seconds=0.5, terminal=True)
    assert not shown(monkeypatch, seconds=9, terminal=False)
