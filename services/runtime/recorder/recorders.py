"""The library's recorders over one account's stream."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    Notification,
    ProgrammingError,
    StoredEvent,
    Subscription,
)

from contracts import subjects
from services.runtime.recorder import messages
from services.runtime.recorder.event_log import EventLog
from services.runtime.recorder.loop_thread import LoopThread
from services.runtime.recorder.subscription import JetStreamSubscription

EVENTS = "aggregate"
SNAPSHOTS = "snapshot"


class JetStreamAggregateRecorder(AggregateRecorder):
    """Aggregates' events (or their snapshots, by purpose) on subjects of their own.

    Stricter than the contract in one point: a version must be greater than the aggregate's last one, so gaps
    cannot be filled later. One insert may span aggregates, and is all or nothing, up to 1,000 events.
    """

    def __init__(self, thread: LoopThread, log: EventLog, purpose: str = EVENTS) -> None:
        """Write and read through a log, under a purpose."""
        self.thread = thread
        self.log = log
        self._purpose = purpose

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Store all events or none."""
        self._insert(stored_events, **kwargs)
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Give one aggregate's events in the order of their versions."""
        events = [
            event
            for event in self.thread.call(self._stored(self._subject(originator_id)))
            if (gt is None or event.originator_version > gt) and (lte is None or event.originator_version <= lte)
        ]
        return (events[::-1] if desc else events)[:limit]

    def _insert(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> list[int]:
        if kwargs.get("tracking") is not None:
            raise ProgrammingError("a stream and a tracking database share no transaction")
        return self.thread.call(self.log.insert(self._purpose, stored_events)) if stored_events else []

    def _subject(self, originator_id: UUID | str) -> str:
        return messages.subject_of(self.log.account, self._purpose, originator_id)

    async def _stored(self, subject: str) -> list[StoredEvent]:
        return [messages.stored_event(*message) async for message in self.log.read(subject)]


class JetStreamApplicationRecorder(JetStreamAggregateRecorder, ApplicationRecorder):
    """All aggregates' events as one sequence; a notification's id is its stream sequence.

    Ids rise in the order of commits and nobody sees a later one first. They leave gaps where snapshots stand. What
    cannot be had is the library's `ProcessRecorder`: a stream and a SQL database share no transaction.
    """

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Store all events or none, and give their notification ids."""
        return self._insert(stored_events, **kwargs)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Give up to `limit` events from `start` to `stop`, counted after the choice of topics."""
        after = 0 if start is None else start - inclusive_of_start
        return self.thread.call(self._notifications(max(after, 0), limit, stop, topics))

    def max_notification_id(self) -> int | None:
        """Give the newest event's id."""
        newest = self.thread.call(self.log.last(self.filter))
        return None if newest is None else newest.seq

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        """Follow the events after an id, for ever."""
        return JetStreamSubscription(self, gt, topics)

    @property
    def filter(self) -> str:
        """The subjects that hold this application's events."""
        return f"acct.{self.log.account}.{self._purpose}.>"

    async def _notifications(
        self, after: int, limit: int, stop: int | None, topics: Sequence[str]
    ) -> list[Notification]:
        found: list[Notification] = []
        async for message in self.log.read(self.filter, after=after):
            if len(found) == limit or (stop is not None and message[0] > stop):
                break
            one = messages.notification(*message)
            if not topics or one.topic in topics:
                found.append(one)
        return found


class JournalRecorder(JetStreamApplicationRecorder):
    """An account's journal as the library sees it: read, never written.

    Every journal subject is an aggregate whose id is the subject, so an order's life or an account's controls are
    one aggregate each; an event's version is its stream sequence, its topic its tag, its state its bytes.
    """

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Refuse: each subject of a journal has its one writer, and none of them is the library."""
        if not stored_events:
            return []
        raise ProgrammingError(
            f"{self.log.stream} is open for reading only; aggregates go to an account of their own"
        )

    @property
    def filter(self) -> str:
        """The whole journal."""
        return subjects.journal_all(self.log.account)

    def _subject(self, originator_id: UUID | str) -> str:
        return str(originator_id)
