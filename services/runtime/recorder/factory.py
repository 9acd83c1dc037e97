"""What the library makes of its environment: recorders on NATS, tracking in SQL, a mapper for our events."""

from enum import StrEnum
from typing import Any

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    InfrastructureFactoryError,
    Mapper,
    ProcessRecorder,
    Transcoder,
)
from eventsourcing.utils import Environment, EnvType
from nats.js.errors import NotFoundError

from contracts.ids import AccountId, is_token
from services.runtime import topology
from services.runtime.connection import connect
from services.runtime.recorder.event_log import EventLog
from services.runtime.recorder.journal_mapper import JournalMapper
from services.runtime.recorder.loop_thread import LoopThread
from services.runtime.recorder.recorders import (
    EVENTS,
    SNAPSHOTS,
    JetStreamAggregateRecorder,
    JetStreamApplicationRecorder,
    JournalRecorder,
)
from services.runtime.recorder.tracking import SqlTrackingRecorder, tracking_recorder


class RecorderMode(StrEnum):
    """What an application may do with its account."""

    JOURNAL = "journal"
    AGGREGATES = "aggregates"


class JetStreamFactory(InfrastructureFactory[SqlTrackingRecorder]):
    """Opens one account for one application of the library.

    Variables, each also with the application's name in front as the library has it: `LOCKGATE_NATS_URL`,
    `LOCKGATE_NATS_USER` and `LOCKGATE_NATS_SEED` (who asks), `LOCKGATE_ACCOUNT`, and `LOCKGATE_RECORDER`: `journal`
    (the default) reads the account's journal; `aggregates` writes to an account that only the library uses, whose
    stream is made when it is missing. Tracking recorders keep positions where `DATABASE_URL` or else
    `LOCKGATE_TRACKING_FILE` says.
    """

    def __init__(self, env: Environment | EnvType | None) -> None:
        """Read who and where; nothing is opened before the first recorder is."""
        super().__init__(env)
        self._mode = self._chosen_mode()
        self._account = AccountId(self._needed("LOCKGATE_ACCOUNT"))
        if not is_token(self._account):
            raise InfrastructureFactoryError(f"LOCKGATE_ACCOUNT {self._account!r} is no account's name")
        self._thread: LoopThread | None = None
        self._log: EventLog | None = None
        self._trackers: list[SqlTrackingRecorder] = []

    def close(self) -> None:
        """Close what was opened: databases, the link and its thread."""
        while self._trackers:
            self._trackers.pop().database.close()
        (thread, self._thread), (log, self._log) = (self._thread, None), (self._log, None)
        if thread is not None:
            if log is not None:
                thread.call(log.connection.close())
            thread.close()

    def mapper(
        self, transcoder: Transcoder | None = None, mapper_class: type[Mapper[Any]] | None = None
    ) -> Mapper[Any]:
        """Give the mapper asked for, else one that knows our events too."""
        known = mapper_class or (None if self.env.get(self.MAPPER_TOPIC) else JournalMapper)
        return super().mapper(transcoder, known)

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        """Give a recorder of aggregates' events, or of their snapshots."""
        subject = EVENTS if purpose == "events" else SNAPSHOTS
        return JetStreamAggregateRecorder(*self._opened(), subject)

    def application_recorder(self) -> ApplicationRecorder:
        """Give the recorder of the account in the chosen mode."""
        kind = JournalRecorder if self._mode is RecorderMode.JOURNAL else JetStreamApplicationRecorder
        return kind(*self._opened())

    def tracking_recorder(
        self, tracking_recorder_class: type[SqlTrackingRecorder] | None = None
    ) -> SqlTrackingRecorder:
        """Give a recorder of positions in the SQL database that `DATABASE_URL` names."""
        recorder = tracking_recorder(self.env, self._account, tracking_recorder_class)
        self._trackers.append(recorder)
        return recorder

    def process_recorder(self) -> ProcessRecorder:
        """Refuse: a stream and a SQL database share no transaction."""
        raise InfrastructureFactoryError("no process recorder: a stream and a database share no transaction")

    def _opened(self) -> tuple[LoopThread, EventLog]:
        if self._thread is None or self._log is None:
            thread = LoopThread()
            try:
                self._log = thread.call(self._open())
            except BaseException:
                thread.close()
                raise
            self._thread = thread
        return self._thread, self._log

    async def _open(self) -> EventLog:
        url, user = self._needed("LOCKGATE_NATS_URL"), self._needed("LOCKGATE_NATS_USER")
        connection = await connect(url, user, self.env.get("LOCKGATE_NATS_SEED") or None, reconnect=True)
        log = EventLog(connection, self._account)
        try:
            if self._mode is RecorderMode.AGGREGATES:
                await _ensure_stream(log)
        except BaseException:
            await connection.close()
            raise
        return log

    def _chosen_mode(self) -> RecorderMode:
        given = self.env.get("LOCKGATE_RECORDER") or RecorderMode.JOURNAL
        try:
            return RecorderMode(given)
        except ValueError:
            raise InfrastructureFactoryError(
                f"LOCKGATE_RECORDER is {given!r}; allowed: {', '.join(RecorderMode)}"
            ) from None

    def _needed(self, variable: str) -> str:
        value = self.env.get(variable)
        if not value:
            raise InfrastructureFactoryError(f"{variable} is not set")
        return value


async def _ensure_stream(log: EventLog) -> None:
    """Make the stream of an account that only the library uses; refuse the journal of one that trades."""
    js = log.connection.jetstream()
    try:
        found = (await js.stream_info(log.stream)).config
    except NotFoundError:
        wanted = next(s for s in topology.streams([log.account]) if s.name == log.stream)
        found = (await js.add_stream(wanted.evolve(allow_atomic=True))).config
    if not found.allow_atomic:
        raise InfrastructureFactoryError(
            f"{log.stream} takes no atomic batches: it is the journal of an account that trades, which the library "
            "may only read"
        )
