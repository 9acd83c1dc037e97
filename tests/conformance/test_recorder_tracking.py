"""The eventsourcing library's own tracking and factory tests, unchanged, in SQLite and in PostgreSQL."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from eventsourcing.persistence import InfrastructureFactoryError
from eventsourcing.tests.persistence import InfrastructureFactoryTestCase, TrackingRecorderTestCase
from eventsourcing.utils import Environment

from projections.sql.database import Database
from services.runtime.recorder.factory import JetStreamFactory
from services.runtime.recorder.recorders import JetStreamAggregateRecorder, JetStreamApplicationRecorder
from services.runtime.recorder.tracking import SqlTrackingRecorder
from tests.conformance.test_recorder import recorder_env
from tests.nats_server import NatsServer
from tests.read_models import location_of

OPENED: list[Database] = []


class OwnView(SqlTrackingRecorder):
    """A view of somebody's own, as the library's factory makes it."""


def recorder_of(kind: str, folder: Path, url: str | None) -> Callable[[], SqlTrackingRecorder]:
    def create() -> SqlTrackingRecorder:
        OPENED.append(location_of(kind, folder / uuid.uuid4().hex, url).open_writer())
        return SqlTrackingRecorder(OPENED[-1])

    return create


@pytest.fixture(autouse=True)
def _closing() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


class TestTrackingInSqlite(TrackingRecorderTestCase):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.create_recorder = recorder_of("sqlite", tmp_path, None)

    def create_recorder(self):
        raise AssertionError("set by the fixture")


class TestTrackingInPostgresql(TrackingRecorderTestCase):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path, postgres_url: str) -> None:
        self.create_recorder = recorder_of("postgresql", tmp_path, postgres_url)

    def create_recorder(self):
        raise AssertionError("set by the fixture")


class TestFactory(InfrastructureFactoryTestCase[JetStreamFactory]):
    @pytest.fixture(autouse=True)
    def _environment(self, nats_server: NatsServer, tmp_path: Path) -> None:
        tracking = {"LOCKGATE_TRACKING_FILE": str(tmp_path / "tracking.sqlite3")}
        self.env = Environment(env=recorder_env(nats_server) | tracking)

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.factory.close)

    def expected_factory_class(self):
        return JetStreamFactory

    def expected_aggregate_recorder_class(self):
        return JetStreamAggregateRecorder

    def expected_application_recorder_class(self):
        return JetStreamApplicationRecorder

    def expected_tracking_recorder_class(self):
        return SqlTrackingRecorder

    def tracking_recorder_subclass(self):
        return OwnView

    def expected_process_recorder_class(self):
        raise AssertionError("there is none")

    def test_create_process_recorder(self) -> None:
        """The one thing that cannot be had: a stream and a database share no transaction."""
        with pytest.raises(InfrastructureFactoryError, match="share no transaction"):
            self.factory.process_recorder()


del TrackingRecorderTestCase, InfrastructureFactoryTestCase
