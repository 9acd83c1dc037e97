"""The audit process signs what the journal becomes, whatever happens to it in between."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.audit.checkpoint_files import CheckpointFiles
from services.audit.checkpoints import check
from services.audit.signing import signer_of
from services.audit.verification import verify
from services.runtime.jetstream import JetStreamJournal
from tests.integration.test_audit_process import EXIT_CLEAN, AuditHome, stop, write_day, write_many
from tests.nats_server import PAPER, NatsServer
from tests.story_events import resume
from tests.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def home(own_nats_server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AuditHome]:
    monkeypatch.setenv("LOCKGATE_CHECKPOINT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("LOCKGATE_CHECKPOINT_EVERY_MS", "100")
    made = AuditHome(own_nats_server, tmp_path / "home")
    yield made
    made.end()


@pytest.fixture
async def journal(home: AuditHome) -> AsyncIterator[JetStreamJournal]:
    connection = await home.server.connect(reconnect=True)
    yield JetStreamJournal(connection, PAPER)
    await connection.close()


async def test_an_audit_killed_again_and_again_leaves_one_row_of_checkpoints_without_a_hole(
    home: AuditHome, journal: JetStreamJournal, tmp_path: Path
):
    await write_day(journal)
    files = CheckpointFiles(tmp_path / "elsewhere", PAPER)
    for _ in range(3):
        process, before = home.start(), len(files.all())
        await write_many(journal, 500)
        await until(lambda before=before: len(files.all()) > before)
        process.kill()
        process.wait()
    was_ready = times_ready(home)
    process = home.start()
    await until(lambda: times_ready(home) > was_ready)
    await journal.append(*resume())
    assert await stop(process) == EXIT_CLEAN
    row = files.all()
    check(row, PAPER, signer_of(home.home).public_key)
    assert [one.number for one in row] == list(range(1, len(row) + 1))
    verdict = await verify(journal, None, row)
    assert verdict.is_clean
    assert verdict.signed_upto_seq == await journal.last_seq()  # also what came last, right before the end


def times_ready(home: AuditHome) -> int:
    return sum('"ready"' in line for line in home.log().splitlines())
