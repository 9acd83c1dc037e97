"""The store in SQLite and in PostgreSQL: rows and position move together, and both databases hold the same."""

import multiprocessing
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.ids import AccountId, OrderId
from projections.chain import genesis
from projections.sql import postgres, sqlite
from projections.sql.database import DatabaseUnavailableError, IntegrityError, NewerSchemaError
from projections.sql.location import Location
from projections.sql.store import ForeignJournalError, Store, decode_fold, encode_fold
from projections.sql.tables import TABLES, TRAIL
from projections.trail import TrailState
from tests.read_models import KINDS, changes_of, content, fold_of, links_of, location_of, opened, stretch
from tests.story_events import OPEN, order_id, short_day

DAY = list(short_day())


@dataclass
class Place:
    """A database of the test's own."""

    kind: str
    folder: Path
    url: str | None

    def fresh(self, name: str = "one", account: AccountId | None = None) -> Location:
        return location_of(self.kind, self.folder / name, self.url, account)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    kind = request.param
    return Place(kind, tmp_path, request.getfixturevalue("postgres_url") if kind == "postgresql" else None)


def filled(location: Location, upto: int = len(DAY)) -> Store:
    store = opened(location)
    stretch(store, DAY[:upto])
    return store


def rows(location: Location) -> dict[str, list[tuple[object, ...]]]:
    """All rows but the chain's digests, which begin with the account's name."""
    found = content(location)
    digest = TRAIL.columns.index("digest")
    found["trail"] = [(*row[:digest], *row[digest + 1 :]) for row in found["trail"]]
    return found


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.sets(st.integers(1, len(DAY) - 1)))
def test_the_rows_are_the_same_however_the_journal_was_cut_into_batches(cuts, place, tmp_path_factory):
    place.folder = tmp_path_factory.mktemp("cuts")
    whole, cut = place.fresh("whole"), place.fresh("cut")
    filled(whole).close()
    store = opened(cut)
    stretch(store, DAY, sorted(cuts))
    assert store.position() == len(DAY)
    store.close()
    assert rows(cut) == rows(whole)


def test_both_databases_hold_the_same_rows(tmp_path, postgres_url):
    here = location_of("sqlite", tmp_path, None)
    there = location_of("postgresql", tmp_path, postgres_url)
    for location in (here, there):
        filled(location).close()
    assert rows(here) == rows(there)


def test_a_stretch_is_not_folded_twice_and_what_was_there_stays(place):
    location = place.fresh()
    store = filled(location, 5)
    before = content(location)
    for first, last in ((1, 5), (5, 6), (3, 3), (7, 9)):
        with pytest.raises(IntegrityError):
            store.apply(changes_of(store, DAY, first, last))
    assert content(location) == before
    store.apply(changes_of(store, DAY, 6, len(DAY)))
    store.close()


def test_two_writers_cannot_both_fold_the_next_stretch(place):
    location = place.fresh()
    one, other = opened(location), opened(location)
    one.apply(changes_of(one, DAY, 1, 5))
    with pytest.raises(IntegrityError):
        other.apply(changes_of(other, DAY, 1, 5))
    other.apply(changes_of(other, DAY, 6, 8))
    assert one.position() == 8
    one.close()
    other.close()


def test_everything_is_rolled_back_when_one_row_cannot_be_stored(place):
    store = filled(place.fresh(), 5)
    broken = changes_of(store, DAY, 6, 8)
    broken.added[TRAIL].append(broken.added[TRAIL][-1])
    with pytest.raises(IntegrityError):
        store.apply(broken)
    assert store.position() == 5
    assert store.digest_at(6) is None
    store.apply(changes_of(store, DAY, 6, 8))
    store.close()


def _die_in_the_middle(location: Location) -> None:
    store = opened(location)
    changes = changes_of(store, DAY, 6, 9)

    class Dying(list):  # type: ignore[type-arg]
        def __iter__(self) -> object:
            yield from super().__iter__()
            os.kill(os.getpid(), 9)

    changes.added[TRAIL] = Dying(changes.added[TRAIL])
    store.apply(changes)


def test_a_killed_writer_leaves_whole_batches_only(place):
    location, whole = place.fresh(), place.fresh("whole")
    filled(location, 5).close()
    writer = multiprocessing.get_context("spawn").Process(target=_die_in_the_middle, args=(location,))
    writer.start()
    writer.join()
    assert writer.exitcode == -9
    store = opened(location)
    assert store.position() == 5
    store.apply(changes_of(store, DAY, 6, len(DAY)))
    store.close()
    filled(whole).close()
    assert rows(location) == rows(whole)


def test_the_trail_is_restored_with_its_fence_and_chain(place):
    location = place.fresh()
    store = filled(location)
    restored = store.trail_at(len(DAY))
    assert restored.chain.digest.hex() == store.digest_at(len(DAY))
    assert dict(restored.fence) == {"risk": 1, "oms": 2}
    assert dict(store.trail_at(3).fence) == {"risk": 1, "oms": 1}
    assert store.trail_at(0) == TrailState(chain=genesis(location.account))
    with pytest.raises(IntegrityError):
        store.trail_at(len(DAY) + 1)
    store.close()


