"""What a rebuild answers its fold's questions with gives the same rows as asking the indexed database does."""

from contextlib import closing

import pytest
from msgspec import Raw
from msgspec.structs import replace

from contracts import subjects
from contracts.controls import EpochTaken
from contracts.decisions import Decision
from contracts.enums import Action, Outcome, Role
from contracts.ids import IntentId, OrderId
from contracts.orders import OrderFilled
from ops.bench import long_day
from projections.sql.fold import Fold, FoldState
from projections.sql.location import Location, Purpose
from projections.sql.store import Store
from projections.sql.tables import JOURNAL_TABLES
from services.audit.recollection import Recollection
from tests.read_models import content, everything, links_of, location_of, opened, plain, stretch
from tests.story_events import ACCOUNT, OPEN, Written

LONG = list(long_day.events(500, ACCOUNT))
DECISIONS = [e for _, e in LONG if isinstance(e, Decision)]
FILLED = next(e for _, e in LONG if isinstance(e, OrderFilled))


def _cancel(order_id: str, n: int) -> Written:
    """A decision on the cancel of an order that may be long gone, or was never there."""
    body = f'{{"type":"intent.cancel.v1","intent_id":"c{n}","order_id":"{order_id}"}}'
    asked = replace(
        DECISIONS[0],
        intent_id=IntentId(f"c{n}"),
        action=Action.CANCEL,
        outcome=Outcome.DENIED,
        order_id=None,
        terms=None,
        reservation=None,
        intent=Raw(body.encode()),
    )
    return subjects.decision(ACCOUNT, asked.agent, asked.intent_id), asked


LATE = replace(FILLED, fill_id="late")
TAKEN = EpochTaken(epoch=2, at=FILLED.at, role=Role.RISK, owner="x", code_version="")
DAY: list[Written] = [
    *LONG,
    _cancel(FILLED.order_id, 1),
    _cancel("lg-never", 2),
    (subjects.order(ACCOUNT, DECISIONS[0].agent, FILLED.order_id), LATE),
    (
        subjects.epoch(ACCOUNT, Role.RISK),
        EpochTaken(epoch=2, at=FILLED.at, role=Role.RISK, owner="x", code_version=""),
    ),
    _cancel(FILLED.order_id, 3),  # void
]


@pytest.mark.parametrize("remembered_max", [0, 7, 100_000])
def test_rows_are_the_same_whatever_a_rebuild_remembers(tmp_path, remembered_max):
    live = location_of("sqlite", tmp_path / "live", None)
    with closing(opened(live)) as store:
        stretch(store, DAY)
    location = Location(account=ACCOUNT, path=tmp_path / "built" / "trail.sqlite3")
    with location.beside(Purpose.REBUILD) as built:
        store = Store(built.database, ACCOUNT)
        known = Recollection(store, lambda: None, remembered_max)
        fold = Fold(store.trail_at(0), FoldState(), known.order, known.symbol_of)
        for link, event in links_of(DAY):
            known.note(fold.take(link, event, OPEN))
            if link.seq % 50 == 0 or link.seq == len(DAY):
                store.apply(fold.take_changes())
        rows = {
            table.name: [tuple(plain(cell) for cell in row) for row in built.database.execute(everything(table))]
            for table in JOURNAL_TABLES
        }
    assert rows == {name: found for name, found in content(live).items() if name != "tracking"}


def test_stored_rows_are_asked_only_when_all_before_is_stored(tmp_path):
    settled: list[None] = []
    with closing(opened(location_of("sqlite", tmp_path, None))) as store:
        known = Recollection(store, lambda: settled.append(None))
        assert known.symbol_of(OrderId("lg-never")) is None
        assert settled == []
        assert known.order(OrderId("lg-never")) is None
        assert settled == [None]
