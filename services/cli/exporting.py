"""`lockgate export` and `lockgate import`: the journal as a file, and back into an empty server elsewhere."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from nats.errors import Error as NatsError

from contracts.audit import ExportManifest
from services.audit.export import ExportFaultError, Format
from services.audit.exported import ExportedJournal, Order, write_export
from services.audit.importing import NotEmptyError, carry
from services.audit.signing import KeyFaultError, Signer, key_path, signer_of
from services.cli.empty_server import EmptyServerError, own_server
from services.cli.instance import running_instance
from services.cli.outcome import OK, CommandError, UsageError
from services.cli.points import Stretch, is_past, stretch_of
from services.cli.progress import progress
from services.cli.source import HERE, Source, events_of, opened
from services.cli.terminal import AsJson, Home, as_it_is, chosen_home, say, say_json
from services.runtime.clock import SystemClock
from services.runtime.connection import Connection, connect
from services.runtime.nats_rights import ADMIN
from services.runtime.ports import JournalUnavailableError, RawJournal
from services.runtime.settings import load_settings
from services.runtime.topology import TopologyDriftError

ASKED_MAX = 100
ASK_EVERY_S = 0.1
_REASONS = (
    NotEmptyError,
    ExportFaultError,
    TopologyDriftError,
    EmptyServerError,
    JournalUnavailableError,
    NatsError,
    OSError,
)
As = Annotated[Format, Parameter(name="--format", name_transform=as_it_is)]


def export(
    folder: Path,
    /,
    *,
    format_: As = Format.JSONL,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    to: Annotated[str | None, Parameter(name="--to")] = None,
    source: Source = HERE,
    as_json: AsJson = False,
) -> int:
    """Write the journal to a folder: one file, and a signed manifest with its sequences, count and chain head.

    JSON Lines hold every message byte for byte, and every reading command takes such a folder with `--journal`;
    CSV and Parquet are for analysis. Whoever has the public key can prove that the file is what was exported.

    ```
    lockgate export /tmp/monday
    lockgate export /tmp/fills --format parquet --from 2026-11-23 --to 2026-11-24
    lockgate verify --journal /tmp/monday --decisions
    ```

    Args:
        folder: A folder that is empty or not there yet.
        format_: jsonl, csv or parquet (which needs pyarrow).
        from_: Begin at this sequence or time.
        to: End at this sequence or time.
        source: The journal to export.
        as_json: Print the manifest as JSON.
    """
    manifest = asyncio.run(_export(source, folder, format_, stretch_of(from_, to)))
    if as_json:
        say_json(manifest)
        return OK
    signed = "signed" if manifest.signature else "NOT signed (this home has no key)"
    say(
        f"exported {manifest.count} messages ({manifest.first_seq} to {manifest.last_seq}) of account "
        f"{manifest.account} to {folder / manifest.file}, chain head {manifest.chain_head}, {signed}"
    )
    return OK


async def _export(source: Source, folder: Path, kind: Format, stretch: Stretch) -> ExportManifest:
    async with opened(source) as journal:
        first_seq, last_seq = await _ends(journal, stretch)
        order = Order(
            folder=folder,
            format=kind,
            first_seq=first_seq,
            last_seq=last_seq,
            at=SystemClock().now(),
            code_version=load_settings(source.folder).code_version,
            signer=_signer(source),
        )
        try:
            with progress(f"exporting {kind}", last_seq) as shown:
                return await write_export(journal, order, shown.at)
        except (ExportFaultError, OSError) as error:
            raise CommandError(str(error)) from error


async def _ends(journal: RawJournal, stretch: Stretch) -> tuple[int, int]:
    """Turn both ends into sequences that are there."""
    end_seq = await journal.last_seq()
    first, last = stretch.first or 1, end_seq if stretch.last is None else stretch.last
    if not (isinstance(first, int) and isinstance(last, int)):
        first, last = await _by_time(journal, stretch)
    last = min(last, end_seq)
    if not 1 <= first <= last:
        raise UsageError(
            f"there is nothing from {stretch.first or 1} to {stretch.last or end_seq}: it ends at {end_seq}"
        )
    return first, last


async def _by_time(journal: RawJournal, stretch: Stretch) -> tuple[int, int]:
    first_seq, last_seq = 0, 0
    async for told in events_of(journal, "looking for the stretch"):
        if stretch.last is not None and is_past(stretch.last, told.seq, told.event):
            break
        if not first_seq and stretch.has_begun(told.seq, told.event):
            first_seq = told.seq
        last_seq = told.seq
    return first_seq, last_seq


def _signer(source: Source) -> Signer | None:
    """Give the home's key; a home that never ran has none, and none is made for an export."""
    if not key_path(source.folder).exists():
        return None
    try:
        return signer_of(source.folder)
    except KeyFaultError as fault:
        raise CommandError(str(fault)) from fault


