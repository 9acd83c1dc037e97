"""What audit draws over the journal: links of the hash chain, signed checkpoints of it, and what an export holds."""

from contracts.base import Event, Moment, Value
from contracts.ids import AccountId


class ChainCheckpoint(Event, frozen=True, kw_only=True, tag="audit.checkpoint.v1"):
    """The digest (SHA-256, hex) of everything in the journal up to and including `upto_seq`."""

    upto_seq: int
    digest: str


class WatchReported(Event, frozen=True, kw_only=True, tag="audit.watch_reported.v1"):
    """What the independent watch over the broker can say of itself: whether it sees, and how far it has read."""

    blind: bool
    read_seq: int
    detail: str = ""


class SignedCheckpoint(Value, frozen=True, kw_only=True, tag_field="type", tag="audit.signed_checkpoint.v1"):
    """What audit vouches for outside the journal; whoever keeps it can prove that the journal is still the same.

    `digest` (hex) is the chain at `upto_seq`. `fingerprints` are eight bytes for each message after `after_seq`, so
    that the very message that was changed can be named. `number` counts from one, and `previous` is the SHA-256 (hex)
    of the checkpoint before, so that none can be left out. The Ed25519 `signature` (hex) is over the JSON of
    everything here with an empty signature.
    """

    account: AccountId
    number: int
    previous: str
    after_seq: int
    upto_seq: int
    digest: str
    fingerprints: bytes
    at: Moment
    code_version: str
    public_key: str
    signature: str = ""


class ExportManifest(Value, frozen=True, kw_only=True, tag_field="type", tag="audit.export.v1"):
    """What a file of exported journal messages holds; signed as a checkpoint is, unsigned when both keys are empty.

    `start_digest` is the chain before `first_seq` and `chain_head` the chain at `last_seq`, both hex; `sha256` is the
    file's own.
    """

    account: AccountId
    file: str
    format: str
    first_seq: int
    last_seq: int
    count: int
    start_digest: str
    chain_head: str
    sha256: str
    at: Moment
    code_version: str
    public_key: str = ""
    signature: str = ""


type AuditEvent = ChainCheckpoint | WatchReported
type Signable = SignedCheckpoint | ExportManifest
