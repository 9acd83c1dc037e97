"""The small parts of the shell: clocks, ids, keys, owners."""

import os
import stat
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import nkeys
import pytest

from contracts.ids import is_token
from services.runtime.clock import SystemClock
from services.runtime.ids import new_intent_id, new_traceparent
from services.runtime.keys import new_seed, public_key, seed_at, write_private
from services.runtime.memory import ManualClock
from services.runtime.owner import is_dead, this_owner

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def test_the_system_clock_is_utc_and_its_waits_never_go_back():
    clock = SystemClock()
    assert clock.now().utcoffset() == timedelta(0)
    assert clock.monotonic_ms() <= clock.monotonic_ms()


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2026, 7, 2, 3, 59, 59, tzinfo=UTC), date(2026, 7, 1)),
        (datetime(2026, 7, 2, 4, 0, tzinfo=UTC), date(2026, 7, 2)),
        (datetime(2026, 1, 2, 4, 59, 59, tzinfo=UTC), date(2026, 1, 1)),
        (datetime(2026, 1, 2, 5, 0, tzinfo=UTC), date(2026, 1, 2)),
        (datetime(2026, 3, 8, 5, 0, tzinfo=UTC), date(2026, 3, 8)),
        (datetime(2026, 3, 9, 3, 59, tzinfo=UTC), date(2026, 3, 8)),
    ],
)
def test_the_trading_day_turns_at_midnight_in_new_york_summer_and_winter(at, day):
    assert SystemClock().trading_day(at) == ManualClock(NOON).trading_day(at) == day


def test_the_manual_clock_moves_when_told_and_its_waits_only_forward():
    clock = ManualClock(NOON)
    clock.advance(timedelta(seconds=2))
    assert (clock.now(), clock.monotonic_ms()) == (NOON + timedelta(seconds=2), 2000)
    clock.set(NOON)
    assert (clock.now(), clock.monotonic_ms()) == (NOON, 2000)


def test_ids_fit_subjects_and_traces_fit_the_standard():
    assert is_token(new_intent_id())
    assert new_intent_id() != new_intent_id()
    version, trace, span, flags = new_traceparent().split("-")
    assert (version, len(trace), len(span), flags) == ("00", 32, 16, "01")


def test_a_seed_proves_the_public_key_that_the_server_knows():
    seed = new_seed()
    assert seed.startswith("SU")
    assert public_key(seed).startswith("U")
    pair = nkeys.from_seed(bytearray(seed.encode()))
    assert pair.verify(b"nonce", pair.sign(b"nonce"))
    assert public_key(seed) == pair.public_key.decode()


def test_a_kept_seed_is_made_once_and_only_its_owner_reads_it(tmp_path):
    path = tmp_path / "credentials" / "risk.seed"
    seed = seed_at(path)
    assert seed_at(path) == seed
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_private_file_is_replaced_whole(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_this_process_is_an_owner_that_lives():
    assert this_owner() == this_owner()
    assert not is_dead(this_owner())


def test_a_pid_used_again_by_another_process_is_told_by_the_start_time():
    host, pid, _ = this_owner().split("/")
    assert is_dead(f"{host}/{pid}/1")


def test_an_owner_elsewhere_or_without_form_is_never_called_dead():
    assert not is_dead(f"elsewhere/{os.getpid()}/1")
    assert not is_dead("")
    assert not is_dead(f"{this_owner().split('/')[0]}/pid/1")


def test_a_child_that_ended_is_dead_before_its_parent_notices():
    code = "from services.runtime.owner import this_owner; print(this_owner(), flush=True)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    owner = child.stdout.read().strip()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(owner)
    child.communicate()
