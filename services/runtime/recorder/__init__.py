"""The account journal as a store of the `eventsourcing` library: its persistence contract over JetStream.

Set `PERSISTENCE_MODULE=services.runtime.recorder` and any standard `Application`, projection runner or test of the
library opens an account's journal to read, or an account of its own to write. `ops/adr/0006` says what of the
contract holds how, and what cannot hold.
"""

from services.runtime.recorder.factory import JetStreamFactory

__all__ = ["JetStreamFactory"]
