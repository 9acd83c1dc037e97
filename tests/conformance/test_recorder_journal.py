"""What the library's tests do not ask: our own journal read through it, races, lost confirmations, refusals."""

import asyncio
import threading
import uuid
from collections.abc import Iterator
from functools import singledispatchmethod
from typing import Any

import pytest
from eventsourcing.application import Application
from eventsourcing.persistence import (
    InfrastructureFactory,
    InfrastructureFactoryError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
    StoredEvent,
    Tracking,
)
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.tests.application import BankAccounts

from contracts import subjects
from contracts.ids import AccountId
from projections import account
from services.runtime.jetstream import JetStreamJournal
from services.runtime.ports import JournalUnavailableError
from services.runtime.recorder.factory import JetStreamFactory
from services.runtime.recorder.journal_mapper import JournalFact
from services.runtime.recorder.tracking import SqlTrackingRecorder
from tests.conformance.test_recorder import recorder_env
from tests.nats_server import NatsServer
from tests.story_events import ACCOUNT, Written, short_day

DAY = list(short_day())


def at_account(written: Written, name: AccountId) -> Written:
    subject, event = written
    return subject.replace(f"acct.{ACCOUNT}.", f"acct.{name}."), event


@pytest.fixture(scope="module")
def journal_account(nats_server: NatsServer) -> AccountId:
    """An account with a day in its journal."""

    async def write() -> AccountId:
        name = await nats_server.fresh_account()
        link = await nats_server.connect()
        journal = JetStreamJournal(link, name)
        for written in DAY:
            await journal.append(*at_account(written, name))
        await link.close()
        return name

    return asyncio.run(write())


@pytest.fixture
def factory(nats_server: NatsServer) -> Iterator[JetStreamFactory]:
    made = InfrastructureFactory.construct(recorder_env(nats_server))
    assert isinstance(made, JetStreamFactory)
    yield made
    made.close()


def stored(version: int, originator: Any = None, state: bytes = b"s") -> StoredEvent:
    return StoredEvent(originator or uuid.uuid4(), version, "a:Topic", state)


def as_account(aggregate: Any, events: Any) -> Any:
    """Fold journal facts as every process of ours does."""
    for fact in events:
        before = account.EMPTY if aggregate is None else aggregate
        aggregate = account.evolve(before, fact.event, fact.originator_version)
    return aggregate


def test_a_standard_application_reads_the_journal_and_may_not_write_it(nats_server, journal_account):
    env = recorder_env(nats_server, "journal", journal_account)
    with Application[str](env=env) as app:
        section = app.notification_log["1,10"]
        assert [item.topic for item in section.items][:2] == ["control.limits_set.v1", "epoch.taken.v1"]
        assert app.recorder.max_notification_id() == len(DAY)
        assert section.items[0].originator_id == f"acct.{journal_account}.control"
        with pytest.raises(ProgrammingError, match="reading only"):
            app.recorder.insert_events([stored(1)])
        app.close()


def test_the_library_s_repository_and_our_own_fold_make_the_same_state_of_a_subject(nats_server, journal_account):
    env = recorder_env(nats_server, "journal", journal_account)
    subject = subjects.control(journal_account)
    own = account.EMPTY
    for seq, written in enumerate(DAY, start=1):
        told, event = at_account(written, journal_account)
        own = account.evolve(own, event, seq) if told == subject else own
    with Application[str](env=env) as app:
        assert app.repository.get(subject, projector_func=as_account) == own
        app.close()


class Counts(SqlTrackingRecorder):
    """A view that counts, in the database that keeps the position."""

    def count(self, kind: str, tracking: Tracking) -> None:
        with self.database.transaction():
            self.database.execute("CREATE TABLE IF NOT EXISTS counts (kind TEXT PRIMARY KEY, n INTEGER)")
            adding = "INSERT INTO counts VALUES (:kind, 1) ON CONFLICT (kind) DO UPDATE SET n = counts.n + 1"
            self.database.execute(adding, {"kind": kind})
            self._advance(tracking)

    def counted(self) -> dict[str, int]:
        return dict(self.database.execute("SELECT kind, n FROM counts"))


class Counting(Projection[Counts]):
    name = "counting"

    @singledispatchmethod
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        raise AssertionError(domain_event)

    @process_event.register
    def _(self, domain_event: JournalFact, tracking: Tracking) -> None:
        self.view.count(type(domain_event.event).__name__, tracking)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_projection_of_the_library_runs_on_the_journal(kind, nats_server, journal_account, tmp_path, request):
    env = recorder_env(nats_server, "journal", journal_account)
    if kind == "sqlite":
        env["LOCKGATE_TRACKING_FILE"] = str(tmp_path / "counts.sqlite3")
    else:
        env["DATABASE_URL"] = request.getfixturevalue("postgres_url")
    with ProjectionRunner(
        application_class=Application[str], projection_class=Counting, view_class=Counts, env=env
    ) as r:
        r.projection.view.wait("Application", len(DAY), timeout=20)
        counted = r.projection.view.counted()
        r.projection.view.database.close()
    expected: dict[str, int] = {}
    for _, event in DAY:
        expected[type(event).__name__] = expected.get(type(event).__name__, 0) + 1
    assert counted == expected


