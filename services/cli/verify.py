"""`lockgate verify`: proves that nobody changed the record, and that every decision comes out as it stands."""

import asyncio
import contextlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from contracts.audit import SignedCheckpoint
from projections.sql.database import DatabaseUnavailableError, Reader
from services.audit.checkpoint_files import CheckpointFiles
from services.audit.checkpoints import CheckpointFaultError, check
from services.audit.exported import ExportedJournal
from services.audit.location import read_models_of
from services.audit.signing import KeyFaultError, trusted_key
from services.audit.verification import Verdict
from services.audit.verification import verify as verify_journal
from services.cli.decision_proof import DecisionProof, prove_decisions, told_of
from services.cli.outcome import FAILED, OK, CommandError, UsageError
from services.cli.progress import progress
from services.cli.source import HERE, Source, opened
from services.cli.terminal import AsJson, console, say_json
from services.runtime.ports import RawJournal
from services.runtime.setting_values import SettingsError
from services.runtime.settings import Settings, load_settings

CANNOT_RUN = 2


class CannotVerifyError(CommandError):
    """Nothing was proved and nothing disproved."""

    exit_code = CANNOT_RUN


def verify(
    *,
    decisions: Annotated[bool, Parameter(negative="")] = False,
    checkpoints: Annotated[Path | None, Parameter(name="--checkpoints")] = None,
    unsigned: Annotated[bool, Parameter(negative="")] = False,
    source: Source = HERE,
    as_json: AsJson = False,
) -> int:
    """Prove that nobody changed the journal; with `--decisions` also that every decision follows from it.

    The hash chain is computed again from the first message and held against signed checkpoints and the trail. The
    exit code is 0 when all agrees, 1 when something was changed (the first bad sequence is named), 2 when it cannot
    be said, for example because no checkpoint is there.

    ```
    lockgate verify
    lockgate verify --checkpoints /mnt/elsewhere/checkpoints --public-key /mnt/elsewhere/checkpoint.pub
    lockgate verify --decisions --json
    ```

    Args:
        decisions: Decide every intent again from the journal alone, and compare bytes.
        checkpoints: Hold the journal against the signed checkpoints in this folder; the home's own when left out.
        unsigned: Go on without signed checkpoints; then a journal that was rewritten as a whole looks clean.
        source: The journal to verify.
        as_json: Print JSON for programs.
    """
    try:
        return asyncio.run(
            _verify(source, _Asked(decisions=decisions, checkpoints=checkpoints, unsigned=unsigned), as_json=as_json)
        )
    except CannotVerifyError:
        raise
    except CommandError as error:
        raise CannotVerifyError(f"cannot verify: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is to be proved, and against what."""

    decisions: bool
    checkpoints: Path | None
    unsigned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was found; `signed_manifest` when the journal is an export that vouches for itself."""

    clean: bool
    signed_manifest: bool
    chain: Verdict
    decisions: DecisionProof | None


async def _verify(source: Source, asked: _Asked, *, as_json: bool) -> int:
    async with opened(source) as journal:
        verdict = await _chain(journal, source, asked)
        decided = await _decisions(journal, source) if asked.decisions and verdict.is_clean else None
        clean = verdict.is_clean and (decided is None or decided.holds)
        proof = Proof(clean=clean, signed_manifest=_vouched(journal), chain=verdict, decisions=decided)
    if as_json:
        say_json(proof)
    else:
        _tell(proof)
    return OK if proof.clean else FAILED


def _vouched(journal: RawJournal) -> bool:
    return isinstance(journal, ExportedJournal) and bool(journal.manifest.signature)


async def _chain(journal: RawJournal, source: Source, asked: _Asked) -> Verdict:
    try:
        signed = _signed(journal, source, asked)
    except CheckpointFaultError as fault:
        return Verdict(events=0, checkpoints=0, digest="", bad_seq=fault.seq, fault=str(fault))
    with _trail(source) as trail, progress("verifying the chain", await journal.last_seq()) as shown:
        return await verify_journal(journal, trail, signed, shown.at)


def _signed(journal: RawJournal, source: Source, asked: _Asked) -> list[SignedCheckpoint]:
    """Read the checkpoints and judge them by themselves; an export vouches for itself by its signed manifest."""
    folder = asked.checkpoints or (None if source.journal else _settings(source).checkpoint_dir)
    signed = [] if folder is None else CheckpointFiles(folder, journal.account).all()
    if signed:
        try:
            check(signed, journal.account, trusted_key(source.public_key, source.folder))
        except KeyFaultError as fault:
            raise CannotVerifyError(f"cannot verify: {fault}") from fault
    elif not (asked.unsigned or _vouched(journal)):
        raise CannotVerifyError(
            f"cannot verify: no signed checkpoint of account {journal.account} in {folder}, and the chain alone "
            "cannot tell a journal that was rewritten as a whole (to compute it all the same, add --unsigned)"
        )
    if isinstance(journal, ExportedJournal) and _vouched(journal):
        end_seq = journal.manifest.last_seq  # signed as the end: later checkpoints tell of what came after
        return [one for one in signed if one.upto_seq <= end_seq]
    return signed


@contextlib.contextmanager
def _trail(source: Source) -> Generator[Reader | None, None, None]:
    """Open the trail where there is one; it knows every message's digest."""
    try:
        reader = None if source.journal is not None else read_models_of(_settings(source)).open_reader()
    except FileNotFoundError:
        reader = None
    except DatabaseUnavailableError as error:
        raise CannotVerifyError(f"cannot verify: {error}") from error
    try:
        yield reader
    finally:
        if reader is not None:
            reader.close()


def _settings(source: Source) -> Settings:
    try:
        return load_settings(source.folder)
    except SettingsError as error:
        raise UsageError(str(error)) from error


async def _decisions(journal: RawJournal, source: Source) -> DecisionProof:
    return await prove_decisions(journal, _settings(source).code_version)


def _tell(proof: Proof) -> None:
    terminal = console()
    for text, style in (*_chain_told(proof), *(() if proof.decisions is None else told_of(proof.decisions))):
        terminal.tell(text, style)


def _chain_told(proof: Proof) -> Iterator[tuple[str, str]]:
    verdict = proof.chain
    if not verdict.is_clean:
        yield f"CORRUPT at sequence {verdict.bad_seq}: {verdict.fault}", "bold red"
        if verdict.events:
            yield f"  {verdict.events} messages were read; what stands before it agrees", ""
        return
    yield f"clean: {verdict.events} messages, chain {verdict.digest}", "green"
    if proof.signed_manifest:
        yield "  it is what was exported: the manifest is signed and fits", "green"
    if verdict.signed_checkpoints:
        outside = f"{verdict.signed_checkpoints} signed checkpoints cover it up to {verdict.signed_upto_seq}"
        yield f"  {outside}, {verdict.checkpoints} inside the journal agree", ""
    bare = 0 if proof.signed_manifest else verdict.events - verdict.signed_upto_seq
    if bare:
        yield f"  the last {bare} are not signed yet", "yellow"
