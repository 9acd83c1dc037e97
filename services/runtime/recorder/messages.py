"""How the library's stored events stand in a stream, and how our own events look to the library.

What the library writes is one message for each event, on a subject for each aggregate, so that the server's
"expected last sequence of this subject" is the optimistic lock. Our own journal messages need no translation: their
subject is the aggregate, their tag the topic, their body the state, their stream sequence the version.
"""

import hashlib
from uuid import UUID

import msgspec
from eventsourcing.persistence import Notification, StoredEvent

from contracts.ids import AccountId, is_token
from projections.tags import tag_of

SAVED_TAG = "aggregate.saved.v1"
_ODD = "_odd-"


class Saved(msgspec.Struct, frozen=True, tag_field="type", tag=SAVED_TAG):
    """One stored event of the library; `insert` names the call that stored it, `is_uuid` the kind of its id."""

    originator: str
    is_uuid: bool
    version: int
    topic: str
    insert: str
    state: bytes


_encoder = msgspec.json.Encoder()
_saved_decoder = msgspec.json.Decoder(Saved)


def subject_of(account: AccountId, purpose: str, originator_id: UUID | str) -> str:
    """Name the subject that holds one aggregate's events (or its snapshots, by purpose)."""
    if isinstance(originator_id, UUID):
        return f"acct.{account}.{purpose}.uuid.{originator_id}"
    fine = is_token(originator_id) and not originator_id.startswith(_ODD)
    token = originator_id if fine else _ODD + hashlib.blake2b(originator_id.encode(), digest_size=16).hexdigest()
    return f"acct.{account}.{purpose}.text.{token}"


def saved_body(event: StoredEvent, insert: str) -> bytes:
    """Write a stored event as the body of a message."""
    originator, is_uuid = str(event.originator_id), isinstance(event.originator_id, UUID)
    saved = Saved(originator, is_uuid, event.originator_version, event.topic, insert, event.state)
    return _encoder.encode(saved)


def saved(body: bytes) -> Saved | None:
    """Read what the library wrote; None when the message is not of its making."""
    return _saved_decoder.decode(body) if tag_of(body) == SAVED_TAG else None


def notification(seq: int, subject: str, body: bytes) -> Notification:
    """Give any message of a stream as the library sees it."""
    tag = tag_of(body)
    if tag != SAVED_TAG:
        return Notification(id=seq, originator_id=subject, originator_version=seq, topic=tag, state=body)
    found = _saved_decoder.decode(body)
    return Notification(
        id=seq,
        originator_id=UUID(found.originator) if found.is_uuid else found.originator,
        originator_version=found.version,
        topic=found.topic,
        state=found.state,
    )


def stored_event(seq: int, subject: str, body: bytes) -> StoredEvent:
    """Give a message as the library sees an aggregate's own event, without its place in the whole."""
    one = notification(seq, subject, body)
    return StoredEvent(
        originator_id=one.originator_id,
        originator_version=one.originator_version,
        topic=one.topic,
        state=one.state,
    )
