"""One process from start to end: readiness, signals, takeover, and the exit codes its supervisor acts on."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts import subjects
from contracts.enums import Role
from services.runtime.jetstream import JetStreamJournal
from services.runtime.keys import write_private
from tests.nats_server import PAPER, NatsServer
from tests.waiting import WAIT_S_MAX, until

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]

WRITER = """
from contracts.enums import Role
from services.runtime.lease import hold_right_to_write
from services.runtime.process import run

async def serve(runtime):
    lease = await hold_right_to_write(runtime, Role.RISK)
    runtime.report(last_seq=await runtime.journal.last_seq())
    runtime.mark_ready()
    await runtime.stopping.wait()

run("risk", serve)
"""
READER = """
from services.runtime.process import run

async def serve(runtime):
    runtime.mark_ready()
    async for recorded in runtime.journal.read():
        runtime.report(last_seq=recorded.seq)

run("audit", serve)
"""
COUNTING = """
from itertools import count
from services.runtime.process import run

async def serve(runtime):
    asked = count()
    runtime.freshly(lambda: {"asked": next(asked)})
    runtime.mark_ready()
    await runtime.stopping.wait()

run("audit", serve)
"""
FAILING = """
import asyncio
from services.runtime.ports import JournalUnavailableError, LeaseLostError
from services.runtime.process import run

async def fail(error):
    raise error

async def serve(runtime):
    async with asyncio.TaskGroup() as group:
        for error in ({errors}):
            group.create_task(fail(error))

