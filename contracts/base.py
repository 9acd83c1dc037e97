"""Roots of every message: how structs are frozen, tagged and versioned."""

from datetime import datetime
from typing import Annotated

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its zone; without one it would name no moment, and could not be compared with one that has."""


class Value(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A part of a message that is never sent alone.

    Neither it nor a message is looked at by the collector of cycles: what is frozen and made from its parts up holds
    none, and a journal is millions of them.
    """


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", gc=False):
    """Anything that travels on its own; its wire name is an explicit tag with a version."""


class Event(Message, frozen=True, kw_only=True):
    """A fact in an account's journal, stamped by the one process that may write it.

    `epoch` fences writers, `at` explains (it never orders), `correlation_id` is the intent that began the
    story, `causation_seq` the journal sequence of the direct cause (0 when the cause is outside the journal).
    """

    epoch: int
    at: Moment
    correlation_id: str | None = None
    causation_seq: int = 0
