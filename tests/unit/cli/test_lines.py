"""The journal as a person reads it."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from contracts.broker import KillVerified
from contracts.codec import JournalEvent
from contracts.controls import KillEngaged
from services.cli.lines import BAD, GOOD, QUIET, amount, line_of, terms_text, text_of
from services.cli.terminal import spelled_out
from tests import story_events as story
from tests.wire import samples


@pytest.mark.parametrize("event", samples.EVENTS, ids=range(len(samples.EVENTS)))
def test_every_journal_event_is_one_line_that_holds_no_null(event: JournalEvent) -> None:
    line = line_of(7, event)
    assert "\n" not in str(line)
    assert "None" not in str(line)
    assert str(line).startswith("       7 14:30:00.125 ")


def test_an_approval_says_what_becomes_of_it() -> None:
    text, style = text_of(story.approved("i1")[1])
    assert text == f"demo i1 approved: buy 10 AAPL limit 189.12 day -> {story.order_id('i1')}"
    assert style == GOOD


def test_a_denial_says_why() -> None:
    text, style = text_of(story.denied("i3", b"{}")[1])
    assert (text, style) == ("demo i3 denied: MALFORMED", BAD)


def test_the_kill_switch_stands_out() -> None:
    event = story.kill("strange fills")[1]
    assert isinstance(event, KillEngaged)
    assert text_of(event) == ("KILL SWITCH block_new for account by _operator: strange fills", f"bold {BAD}")


def test_the_times_of_a_kills_proof_all_count_from_its_word() -> None:
    unproved = next(event for event in samples.EVENTS if isinstance(event, KillVerified))
    text, style = text_of(replace(unproved, silent_after_ms=Decimal("3.204"), positions_left=2))
    assert text == (
        "kill switch flatten for agent.demo (journal 812): "
        "blocked after 1.204 ms, silent after 3.204 ms, done after 641.204 ms, 0 orders and 2 positions are there"
    )
    assert style == f"bold {GOOD}"
    assert "blocked after 1.204 ms, silence not proved, done" in text_of(unproved)[0]


def test_housekeeping_stays_quiet() -> None:
    assert line_of(2, story.epoch_taken(story.Role.OMS, 4)[1]).style == QUIET


def test_a_fill_says_how_much_in_all() -> None:
    text, _ = text_of(story.filled("i1", "x1", "4", "4", "190.50")[1])
    assert text.endswith("filled buy 4 AAPL at 190.5, 4 in all")


def test_amounts_are_written_plainly() -> None:
    assert [amount(story.Decimal(text)) for text in ("1E+3", "1.500", "0.00", "-2")] == ["1000", "1.5", "0", "-2"]
    assert amount(None) == "-"


def test_terms_name_the_type_when_no_price_does() -> None:
    assert "limit" in terms_text(samples.TERMS)


def test_what_an_agent_wrote_cannot_steer_the_terminal() -> None:
    assert spelled_out("a\x1b[2Jb\u202ec\n") == "a\\x1b[2Jb\\u202ec\n"
