"""Streams and buckets as data; `ensure` creates what is missing and refuses what differs.

Only the admin user may run this. Nothing is ever updated: an update of limits can delete history. A stream in memory
has none, it is gone with the server's next start anyway: one that differs is made anew.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from contracts import subjects
from contracts.ids import AccountId
from contracts.intents import INTENT_BYTES_MAX

INTENTS_KEPT = timedelta(days=7)
REGIMES_KEPT = timedelta(days=400)
MARKET_KEPT_PER_SUBJECT = 8
SNAPSHOTS_KEPT = 3
LEASE_TTL = timedelta(seconds=5)
INTENT_HEADER_BYTES_MAX = 2_048
"""The server counts headers into a message's size; a trace header fits easily."""
DUPLICATE_WINDOW_MIN = timedelta(milliseconds=100)
"""The least the server allows: message ids are one name space for all agents, so one could shadow another's."""
DUPLICATE_WINDOW_DEFAULT = timedelta(minutes=2)
UNLIMITED = -1


class TopologyDriftError(Exception):
    """A stream exists and is not as we want it; a person must decide, because an update may lose history."""


async def ensure(js: JetStreamContext, accounts: Sequence[AccountId], *, replicas: int = 1) -> None:
    """Create every stream and bucket that is missing; raise `TopologyDriftError` on one on disk that differs.

    Run it after every start of the server: a stream kept in memory (market data) does not survive a restart.
    """
    for wanted in streams(accounts, replicas=replicas):
        name = wanted.name or ""
        try:
            found = (await js.stream_info(name)).config
        except NotFoundError:
            found = (await js.add_stream(wanted)).config
        if _drift(wanted, found) and wanted.storage == found.storage == StorageType.MEMORY:
            await js.delete_stream(name)
            found = (await js.add_stream(wanted)).config
        _refuse_drift(wanted, found)


def streams(accounts: Sequence[AccountId], *, replicas: int = 1) -> list[StreamConfig]:
    """List every stream and bucket for these accounts."""
    wanted = [_intents(), _regime(), _market(), _snapshots(), _leases(), *(_journal(a) for a in accounts)]
    return [_complete(config, replicas) for config in wanted]


def _complete(config: StreamConfig, replicas: int) -> StreamConfig:
    """Spell out what the server would fill in, so that drift is told from defaults."""
    window = config.duplicate_window or DUPLICATE_WINDOW_DEFAULT.total_seconds()
    return config.evolve(num_replicas=replicas, duplicate_window=window)


def _intents() -> StreamConfig:
    return StreamConfig(
        name=subjects.INTENTS_STREAM,
        subjects=["intent.*.*.*"],
        max_msgs_per_subject=1,
        discard=DiscardPolicy.NEW,
        discard_new_per_subject=True,
        max_age=INTENTS_KEPT.total_seconds(),
        max_msg_size=INTENT_BYTES_MAX + INTENT_HEADER_BYTES_MAX,
        duplicate_window=DUPLICATE_WINDOW_MIN.total_seconds(),
        allow_direct=True,
    )


def _journal(account: AccountId) -> StreamConfig:
    return StreamConfig(
        name=subjects.journal_stream(account),
        subjects=[subjects.journal_all(account)],
        storage=StorageType.FILE,
        max_msgs=UNLIMITED,
        max_bytes=UNLIMITED,
        max_age=0,
        max_msgs_per_subject=UNLIMITED,
        discard=DiscardPolicy.NEW,
        deny_delete=True,
        deny_purge=True,
        allow_direct=True,
    )


def _regime() -> StreamConfig:
    return StreamConfig(
        name=subjects.REGIME_STREAM,
        subjects=["regime.>"],
        max_age=REGIMES_KEPT.total_seconds(),
        deny_delete=True,
        allow_direct=True,
    )


def _market() -> StreamConfig:
    return StreamConfig(
        name=subjects.MARKET_STREAM,
        subjects=["quote.>", "bar.>", "status.>", "stats.>"],
        storage=StorageType.MEMORY,
        max_msgs_per_subject=MARKET_KEPT_PER_SUBJECT,
        allow_direct=True,
    )


def _snapshots() -> StreamConfig:
    return _bucket(subjects.SNAPSHOTS_BUCKET).evolve(max_msgs_per_subject=SNAPSHOTS_KEPT)


def _leases() -> StreamConfig:
    ttl_s = LEASE_TTL.total_seconds()
    return _bucket(subjects.LEASES_BUCKET).evolve(max_msgs_per_subject=1, max_age=ttl_s, duplicate_window=ttl_s)


def _bucket(bucket: str) -> StreamConfig:
    """Shape a stream as the key-value convention wants it, so that any NATS tool can read the bucket."""
    return StreamConfig(
        name=f"KV_{bucket}",
        subjects=[f"$KV.{bucket}.>"],
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        deny_delete=True,
        allow_rollup_hdrs=True,
        allow_direct=True,
    )


def _drift(wanted: StreamConfig, found: StreamConfig) -> dict[str, tuple[Any, Any]]:
    """Give each setting that differs, as it should be and as it is."""
    want, have = wanted.as_dict(), found.as_dict()
    return {key: (value, have.get(key)) for key, value in want.items() if have.get(key) != value}


def _refuse_drift(wanted: StreamConfig, found: StreamConfig) -> None:
    differing = _drift(wanted, found)
    if differing:
        told = "; ".join(f"{key} should be {want!r} but is {have!r}" for key, (want, have) in differing.items())
        raise TopologyDriftError(f"stream {wanted.name} is not as it should be: {told}")