def test_a_fold_that_was_saved_goes_on_as_if_it_had_never_stopped(place):
    location, whole = place.fresh(), place.fresh("whole")
    store = opened(location)
    fold = stretch(store, DAY[:12])
    store.save_fold(12, fold.state)
    store.close()
    store = opened(location)
    seq, state = store.saved_fold()
    assert seq == 12
    assert encode_fold(state) == encode_fold(fold.state) == encode_fold(decode_fold(encode_fold(fold.state)))
    fold = fold_of(store, 12, state)
    for link, event in list(links_of(DAY))[12:]:
        fold.take(link, event, OPEN)
    store.apply(fold.take_changes())
    store.close()
    filled(whole).close()
    assert rows(location) == rows(whole)


def test_an_order_is_told_by_its_rows(place):
    location = place.fresh()
    store = opened(location)
    fold = stretch(store, DAY)
    wanted = order_id("i1")
    assert store.order(wanted) == fold.state.ledger.orders[wanted]
    assert store.symbol_of(wanted) == "AAPL"
    assert store.order(OrderId("lg-none")) is None
    assert store.symbol_of(OrderId("lg-none")) is None
    store.close()


def test_a_database_of_another_account_is_refused(place):
    location = place.fresh()
    filled(location).close()
    with pytest.raises(ForeignJournalError, match=f"JOURNAL_{location.account}"):
        Store(location.open_writer(), AccountId("live"))


def test_a_reader_cannot_write_and_says_when_there_is_nothing(place):
    location = place.fresh()
    with pytest.raises(FileNotFoundError):
        location.open_reader()
    filled(location).close()
    reader = location.open_reader()
    for forbidden in ("DELETE FROM trail", "CREATE TABLE mine (id INTEGER)", "UPDATE orders SET qty = '1'"):
        with pytest.raises(Exception, match=r"read-?only|permission denied"):
            reader.execute(forbidden)
    reader.close()


def test_the_tables_have_the_columns_that_writers_fill(place):
    location = place.fresh()
    opened(location).close()
    reader = location.open_reader()
    for table in TABLES:
        found = reader.execute(f"SELECT * FROM {table.name}")  # noqa: S608 - our own tables' names
        assert tuple(column[0] for column in found.description) == table.columns
    reader.close()


def test_a_database_of_a_newer_program_is_refused(place):
    location = place.fresh()
    database = location.open_writer()
    if place.kind == "sqlite":
        database.execute("PRAGMA user_version = 9999")
    else:
        database.execute("INSERT INTO migrations VALUES (9999)")
    database.close()
    with pytest.raises(NewerSchemaError):
        location.open_writer()


def test_a_trail_of_the_first_schema_is_filled_again(tmp_path):
    """What the first migration alone had stored cannot tell the read models, so the journal is asked again."""
    location = location_of("sqlite", tmp_path, None)
    store = filled(location)
    store.database.execute("PRAGMA user_version = 1")
    for kind, name in [(t, n) for t in ("table", "view") for n in _named(store, t) if n not in {"trail", "tracking"}]:
        store.database.execute(f"DROP {kind} {name}")
    store.close()
    store = opened(location)
    assert store.position() == 0
    stretch(store, DAY)
    store.close()


def _named(store: Store, kind: str) -> list[str]:
    return [row[0] for row in store.database.execute("SELECT name FROM sqlite_master WHERE type = :t", {"t": kind})]


def test_the_file_is_readable_by_its_owner_only(tmp_path):
    path = tmp_path / "audit" / "t.sqlite3"
    sqlite.open_writer(path).close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_writer_notices_that_its_file_is_gone_or_another_one(tmp_path):
    database = sqlite.open_writer(tmp_path / "t.sqlite3")
    assert database.is_in_place()
    database.path.unlink()
    assert not database.is_in_place()
    database.path.touch()
    assert not database.is_in_place()
    database.close()


def test_a_new_file_takes_nothing_over_from_the_logs_of_a_deleted_one(tmp_path):
    location = location_of("sqlite", tmp_path, None)
    store = filled(location)
    location.path.unlink()
    assert location.path.with_name("trail.sqlite3-wal").exists()
    fresh = opened(location)
    assert fresh.position() == 0
    stretch(fresh, DAY)
    fresh.close()
    store.close()


def test_a_writer_notices_that_its_schema_is_gone(place):
    if place.kind != "postgresql":
        place = Place("sqlite", place.folder, None)
    location = place.fresh()
    store = filled(location)
    if location.url is None:
        location.path.unlink()
    else:
        store.database.execute(f'DROP SCHEMA "{location.schema}" CASCADE')
    assert not store.is_in_place()
    store.close()
    again = opened(location)
    assert again.position() == 0
    again.close()


def test_a_server_that_is_not_there_is_said_to_be_unavailable_and_no_password_is_shown(tmp_path):
    url = "postgresql://someone:secret@127.0.0.1:1/none"
    location = Location(account=AccountId("paper"), path=tmp_path / "t.sqlite3", url=url)
    with pytest.raises(DatabaseUnavailableError):
        location.open_writer()
    assert "secret" not in repr(location) + location.name
    assert postgres.schema_of("a" * 64) != postgres.schema_of("a" * 63 + "b")
    assert len(postgres.schema_of("a" * 64)) < 50