def import_(
    folder: Path,
    /,
    *,
    public_key: Annotated[str | None, Parameter(name="--public-key")] = None,
    nats_url: Annotated[str | None, Parameter(name="--nats-url")] = None,
    nats_seed: Annotated[Path | None, Parameter(name="--nats-seed")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Carry an exported journal into an empty server, for work on another machine.

    The manifest, its signature and every message are checked first, the server's own chain afterwards. Without
    `--nats-url` the journal goes into a home on which nothing runs, so that `lockgate up` then stands on it.
    A journal that has a single event already is never touched.

    ```
    lockgate import /tmp/monday --public-key checkpoint.pub --home /tmp/elsewhere
    lockgate import /tmp/monday --public-key checkpoint.pub --nats-url nats://127.0.0.1:4333
    ```

    Args:
        folder: The folder that `lockgate export` wrote, as jsonl.
        public_key: The key to trust (a file, or hex); the home's own when left out.
        nats_url: An empty NATS server to import into, instead of the home's.
        nats_seed: A file with the seed of that server's admin, if it wants one.
        home: The home to import into, or whose key to trust.
        as_json: Print the manifest as JSON.
    """
    source = Source(home=home, journal=folder, public_key=public_key)
    manifest = asyncio.run(_import(source, _Target(chosen_home(home), nats_url, nats_seed)))
    if as_json:
        say_json(manifest)
        return OK
    say(f"imported {manifest.count} messages of account {manifest.account}, chain head {manifest.chain_head}")
    if nats_url is None and load_settings(chosen_home(home)).account != manifest.account:
        say(f"this home is set to another account: start it with LOCKGATE_ACCOUNT={manifest.account}")
    return OK


class _Target:
    """Where to import to."""

    def __init__(self, home: Path, url: str | None, seed: Path | None) -> None:
        self._home = home
        self._url = url
        self._seed = seed

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[Connection, None]:
        """Connect as somebody who may make streams; start the home's own server for this when no other is named."""
        if self._url is not None:
            seed = None if self._seed is None else self._seed.read_text().strip()
            async with _linked(self._url, seed) as link:
                yield link
            return
        if running_instance(self._home) is not None:
            raise UsageError(f"something runs on {self._home}: import into a home of its own, or name --nats-url")
        async with own_server(self._home) as (url, seed), _linked(url, seed) as link:
            yield link


@asynccontextmanager
async def _linked(url: str, seed: str | None) -> AsyncGenerator[Connection, None]:
    link = await connect(url, ADMIN, seed, reconnect=False)
    try:
        await _until_jetstream_answers(link)
        yield link
    finally:
        await link.close()


async def _until_jetstream_answers(link: Connection) -> None:
    """Wait for the streams: a server takes connections a moment before it serves them."""
    failure: Exception | None = None
    for _ in range(ASKED_MAX):
        try:
            await link.jetstream().account_info()
        except NatsError as error:
            failure = error
            await asyncio.sleep(ASK_EVERY_S)
        else:
            return
    raise JournalUnavailableError(f"JetStream does not answer: {failure!r}")


def _left_behind(error: Exception) -> str:
    """Say what to do about a journal that was begun."""
    broken_off = isinstance(error, JournalUnavailableError | NatsError | OSError)
    return "; if part of it is there, remove that home or stream and begin anew" if broken_off else ""


async def _import(source: Source, target: _Target) -> ExportManifest:
    async with opened(source) as journal:
        if not isinstance(journal, ExportedJournal):
            raise UsageError("an import needs an export")
        try:
            async with target.connected() as link:
                with progress("importing and reading back", 2 * len(journal.messages)) as shown:
                    await carry(link, journal, shown.at)
        except _REASONS as error:
            raise CommandError(f"not imported: {error}{_left_behind(error)}") from error
    return journal.manifest
