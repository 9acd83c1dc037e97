"""Our own journal events as domain events of the library, so that its projections and repositories can take them."""

from dataclasses import dataclass
from typing import Any

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent

from contracts.codec import JournalEvent, decode_event

_LIBRARY_TOPIC_MARK = ":"
"""The library names events `module:class`; no tag of ours has a colon."""


@dataclass(frozen=True)
class JournalFact:
    """One journal event where it stands: its subject as the aggregate's id, its stream sequence as the version."""

    originator_id: str
    originator_version: int
    event: JournalEvent


class JournalMapper(Mapper[Any]):
    """Decodes our events by our codec, and leaves the library's own to the library."""

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[Any]:
        """Give a stored event as a domain event: a `JournalFact` when it is one of ours."""
        if _LIBRARY_TOPIC_MARK in stored_event.topic:
            return super().to_domain_event(stored_event)
        subject, seq = str(stored_event.originator_id), stored_event.originator_version
        return JournalFact(subject, seq, decode_event(stored_event.state))
