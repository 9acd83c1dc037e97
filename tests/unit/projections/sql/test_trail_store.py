"""The trail in SQLite: rows and position move together; a rebuilt trail equals the one before."""

import itertools
import multiprocessing
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.codec import decode_event, encode
from contracts.ids import AccountId
from projections.chain import Link, genesis
from projections.sql.sqlite import NewerSchemaError, open_reader, open_writer
from projections.sql.trail_store import ForeignTrailError, IntegrityError, TrailStore
from projections.trail import TrailRow, TrailState, evolve
from tests.story_events import ACCOUNT, OPEN, Written, short_day


def rows_of(day: Sequence[Written], *, account: AccountId = ACCOUNT) -> list[TrailRow]:
    state, rows = TrailState(chain=genesis(account)), []
    for seq, (subject, event) in enumerate(day, start=1):
        body = encode(event)
        state, row = evolve(state, Link(seq=seq, subject=subject, body=body), decode_event(body), OPEN)
        rows.append(row)
    return rows


ROWS = rows_of(list(short_day()))


def content(path: Path) -> list[tuple[object, ...]]:
    reader = open_reader(path)
    rows = [tuple(row) for row in reader.execute("SELECT * FROM trail ORDER BY seq")]
    rows += [tuple(row) for row in reader.execute("SELECT * FROM tracking")]
    reader.close()
    return rows


def filled_store(path: Path, rows: Sequence[TrailRow] = ROWS) -> TrailStore:
    store = TrailStore(path, ACCOUNT)
    store.apply(rows)
    return store


@settings(deadline=None, max_examples=25)  # each example writes files
@given(cuts=st.sets(st.integers(1, len(ROWS) - 1)))
def test_trail_is_the_same_however_it_was_cut_into_batches(cuts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cuts")
    filled_store(folder / "whole.sqlite3").close()
    store = TrailStore(folder / "cut.sqlite3", ACCOUNT)
    bounds = [0, *sorted(cuts), len(ROWS)]
    for start, end in itertools.pairwise(bounds):
        store.apply(ROWS[start:end])
    assert store.position() == len(ROWS)
    store.close()
    assert content(folder / "cut.sqlite3") == content(folder / "whole.sqlite3")


def test_store_refuses_to_fold_a_stretch_twice_and_keeps_what_it_had(tmp_path):
    store = filled_store(tmp_path / "trail.sqlite3", ROWS[:5])
    before = content(store.path)
    for repeated in (ROWS[:5], ROWS[4:6], ROWS[2:3]):
        with pytest.raises(IntegrityError):
            store.apply(repeated)
    assert content(store.path) == before
    store.apply(ROWS[5:])
    store.close()


def test_store_refuses_a_gap(tmp_path):
    store = filled_store(tmp_path / "trail.sqlite3", ROWS[:5])
    with pytest.raises(IntegrityError):
        store.apply(ROWS[6:])
    store.close()


def test_two_stores_on_one_file_cannot_both_fold_the_next_stretch(tmp_path):
    one, other = TrailStore(tmp_path / "t.sqlite3", ACCOUNT), TrailStore(tmp_path / "t.sqlite3", ACCOUNT)
    one.apply(ROWS[:5])
    with pytest.raises(IntegrityError):
        other.apply(ROWS[:5])
    other.apply(ROWS[5:8])
    assert one.position() == 8
    one.close()
    other.close()


def test_store_rolls_everything_back_when_one_row_cannot_be_stored(tmp_path):
    store = filled_store(tmp_path / "t.sqlite3", ROWS[:5])
    with pytest.raises(IntegrityError):
        store.apply([*ROWS[5:8], ROWS[7]])
    assert store.position() == 5
    assert store.digest_at(6) is None
    store.close()


def _die_in_the_middle(path: Path, half: Sequence[TrailRow]) -> None:
    store = TrailStore(path, ACCOUNT)
    store.apply(ROWS[:5])

    def rows_then_death() -> object:
        yield from half
        os.kill(os.getpid(), 9)

    class Dying(list):  # type: ignore[type-arg]
        def __iter__(self) -> object:
            return rows_then_death()

    store.apply(Dying(half))


def test_a_killed_writer_leaves_whole_batches_only(tmp_path):
    path = tmp_path / "t.sqlite3"
    writer = multiprocessing.get_context("spawn").Process(target=_die_in_the_middle, args=(path, ROWS[5:9]))
    writer.start()
    writer.join()
    assert writer.exitcode == -9
    store = TrailStore(path, ACCOUNT)
    assert store.position() == 5
    store.apply(ROWS[5:])
    store.close()
    filled_store(tmp_path / "whole.sqlite3").close()
    assert content(path) == content(tmp_path / "whole.sqlite3")


def test_state_is_restored_with_its_fence_and_chain(tmp_path):
    store = filled_store(tmp_path / "t.sqlite3")
    restored = store.state_at(len(ROWS))
    assert restored.chain.digest.hex() == ROWS[-1].digest
    assert dict(restored.fence) == {"risk": 1, "oms": 2}
    assert dict(store.state_at(3).fence) == {"risk": 1, "oms": 1}
    assert store.state_at(0) == TrailState(chain=genesis(ACCOUNT))
    store.close()


def test_store_notices_that_its_file_is_gone_or_another_one(tmp_path):
    store = filled_store(tmp_path / "t.sqlite3")
    assert store.is_in_place()
    store.path.unlink()
    assert not store.is_in_place()
    store.path.touch()
    assert not store.is_in_place()
    store.close()


def test_a_new_trail_takes_nothing_over_from_the_logs_of_a_deleted_one(tmp_path):
    path = tmp_path / "t.sqlite3"
    store = filled_store(path)
    path.unlink()
    assert path.with_name("t.sqlite3-wal").exists()
    fresh = TrailStore(path, ACCOUNT)
    assert fresh.position() == 0
    fresh.apply(ROWS)
    fresh.close()
    store.close()


def test_store_refuses_the_trail_of_another_account(tmp_path):
    filled_store(tmp_path / "t.sqlite3").close()
    with pytest.raises(ForeignTrailError, match="JOURNAL_paper"):
        TrailStore(tmp_path / "t.sqlite3", AccountId("live"))


def test_trail_is_readable_by_its_owner_only(tmp_path):
    store = filled_store(tmp_path / "audit" / "t.sqlite3")
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert store.path.parent.stat().st_mode & 0o777 == 0o700
    store.close()


def test_reader_cannot_write_and_says_when_there_is_no_trail(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_reader(tmp_path / "none.sqlite3")
    filled_store(tmp_path / "t.sqlite3").close()
    reader = open_reader(tmp_path / "t.sqlite3")
    with pytest.raises(sqlite3.OperationalError):
        reader.execute("DELETE FROM trail")
    reader.close()


def test_database_of_a_newer_program_is_refused(tmp_path):
    connection = open_writer(tmp_path / "t.sqlite3")
    connection.execute("PRAGMA user_version = 9999")
    connection.close()
    with pytest.raises(NewerSchemaError):
        open_writer(tmp_path / "t.sqlite3")
