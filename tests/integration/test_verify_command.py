"""`lockgate verify` and `lockgate import` against real servers: exit codes, and the sequence that is named."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.audit.checkpoint_files import CheckpointFiles
from services.audit.signing import public_key_path, signer_of
from services.cli.app import main
from services.cli.credential_files import Participant, operator_path
from services.runtime.keys import write_private
from services.runtime.nats_rights import ADMIN, OPERATOR_USER
from tests.integration.test_tampering import (
    Record,
    Tamper,
    cut_after_the_checkpoint,
    one_byte_changed,
    one_inserted,
    one_removed,
    rewritten_with_consistent_hashes,
    two_swapped,
)
from tests.nats_server import PAPER, NatsServer

pytestmark = pytest.mark.anyio
CLEAN, CORRUPT, CANNOT_RUN = 0, 1, 2
type Run = Callable[..., Any]


@pytest.fixture
async def record(own_nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[Record]:
    home, server = tmp_path / "home", own_nats_server
    operator = Participant(
        account=PAPER,
        agent="_operator",
        http_url="",
        api_key="",
        nats_url=server.url,
        nkey_seed=server.seeds[OPERATOR_USER],
        inbox_prefix=f"_INBOX_{OPERATOR_USER}",
    )
    write_private(operator_path(home), msgspec.json.encode(operator).decode())
    link = await server.connect()
    made = Record(link, PAPER, CheckpointFiles(home / "audit" / "checkpoints", PAPER), signer_of(home))
    await made.write()
    yield made
    await link.close()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("LOCKGATE_HOME", str(tmp_path / "home"))

    async def command(*words: str) -> tuple[int, str]:
        capsys.readouterr()  # what the notary of this test said
        code = await asyncio.to_thread(main, list(words))
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    return command


async def test_a_clean_journal_ends_in_0_and_says_how_far_it_is_signed(record: Record, run: Run):
    await record.notarize()
    code, shown = await run("verify")
    assert (code, "clean: 20 messages" in shown, "cover it up to 20" in shown) == (CLEAN, True, True), shown


@pytest.mark.parametrize(
    ("tamper", "bad_seq"),
    [(one_byte_changed, 8), (one_removed, 8), (two_swapped, 8), (one_inserted, 8), (cut_after_the_checkpoint, 20)],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_rebuilt_stream_ends_in_1_and_names_the_first_bad_sequence(
    record: Record, run: Run, tamper: Tamper, bad_seq: int
):
    await record.notarize()
    await record.rebuild(tamper(await record.messages()))
    code, shown = await run("verify", "--json")
    chain = json.loads(shown)["chain"]
    assert (code, chain["bad_seq"]) == (CORRUPT, bad_seq), shown
    code, shown = await run("verify", "--decisions")
    assert (code, f"CORRUPT at sequence {bad_seq}" in shown, "decided again" in shown) == (CORRUPT, True, False)


async def test_a_stream_rewritten_as_a_whole_ends_in_1_by_the_exported_checkpoints_alone(record: Record, run: Run):
    await record.notarize()
    await record.rebuild(rewritten_with_consistent_hashes(record, await record.messages()))
    code, shown = await run("verify")
    assert (code, "CORRUPT at sequence 8" in shown, "signed in checkpoint" in shown) == (CORRUPT, True, True), shown
    record.files.folder.rename(record.files.folder.with_name("gone"))
    assert (await run("verify"))[0] == CANNOT_RUN
    assert (await run("verify", "--unsigned"))[0] == CLEAN  # the journal alone cannot know
    code, _ = await run("verify", "--checkpoints", str(record.files.folder.with_name("gone")))
    assert code == CORRUPT


async def test_an_export_that_was_signed_is_held_against_the_checkpoints_of_its_time_only(
    record: Record, run: Run, tmp_path: Path
):
    await record.notarize()
    early, outside = tmp_path / "early", ("--checkpoints", str(record.files.folder))
    assert (await run("export", str(early), "--to", "15"))[0] == CLEAN
    code, shown = await run("verify", "--journal", str(early), *outside)
    assert (code, "clean: 15 messages" in shown, "2 signed checkpoints" in shown) == (CLEAN, True, True), shown
    manifest = msgspec.json.decode((early / "manifest.json").read_bytes())
    (early / "manifest.json").write_bytes(msgspec.json.encode(manifest | {"public_key": "", "signature": ""}))
    code, shown = await run("verify", "--journal", str(early), *outside)
    assert (code, "its tail was cut off" in shown) == (CORRUPT, True), shown


async def test_without_a_server_or_a_checkpoint_it_cannot_be_said(
    record: Record, run: Run, own_nats_server: NatsServer
):
    assert (await run("verify"))[0] == CANNOT_RUN  # nothing is signed yet
    await record.notarize()
    assert (await run("verify"))[0] == CLEAN
    own_nats_server.kill()
    code, shown = await run("verify")
    assert (code, "nothing listens at" in shown) == (CANNOT_RUN, True)


async def test_an_export_goes_into_an_empty_server_and_into_no_other(
    record: Record, run: Run, own_nats_server: NatsServer, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
):
    await record.notarize()
    assert (await run("export", str(tmp_path / "x")))[0] == CLEAN
    other = NatsServer(tmp_path_factory.mktemp("other-nats"))
    other.start()
    seed = tmp_path / "seed"
    seed.write_text(other.seeds[ADMIN] + "\n")
    there = ("--nats-url", other.url, "--nats-seed", str(seed))
    try:
        code, shown = await run("import", str(tmp_path / "x"), *there)
        assert (code, "imported 20 messages of account paper" in shown) == (CLEAN, True), shown
        link = await other.connect()
        carried = Record(link, PAPER, record.files, record.signer)
        assert (await carried.verdict()).is_clean  # the checkpoints of the first server prove the second
        await link.close()
        code, shown = await run("import", str(tmp_path / "x"), *there)
        assert (code, "has 20 events already" in shown) == (CORRUPT, True)
    finally:
        other.kill()


async def test_a_wrong_key_imports_nothing(record: Record, run: Run, tmp_path: Path):
    await run("export", str(tmp_path / "x"))
    signer_of(tmp_path / "other")
    code, shown = await run(
        "import",
        str(tmp_path / "x"),
        "--public-key",
        str(public_key_path(tmp_path / "other")),
        "--home",
        str(tmp_path),
    )
    assert (code, "not signed with the trusted key" in shown) == (CORRUPT, True)
    assert not (tmp_path / "nats").exists()