run("risk", serve)
"""


class Homes:
    """Starts processes in one home folder and ends all of them."""

    def __init__(self, server: NatsServer, home: Path) -> None:
        self.home = home
        self.started: list[subprocess.Popen[bytes]] = []
        self.environ = os.environ | {
            "LOCKGATE_NATS_PORT": str(server.port),
            "PYTHONPATH": str(ROOT),
            "LOG_FORMAT": "json",
        }
        for name, seed in server.seeds.items():
            write_private(home / "credentials" / "processes" / f"{name}.seed", seed)

    def start(self, code: str, **environ: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", code, "--home", str(self.home)]
        process = subprocess.Popen(command, cwd=ROOT, env=self.environ | environ, stderr=subprocess.PIPE)
        self.started.append(process)
        return process


@pytest.fixture
def homes(own_nats_server: NatsServer, tmp_path: Path) -> Iterator[Homes]:
    opened = Homes(own_nats_server, tmp_path / "home")
    yield opened
    for process in opened.started:
        process.kill()
        process.wait()
        process.stderr.close()


async def exit_of(process: subprocess.Popen[bytes]) -> tuple[int, list[dict]]:
    """Wait for the end; give the exit code and the log lines."""
    _, log = await asyncio.wait_for(asyncio.to_thread(process.communicate), WAIT_S_MAX)
    return process.returncode, [json.loads(line) for line in log.splitlines() if line.startswith(b"{")]


class Stats:
    """What a process says of itself when the operator asks."""

    def __init__(self, server: NatsServer, name: str) -> None:
        self.server, self.name = server, name

    async def of(self, process: subprocess.Popen[bytes], state: str = "ready") -> dict:
        """Ask until this very process answers in this state."""
        operator = await self.server.connect("operator")
        answers: list[dict] = []

        async def hear(message) -> None:
            answers.append(json.loads(message.data))

        inbox = operator.new_inbox()
        await operator.subscribe(inbox, cb=hear)

        def answered() -> bool:
            operator.publish_now(f"$SRV.STATS.{self.name}", b"", reply=inbox)
            return any(a["metadata"]["pid"] == str(process.pid) and a["metadata"]["state"] == state for a in answers)

        await until(answered)
        await operator.close()
        return next(a for a in reversed(answers) if a["metadata"]["pid"] == str(process.pid))


async def test_a_signal_ends_a_writer_cleanly_and_gives_its_lease_back(homes, own_nats_server):
    stats = Stats(own_nats_server, "risk")
    first = homes.start(WRITER)
    answer = await stats.of(first)
    assert answer["data"] == {"epoch": 1, "last_seq": 1}
    assert answer["metadata"]["account"] == "paper"
    first.terminate()
    assert (await exit_of(first))[0] == 0
    second = homes.start(WRITER)
    assert (await stats.of(second))["data"]["epoch"] == 2


async def test_figures_are_asked_for_when_health_is(homes, own_nats_server):
    counting = homes.start(COUNTING)
    first, second = [(await Stats(own_nats_server, "audit").of(counting))["data"]["asked"] for _ in range(2)]
    assert first < second


async def test_a_standby_waits_and_takes_over_from_a_killed_writer(homes, own_nats_server):
    stats = Stats(own_nats_server, "risk")
    first = homes.start(WRITER)
    await stats.of(first)
    standby = homes.start(WRITER)
    await stats.of(standby, state="starting")
    first.kill()
    assert (await stats.of(standby))["data"]["epoch"] == 2


async def test_a_standby_ends_at_once_when_told(homes, own_nats_server):
    stats = Stats(own_nats_server, "risk")
    await stats.of(homes.start(WRITER))
    standby = homes.start(WRITER)
    await stats.of(standby, state="starting")
    standby.terminate()
    code, log = await exit_of(standby)
    assert (code, [line["event"] for line in log]) == (0, ["waiting for the lease", "stopped"])


async def test_a_writer_whose_lease_is_taken_ends_to_be_restarted(homes, own_nats_server):
    writer = homes.start(WRITER)
    await Stats(own_nats_server, "risk").of(writer)
    admin = await own_nats_server.connect()
    await admin.jetstream().publish(f"$KV.{subjects.LEASES_BUCKET}.risk.{PAPER}", b"elsewhere/1/1")
    code, log = await exit_of(writer)
    await admin.close()
    assert code == 75
    assert log[-1]["reason"] == "LeaseLostError"


async def test_a_writer_ends_with_its_link_and_a_reader_lives_on(homes, own_nats_server):
    writer, reader = homes.start(WRITER), homes.start(READER)
    await Stats(own_nats_server, "risk").of(writer)
    await Stats(own_nats_server, "audit").of(reader)
    own_nats_server.kill()
    code, log = await exit_of(writer)
    assert (code, log[-1]["event"]) == (75, "must restart")
    await asyncio.to_thread(own_nats_server.start)
    await own_nats_server.ensure()
    again = homes.start(WRITER)
    await Stats(own_nats_server, "risk").of(again)
    admin = await own_nats_server.connect()
    last_seq = await JetStreamJournal(admin, PAPER).last_seq()
    assert last_seq == 2
    stats = Stats(own_nats_server, "audit")
    answer = await stats.of(reader)
    while answer["data"].get("last_seq") != last_seq:
        answer = await stats.of(reader)
    await admin.close()


async def test_a_serve_that_does_not_hear_the_signal_is_cancelled_in_time(homes, own_nats_server):
    reader = homes.start(READER)
    await Stats(own_nats_server, "audit").of(reader)
    reader.terminate()
    assert (await exit_of(reader))[0] == 0


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ("JournalUnavailableError('gone'),", 75),
        ("JournalUnavailableError('gone'), LeaseLostError('taken')", 75),
        ("JournalUnavailableError('gone'), ZeroDivisionError('a bug')", 1),
        ("ZeroDivisionError('a bug'),", 1),
    ],
)
async def test_the_exit_code_says_whether_a_restart_is_the_cure(homes, errors, code):
    assert (await exit_of(homes.start(FAILING.replace("{errors}", errors))))[0] == code


async def test_bad_settings_end_a_process_before_it_begins_and_name_the_variable(homes):
    process = homes.start(WRITER, MAX_DAILY_LOSS="plenty")
    _, log = await asyncio.to_thread(process.communicate)
    assert process.returncode == 2
    assert b"MAX_DAILY_LOSS is 'plenty'" in log


async def test_a_missing_seed_is_a_bad_setting(homes):
    (homes.home / "credentials" / "processes" / "risk.seed").unlink()
    assert (await exit_of(homes.start(WRITER)))[0] == 2


async def test_the_epoch_of_a_writer_stands_in_the_journal_before_it_is_ready(homes, own_nats_server):
    writer = homes.start(WRITER)
    await Stats(own_nats_server, "risk").of(writer)
    admin = await own_nats_server.connect()
    last = await JetStreamJournal(admin, PAPER).last_on(subjects.epoch(PAPER, Role.RISK))
    assert last.event.owner.split("/")[1] == str(writer.pid)
    await admin.close()