def test_an_account_that_trades_is_not_opened_for_the_library_to_write(nats_server, journal_account):
    made = JetStreamFactory(recorder_env(nats_server, "aggregates", journal_account))
    with pytest.raises(InfrastructureFactoryError, match="may only read"):
        made.application_recorder()
    made.close()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"LOCKGATE_RECORDER": "both"}, "allowed: journal, aggregates"),
        ({"LOCKGATE_ACCOUNT": ""}, "LOCKGATE_ACCOUNT is not set"),
        ({"LOCKGATE_ACCOUNT": "a.b"}, "no account's name"),
    ],
)
def test_settings_that_cannot_be_used_are_named(change, match, nats_server):
    with pytest.raises(InfrastructureFactoryError, match=match):
        InfrastructureFactory.construct(recorder_env(nats_server) | change)


def test_of_many_writers_of_one_version_exactly_one_wins(factory):
    recorder = factory.application_recorder()
    wins, losses = [], []

    def race(events: list[StoredEvent], barrier: threading.Barrier) -> None:
        barrier.wait()
        try:
            wins.append(recorder.insert_events(events))
        except IntegrityError:
            losses.append(events)

    for version, size in ((1, 1), (2, 3), (5, 1), (6, 2)):
        wins.clear()
        losses.clear()
        barrier = threading.Barrier(6)
        batches = [[stored(version + n, "contested", bytes([w])) for n in range(size)] for w in range(6)]
        threads = [threading.Thread(target=race, args=(batch, barrier)) for batch in batches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(wins), len(losses)) == (1, 5)
    assert [event.originator_version for event in recorder.select_events("contested")] == [1, 2, 3, 4, 5, 6, 7]


def test_an_insert_over_several_aggregates_is_all_or_nothing(factory):
    recorder = factory.application_recorder()
    recorder.insert_events([stored(1, "a"), stored(1, "b"), stored(2, "a")])
    with pytest.raises(IntegrityError):
        recorder.insert_events([stored(3, "a"), stored(1, "b"), stored(1, "c")])
    assert recorder.max_notification_id() == 3
    assert recorder.select_events("c") == []
    with pytest.raises(ProgrammingError, match="1000"):
        recorder.insert_events([stored(n, "many") for n in range(1001)])


def test_ids_of_two_kinds_and_odd_ones_are_kept_apart(factory):
    recorder = factory.application_recorder()
    one = uuid.uuid4()
    ids = [one, str(one), "with spaces", "with.dots", "*", ">", "x" * 200, "ünicode"]
    for originator in ids:
        recorder.insert_events([stored(1, originator, str(originator).encode())])
    for originator in ids:
        (found,) = recorder.select_events(originator)
        assert (found.originator_id, found.state) == (originator, str(originator).encode())


def lose_confirmations(recorder: Any, monkeypatch: pytest.MonkeyPatch, *, stores: bool) -> None:
    """Let the link break after (or before) the server has stored what it was sent."""
    real = recorder.log._publisher.send

    async def lost(subject: str, body: bytes, headers: Any = None) -> Any:
        if stores:
            await real(subject, body, headers)
        raise JournalUnavailableError("not confirmed")

    monkeypatch.setattr(recorder.log._publisher, "send", lost)


@pytest.mark.parametrize("count", [1, 3])
def test_a_lost_confirmation_is_looked_up_and_not_taken_for_a_conflict(factory, count, monkeypatch):
    recorder = factory.application_recorder()
    lose_confirmations(recorder, monkeypatch, stores=True)
    assert recorder.insert_events([stored(n, "lost") for n in range(count)]) == list(range(1, count + 1))
    monkeypatch.undo()
    lose_confirmations(recorder, monkeypatch, stores=False)
    with pytest.raises(OperationalError, match="not found when looked up"):
        recorder.insert_events([stored(count + 1, "lost")])


def test_a_closed_recorder_says_so(factory):
    recorder = factory.application_recorder()
    factory.close()
    factory.close()
    with pytest.raises(Exception, match="closed"):
        recorder.max_notification_id()


def test_accounts_of_a_bank_may_share_the_stream_with_nobody_else_s_aggregates(nats_server):
    """Applications of the library share an account as they would share a database: by ids of their own."""
    env = recorder_env(nats_server)
    with BankAccounts(env=env) as one, BankAccounts(env=env) as other:
        opened = one.open_account("Alice", "alice@example.com")
        assert other.get_balance(opened) == 0
        one.close()
        other.close()
