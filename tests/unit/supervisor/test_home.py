"""A home: one supervisor at a time, private files, keys that stay."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from services.cli.instance import Instance, ProcessRecord, Urls, read_instance, supervisor_pid, write_instance
from services.runtime.clock import SystemClock
from services.runtime.settings import load_settings
from services.supervisor import household
from services.supervisor.homelock import HomeLock, HomeTakenError
from services.supervisor.leftovers import command_line, end_leftovers
from services.supervisor.options import Options, effective_environment, parse, settings_for
from services.supervisor.ports import PortTakenError, any_free, is_free, require_free
from services.supervisor.programs import PROCESSES, environment, process_program, simulator_program
from tests.nats_server import NatsServer


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home as the first start makes it."""
    household.make_folders(tmp_path / "home")
    return tmp_path / "home"


def prepared(home: Path, **environ: str) -> household.Household:
    return household.prepare(load_settings(home, environ))


def credentials(home: Path, name: str) -> dict[str, str]:
    return json.loads((home / "credentials" / f"{name}.json").read_text())


def test_participants_get_exactly_what_they_need(home: Path) -> None:
    prepared(home)
    wanted = {"account", "agent", "http_url", "api_key", "nats_url", "nkey_seed", "inbox_prefix"}
    assert set(credentials(home, "agent-demo")) == wanted
    assert set(credentials(home, "operator")) == wanted
    assert credentials(home, "agent-demo")["agent"] == "demo"
    assert credentials(home, "operator")["agent"] == "_operator"


def test_every_file_with_a_secret_is_private(home: Path) -> None:
    prepared(home)
    files = [path for path in (home / "credentials").rglob("*") if path.is_file()]
    assert len(files) == 12
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (home, home / "credentials")} == {0o700}


def test_a_later_start_on_other_ports_keeps_the_keys_and_moves_the_addresses(home: Path) -> None:
    prepared(home)
    before = credentials(home, "agent-demo")
    prepared(home, PORT="3111", LOCKGATE_NATS_PORT="4333")
    after = credentials(home, "agent-demo")
    assert after == before | {"http_url": "http://127.0.0.1:3111", "nats_url": "nats://127.0.0.1:4333"}


def test_the_simulator_keeps_its_address_and_keys(home: Path) -> None:
    first = prepared(home).simulator
    assert prepared(home).simulator == first


def test_no_simulator_is_prepared_when_alpaca_keys_are_set(home: Path) -> None:
    assert prepared(home, ALPACA_API_KEY="PK1", ALPACA_API_SECRET="x").simulator is None


def test_bearer_keys_are_stored_as_digests_and_foreign_ones_stay(home: Path) -> None:
    prepared(home)
    path = home / "credentials" / "api_keys.json"
    keys = json.loads(path.read_text())
    foreign = keys[0] | {"key_id": "mine", "subject": "person:ann"}
    path.write_text(json.dumps([*keys, foreign]))
    prepared(home, PORT="3111")
    assert [key["subject"] for key in json.loads(path.read_text())] == ["agent:demo", "operator", "person:ann"]
    assert credentials(home, "agent-demo")["api_key"].partition(".")[2] not in path.read_text()


def test_the_generated_configuration_is_one_the_server_accepts(home: Path, nats_server: NatsServer) -> None:
    config = prepared(home).nats_config
    binary = Path(sys.executable).parent / "nats-server"
    checked = subprocess.run([binary, "-t", "-c", config], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "sync_interval: always" in config.read_text()


def test_a_home_has_one_supervisor_at_a_time(home: Path) -> None:
    lock = HomeLock.take(home)
    with pytest.raises(HomeTakenError, match="already runs"):
        HomeLock.take(home)
    lock.release()
    HomeLock.take(home).release()


def test_a_lock_tells_who_holds_it_and_only_while_it_is_held(home: Path) -> None:
    assert supervisor_pid(home) is None
    holder = "import sys; from pathlib import Path; from services.supervisor.homelock import HomeLock\n"
    holder += "lock = HomeLock.take(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", holder, str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=household_root()) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert supervisor_pid(home) == process.pid
        process.kill()
    assert supervisor_pid(home) is None


def household_root() -> Path:
    return Path(__file__).parents[3]


def test_what_a_killed_supervisor_left_behind_is_ended_and_strangers_are_not(home: Path) -> None:
    ours = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", str(home)])
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        now = SystemClock().now()
        records = [ProcessRecord(name=n, pid=p.pid, started_at=now) for n, p in (("risk", ours), ("oms", stranger))]
        urls = Urls(http="h", openapi="o", nats="n")
        write_instance(
            Instance(
                pid=1,
                home=str(home),
                account="paper",
                mode="paper",
                broker="simulator",
                started_at=now,
                ready=True,
                urls=urls,
                processes=tuple(records),
            )
        )
        assert end_leftovers(home) == ["risk"]
        assert ours.wait(10) == -9
        assert stranger.poll() is None
    finally:
        for process in (ours, stranger):
            process.kill()
            process.wait()


def test_a_command_line_of_nobody_is_empty() -> None:
    assert command_line(2**22 + 1) == ""


def test_there_is_no_description_before_the_first_start(home: Path) -> None:
    assert read_instance(home) is None


def test_a_taken_port_is_named_with_its_option(nats_server: NatsServer) -> None:
    assert not is_free(nats_server.port)
    with pytest.raises(PortTakenError, match=rf"--nats-port {nats_server.port}"):
        require_free({"--nats-port": nats_server.port, "--http-port": any_free()})


def test_options_win_over_the_environment_and_nats_is_always_our_own(home: Path) -> None:
    options = Options(home=home, http_port=3555, nats_port=None, report_to=None)
    environ = {"PORT": "3000", "LOCKGATE_NATS_PORT": "4555", "LOCKGATE_NATS_URL": "nats://elsewhere:4222"}
    settings = settings_for(options, environ)
    assert (settings.http_port, settings.nats_port, settings.nats_url) == (3555, 4555, "nats://127.0.0.1:4555")
    assert effective_environment(options, environ)["PORT"] == "3555"


def test_the_home_comes_from_the_option_or_the_environment(tmp_path: Path) -> None:
    environ = {"LOCKGATE_HOME": str(tmp_path / "env")}
    assert parse([], environ).home == tmp_path / "env"
    assert parse(["--home", str(tmp_path / "given")], environ).home == tmp_path / "given"


def test_only_processes_that_speak_with_the_broker_are_told_its_keys(home: Path) -> None:
    environ = {"ALPACA_API_KEY": "PK1", "ALPACA_API_SECRET": "very secret", "PATH": "/bin"}
    settings = load_settings(home, environ)
    env = environment(settings, environ)
    programs = {name: process_program(name, settings, env) for name in PROCESSES}
    told = {name for name, program in programs.items() if "very secret" in program.env.values()}
    assert told == {"oms", "regime", "audit"}
    assert {load_settings(home, program.env).broker.source for program in programs.values()} == {"alpaca-paper"}


def test_no_secret_stands_on_a_command_line(home: Path) -> None:
    simulator = prepared(home).simulator
    assert simulator is not None
    program = simulator_program(home, simulator.port, simulator, {})
    assert simulator.secret_key not in " ".join(program.argv)
    assert simulator.secret_key in program.env.values()
