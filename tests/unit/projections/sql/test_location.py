"""Read models built beside the live ones, in both databases: taking their place, being thrown away, one at a time."""

from contextlib import closing
from pathlib import Path

import pytest

from projections.sql.comparison import Difference, differences
from projections.sql.database import AlreadyBuildingError, IntegrityError
from projections.sql.location import Location, Purpose
from projections.sql.store import Store
from projections.sql.tables import FILLS, ORDERS, TABLES
from tests.read_models import KINDS, changes_of, content, location_of, opened, stretch
from tests.story_events import short_day

DAY = list(short_day())


@pytest.fixture(params=KINDS)
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    return location_of(request.param, tmp_path, url)


def rebuild(location: Location, upto: int = len(DAY)) -> None:
    with location.beside(Purpose.REBUILD) as built:
        stretch(Store(built.database, location.account), DAY[:upto])
        built.take_place()


def test_what_is_built_takes_the_place_of_nothing_and_then_of_what_was_built_before(location):
    rebuild(location, 5)
    first = content(location)
    rebuild(location)
    assert content(location)["trail"][:5] == first["trail"]
    rebuild(location)
    store = opened(location)
    assert store.position() == len(DAY)
    store.close()


def test_what_takes_the_place_knows_how_its_rows_are_spread_by_whatever_they_are_found_by(tmp_path, postgres_url):
    place = location_of("postgresql", tmp_path, postgres_url)
    rebuild(place)
    with closing(place.open_reader()) as reader:
        asked = reader.execute("SELECT tablename, attname FROM pg_stats WHERE schemaname = current_schema()")
        known = {tuple(row) for row in asked}
    assert {("trail", "seq"), ("trail", "type"), ("orders", "symbol"), ("fills", "trading_day")} <= known


def test_a_writer_notices_the_new_ones_and_cannot_write_to_them_by_mistake(location):
    store = opened(location)
    stretch(store, DAY[:5])
    rebuild(location)
    assert not store.is_in_place()
    if location.url is not None:  # a file that lost its name may be written to, nobody reads it
        with pytest.raises(IntegrityError):
            store.apply(changes_of(store, DAY, 6, 9))
    store.close()
    after = opened(location)
    assert after.position() == len(DAY)
    after.close()


def test_what_did_not_take_the_place_is_thrown_away(location):
    store = opened(location)
    stretch(store, DAY[:5])
    before = content(location)
    with location.beside(Purpose.REBUILD) as built:
        stretch(Store(built.database, location.account), DAY)
    assert content(location) == before
    assert store.is_in_place()
    store.close()
    assert not [path for path in location.path.parent.glob("*.sqlite3*") if ".1." in path.name]


def test_only_one_can_build_at_a_time(location):
    with location.beside(Purpose.REBUILD), pytest.raises(AlreadyBuildingError), location.beside(Purpose.REBUILD):
        pass
    rebuild(location)


def test_differences_are_named_by_table_key_and_column(location):
    store = opened(location)
    stretch(store, DAY)
    store.database.execute("UPDATE orders SET status = 'forged' WHERE decision_seq = 5")
    store.database.execute("DELETE FROM fills WHERE seq = (SELECT max(seq) FROM fills)")
    store.close()
    with location.beside(Purpose.COMPARE) as built, closing(location.open_still()) as live:
        stretch(Store(built.database, location.account), DAY)
        found = {table.name: list(differences(live, built.database, table)) for table in TABLES}
    assert [one.column for one in found[ORDERS.name]] == ["status"]
    assert (found[ORDERS.name][0].live, found[ORDERS.name][0].rebuilt) == ("forged", "filled")
    assert [(one.live, one.rebuilt) for one in found[FILLS.name]] == [("(no row)", "(a row)")]
    assert sum(len(some) for some in found.values()) == 2
    assert isinstance(found[FILLS.name][0], Difference)


def test_a_still_reader_sees_one_moment(location):
    store = opened(location)
    stretch(store, DAY[:5])
    with closing(location.open_still()) as still:
        store.apply(changes_of(store, DAY, 6, 9))
        assert still.execute("SELECT count(*) FROM trail").fetchone()[0] == 5
    assert store.position() == 9
    store.close()
