"""The eventsourcing library's own recorder tests, unchanged, on our JetStream recorders and a real NATS server."""

import uuid
from collections.abc import Iterator

import pytest
from eventsourcing.persistence import InfrastructureFactory
from eventsourcing.tests.application import ExampleApplicationTestCase
from eventsourcing.tests.persistence import (
    AggregateRecorderTestCase,
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
)

from services.runtime.recorder.factory import JetStreamFactory
from tests.nats_server import NatsServer

SERVERS: list[NatsServer] = []
FACTORIES: list[JetStreamFactory] = []


def recorder_env(server: NatsServer, mode: str = "aggregates", account: str = "") -> dict[str, str]:
    return {
        "PERSISTENCE_MODULE": "services.runtime.recorder",
        "LOCKGATE_NATS_URL": server.url,
        "LOCKGATE_NATS_USER": "admin",
        "LOCKGATE_NATS_SEED": server.seeds["admin"],
        "LOCKGATE_ACCOUNT": account or f"es{uuid.uuid4().hex[:12]}",
        "LOCKGATE_RECORDER": mode,
    }


@pytest.fixture(autouse=True)
def _server(nats_server: NatsServer) -> Iterator[None]:
    SERVERS.append(nats_server)
    yield
    SERVERS.clear()
    while FACTORIES:
        FACTORIES.pop().close()


def fresh_factory() -> JetStreamFactory:
    """Open an account that nobody has used: an empty store, as the library's tests want it."""
    factory = InfrastructureFactory.construct(recorder_env(SERVERS[0]))
    assert isinstance(factory, JetStreamFactory)
    FACTORIES.append(factory)
    return factory


class TestAggregateRecorder(AggregateRecorderTestCase):
    def create_recorder(self):
        return fresh_factory().aggregate_recorder()


class TestSnapshotRecorder(AggregateRecorderTestCase):
    def create_recorder(self):
        return fresh_factory().aggregate_recorder("snapshots")


class TestApplicationRecorder(ApplicationRecorderTestCase):
    def create_recorder(self):
        return fresh_factory().application_recorder()

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestApplicationRecorderWithTextIds(ApplicationRecorderTestCase):
    def new_originator_id(self) -> str:
        return f"orders/{uuid.uuid4()} *.>"

    def create_recorder(self):
        return fresh_factory().application_recorder()

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestNonInterleavingNotificationIDs(NonInterleavingNotificationIDsBaseCase):
    insert_num = 1_000

    def create_recorder(self):
        return fresh_factory().application_recorder()


class TestExampleApplication(ExampleApplicationTestCase):
    expected_factory_topic = "services.runtime.recorder.factory:JetStreamFactory"

    @pytest.fixture(autouse=True)
    def _environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in recorder_env(SERVERS[0]).items():
            monkeypatch.setenv(name, value)


del AggregateRecorderTestCase, ApplicationRecorderTestCase
del NonInterleavingNotificationIDsBaseCase, ExampleApplicationTestCase
