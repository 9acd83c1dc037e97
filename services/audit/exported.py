"""Exports as a whole: written from a journal, and opened again as a journal."""

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from contracts.audit import ExportManifest
from contracts.ids import AccountId
from projections.chain import Chain, ChainGapError, extend, genesis
from services.audit.export import MANIFEST_NAME, ExportFaultError, Format, Tally, link, received_of, sha256_of
from services.audit.export_writers import WRITERS
from services.audit.signing import Signer, is_signed_by
from services.runtime.keys import PRIVATE_DIRECTORY_MODE, write_private
from services.runtime.ports import JournalGapError, RawJournal, Received
from services.runtime.reading import catch_up_raw

_PIECE_BYTES = 1 << 20

type OnMessage = Callable[[int], object]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to export where: sequences `first_seq` to `last_seq`, both included."""

    folder: Path
    format: Format
    first_seq: int
    last_seq: int
    at: datetime
    code_version: str
    signer: Signer | None = None


async def write_export(journal: RawJournal, order: Order, on_message: OnMessage) -> ExportManifest:
    """Write the file and then its manifest, so that a manifest always speaks of a whole file.

    The journal is read from its first message, because the chain begins there.
    """
    _make_empty(order.folder)
    file = order.folder / f"journal.{order.format}"
    tally, writer = Tally(journal.account, order.first_seq), WRITERS[order.format](file)
    try:
        async for received in catch_up_raw(journal, 0, order.last_seq):
            if tally.take(received):
                writer.write(received, tally.chain.digest)
            on_message(received.seq)
    finally:
        writer.close()
    manifest = _manifest(journal.account, order, tally, file)
    write_private(order.folder / MANIFEST_NAME, msgspec.json.format(msgspec.json.encode(manifest)).decode() + "\n")
    return manifest


def _manifest(account: AccountId, order: Order, tally: Tally, file: Path) -> ExportManifest:
    unsigned = ExportManifest(
        account=account,
        file=file.name,
        format=order.format,
        first_seq=order.first_seq,
        last_seq=tally.chain.seq,
        count=max(tally.chain.seq - order.first_seq + 1, 0),
        start_digest=tally.start.digest.hex(),
        chain_head=tally.chain.digest.hex(),
        sha256=sha256_of(_pieces(file)),
        at=order.at,
        code_version=order.code_version,
    )
    return unsigned if order.signer is None else order.signer.sign(unsigned)


class ExportedJournal:
    """An exported journal, read as if it were on a server; made by `open_export`."""

    def __init__(self, folder: Path, manifest: ExportManifest, messages: Sequence[Received]) -> None:
        """Hold messages that were checked against their manifest."""
        self.account = manifest.account
        self.folder = folder
        self.manifest = manifest
        self.messages = messages

    async def read_raw(self, after: int = 0) -> AsyncGenerator[Received, None]:
        """Yield every message after a sequence, and end: nothing is ever added to an export."""
        if after > len(self.messages):
            raise JournalGapError(f"the export ends at {len(self.messages)}, before sequence {after}")
        for received in self.messages[after:]:
            yield received

    async def last_seq(self) -> int:
        """Give the sequence of the newest message."""
        return len(self.messages)


def read_manifest(folder: Path) -> ExportManifest:
    """Read what an export says of itself; raise `ExportFaultError` when there is nothing readable."""
    try:
        return msgspec.json.decode((folder / MANIFEST_NAME).read_bytes(), type=ExportManifest)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ExportFaultError(f"{folder} holds no readable {MANIFEST_NAME}: {error}") from error


def open_export(folder: Path, public_key: str | None, on_message: OnMessage) -> ExportedJournal:
    """Read a whole journal out of an export, and check all of it against its manifest.

    With a public key (hex) the manifest must be signed with it. Raises `ExportFaultError` when anything differs.
    """
    manifest = read_manifest(folder)
    _refuse_unusable(manifest, public_key)
    file = folder / manifest.file
    if not file.is_file() or sha256_of(_pieces(file)) != manifest.sha256:
        raise ExportFaultError(f"{file} is not the file of which its manifest speaks: it was changed or exchanged")
    messages: list[Received] = []
    chain = genesis(manifest.account)
    with file.open("rb") as lines:
        for line in lines:
            received = received_of(line.rstrip(b"\n"))
            chain = _linked(chain, received)
            messages.append(received)
            on_message(received.seq)
    if (len(messages), chain.seq, chain.digest.hex()) != (manifest.count, manifest.last_seq, manifest.chain_head):
        raise ExportFaultError(f"the messages in {file} do not give the chain that the manifest states")
    return ExportedJournal(folder, manifest, messages)


def _linked(chain: Chain, received: Received) -> Chain:
    try:
        return extend(chain, link(received))
    except ChainGapError as gap:
        raise ExportFaultError(f"the export has a hole: {gap}") from gap


def _refuse_unusable(manifest: ExportManifest, public_key: str | None) -> None:
    if manifest.format != Format.JSONL:
        raise ExportFaultError(
            f"an export as {manifest.format} is for analysis; only {Format.JSONL} can be read again"
        )
    if manifest.first_seq != 1:
        raise ExportFaultError(f"this export begins at {manifest.first_seq}: a journal is read from its beginning")
    if public_key is not None and not is_signed_by(manifest, public_key):
        raise ExportFaultError("the manifest is not signed with the trusted key")


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE_BYTES):
            yield piece


def _make_empty(folder: Path) -> None:
    folder.mkdir(mode=PRIVATE_DIRECTORY_MODE, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ExportFaultError(f"{folder} is not empty: name a folder that is, or one that is not there yet")
