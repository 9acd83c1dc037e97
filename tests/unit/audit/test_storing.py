"""A rebuild stores batch after batch, in the order in which they were folded, and no failure goes unheard."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from projections.sql.database import IntegrityError
from projections.sql.tables import Changes
from services.audit.storing import Storing


class Recording:
    """A store that writes down what it is given, and fails when it is told to."""

    def __init__(self) -> None:
        self.stored: list[Changes] = []
        self.failure: Exception | None = None

    def apply(self, changes: Changes) -> None:
        if self.failure is not None:
            raise self.failure
        self.stored.append(changes)


@pytest.fixture
def store() -> Any:
    return Recording()


def test_batches_are_stored_in_turn(store):
    batches = [Changes() for _ in range(20)]
    with ThreadPoolExecutor(max_workers=1) as thread:
        aside = Storing(store, thread)
        for batch in batches:
            aside.put(batch)
        aside.settle()
        assert [id(one) for one in store.stored] == [id(one) for one in batches]


def test_a_batch_that_cannot_be_stored_stops_the_next_one(store):
    store.failure = IntegrityError("somebody was here")
    with ThreadPoolExecutor(max_workers=1) as thread:
        aside = Storing(store, thread)
        aside.put(Changes())
        with pytest.raises(IntegrityError, match="somebody was here"):
            aside.put(Changes())
        assert store.stored == []


def test_a_batch_that_cannot_be_stored_is_heard_of_at_the_end(store):
    store.failure = IntegrityError("somebody was here")
    with ThreadPoolExecutor(max_workers=1) as thread:
        aside = Storing(store, thread)
        aside.put(Changes())
        with pytest.raises(IntegrityError):
            aside.settle()
