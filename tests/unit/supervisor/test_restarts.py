"""When a process that died is started again."""

import pytest

from services.supervisor.restarts import (
    FIRST_DELAY_MS,
    MAX_DELAY_MS,
    RAN_WELL_AFTER_MS,
    Restarts,
    after_death,
    cause_of,
)


def delays_of(*ran_ms: int) -> list[int]:
    """Give the wait after each of several deaths, one after another."""
    restarts, delays = Restarts(), []
    for ran in ran_ms:
        restarts = after_death(restarts, ran)
        delays.append(restarts.delay_ms)
    return delays


def test_the_first_restart_comes_soon() -> None:
    assert delays_of(5) == [FIRST_DELAY_MS]


def test_each_death_in_a_row_doubles_the_wait() -> None:
    assert delays_of(5, 5, 5, 5) == [200, 400, 800, 1600]


def test_the_wait_is_bounded_however_often_a_process_dies() -> None:
    assert set(delays_of(*[5] * 10_000)[6:]) == {MAX_DELAY_MS}


def test_a_process_that_ran_well_is_restarted_soon_again() -> None:
    assert delays_of(5, 5, RAN_WELL_AFTER_MS, 5) == [200, 400, 200, 400]


def test_every_death_counts_whether_the_process_ran_well_or_not() -> None:
    assert after_death(Restarts(total=7, in_a_row=3), RAN_WELL_AFTER_MS) == Restarts(total=8, in_a_row=1)


@pytest.mark.parametrize(
    ("code", "words"), [(-9, "signal 9"), (75, "asked to be restarted"), (1, "exit code 1"), (0, "exit code 0")]
)
def test_a_death_is_told_in_words(code: int, words: str) -> None:
    assert cause_of(code) == words
