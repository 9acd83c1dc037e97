"""Where a reading command gets its journal: from a running instance, or from an export on the disk."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from contracts.codec import JournalEvent, UndecodableError, decode_event
from contracts.ids import AccountId
from projections.fence import OPEN_FENCE, admits, raise_fence
from services.audit.export import ExportFaultError
from services.audit.exported import open_export, read_manifest
from services.audit.signing import KeyFaultError, trusted_key
from services.cli.link import linked, operator_at
from services.cli.outcome import CommandError
from services.cli.progress import progress
from services.cli.terminal import chosen_home
from services.runtime.jetstream import JetStreamJournal
from services.runtime.ports import JournalGapError, RawJournal, Received
from services.runtime.reading import catch_up_raw


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Source:
    """The journal to read."""

    home: Annotated[
        Path | None,
        Parameter(name="--home", help="The instance's folder; LOCKGATE_HOME or ~/.lockgate when left out."),
    ] = None
    journal: Annotated[
        Path | None,
        Parameter(name="--journal", help="Read this export instead of a running instance."),
    ] = None
    public_key: Annotated[
        str | None,
        Parameter(name="--public-key", help="Trust this key (a file, or hex) instead of the home's own."),
    ] = None

    @property
    def folder(self) -> Path:
        """Give the instance's folder."""
        return chosen_home(self.home)


HERE = Source()


@asynccontextmanager
async def opened(source: Source) -> AsyncGenerator[RawJournal, None]:
    """Open the journal; raise `CommandError` saying why it cannot be read."""
    if source.journal is not None:
        yield _exported(source, source.journal)
        return
    who = operator_at(source.folder)
    async with linked(who, reconnect=True) as link:
        yield JetStreamJournal(link, AccountId(who.account))


def _exported(source: Source, folder: Path) -> RawJournal:
    try:
        manifest = read_manifest(folder)
        public_key = trusted_key(source.public_key, source.folder) if manifest.signature else None
        with progress("checking the export", manifest.count) as shown:
            return open_export(folder, public_key, shown.at)
    except (ExportFaultError, KeyFaultError) as fault:
        raise CommandError(str(fault)) from fault


@dataclass(frozen=True, slots=True)
class Told:
    """One journal event with its place; `admitted` is false for what a writer wrote after it had lost its right."""

    received: Received
    event: JournalEvent
    admitted: bool

    @property
    def seq(self) -> int:
        """Give its sequence."""
        return self.received.seq


async def events_of(journal: RawJournal, what: str) -> AsyncGenerator[Told, None]:
    """Yield every event there is now, with a bar when that takes long; raise `CommandError` on a broken journal."""
    last_seq = await journal.last_seq()
    fence = OPEN_FENCE
    with progress(what, last_seq) as shown:
        try:
            async for received in catch_up_raw(journal, 0, last_seq):
                event = _decoded(received)
                admitted = admits(fence, event)
                fence = raise_fence(fence, event) if admitted else fence
                yield Told(received, event, admitted)
                shown.at(received.seq)
        except JournalGapError as gap:
            raise CommandError(f"the journal has a hole: {gap}; see `lockgate verify`") from gap


def _decoded(received: Received) -> JournalEvent:
    try:
        return decode_event(received.body)
    except UndecodableError as error:
        raise CommandError(f"journal message {received.seq} is no event: {error}; see `lockgate verify`") from error
