"""Links of the hash chain that audit draws over the journal."""

from contracts.base import Event


class ChainCheckpoint(Event, frozen=True, kw_only=True, tag="audit.checkpoint.v1"):
    """The digest (SHA-256, hex) of everything in the journal up to and including `upto_seq`."""

    upto_seq: int
    digest: str


type AuditEvent = ChainCheckpoint
