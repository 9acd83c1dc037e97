"""Prepares the home folder: private directories, keys made once, credentials and configuration for this start."""

import secrets
from dataclasses import dataclass
from pathlib import Path

import msgspec

from contracts.ids import OPERATOR
from services.audit.signing import signer_of
from services.cli.credential_files import (
    Participant,
    Simulator,
    agent_path,
    api_keys_path,
    operator_path,
    simulator_path,
)
from services.runtime.broker_settings import BrokerSource
from services.runtime.keys import PRIVATE_DIRECTORY_MODE, public_key, seed_at, write_private
from services.runtime.nats_config import AgentUser, ServerPlan, server_config
from services.runtime.nats_rights import ADMIN, OPERATOR_USER, PROCESSES
from services.runtime.settings import Settings
from services.supervisor import credentials, ports
from services.supervisor.credentials import AGENT_SCOPES, DEMO, OPERATOR_SCOPES

FOLDERS = ("nats", "nats/store", "simulator", "audit", "credentials", "credentials/processes", "run", "logs")


@dataclass(frozen=True, slots=True)
class Household:
    """What was prepared and the supervisor needs to know."""

    nats_config: Path
    admin_seed: str
    simulator: Simulator | None


def make_folders(home: Path) -> None:
    """Make the home and its folders, for their owner only."""
    home.mkdir(mode=PRIVATE_DIRECTORY_MODE, parents=True, exist_ok=True)
    home.chmod(PRIVATE_DIRECTORY_MODE)
    for name in FOLDERS:
        (home / name).mkdir(mode=PRIVATE_DIRECTORY_MODE, exist_ok=True)


def prepare(settings: Settings) -> Household:
    """Bring keys, credentials and the server's configuration up to date with these settings."""
    seeds = {name: seed_at(settings.seed_path(name)) for name in (ADMIN, *PROCESSES)}
    demo, operator = _participants(settings)
    signer_of(settings.home)  # the checkpoints' key is there before anything runs
    config = settings.home / "nats" / "nats.conf"
    plan = ServerPlan(
        port=settings.nats_port,
        store_dir=settings.home / "nats" / "store",
        accounts=[settings.account],
        users={**{n: public_key(s) for n, s in seeds.items()}, OPERATOR_USER: public_key(operator.nkey_seed)},
        agents=[AgentUser(settings.account, DEMO, public_key(demo.nkey_seed))],
    )
    write_private(config, server_config(plan))
    simulated = settings.broker.source is BrokerSource.SIMULATOR
    return Household(config, seeds[ADMIN], _simulator(settings.home) if simulated else None)


def _participants(settings: Settings) -> tuple[Participant, Participant]:
    home, account = settings.home, settings.account
    urls = (http_url(settings), settings.nats_url)
    demo = credentials.participant(agent_path(home, DEMO), DEMO, DEMO, account=account, urls=urls)
    operator = credentials.participant(operator_path(home), OPERATOR_USER, OPERATOR, account=account, urls=urls)
    scopes = {f"agent:{DEMO}": (demo, AGENT_SCOPES), OPERATOR_USER: (operator, OPERATOR_SCOPES)}
    credentials.accept(api_keys_path(home), scopes)
    return demo, operator


def _simulator(home: Path) -> Simulator:
    """Keep the simulator's keys, and its port while it is free, so that its address stays the same."""
    path = simulator_path(home)
    known = msgspec.json.decode(path.read_bytes(), type=Simulator) if path.exists() else None
    port = known.port if known and ports.is_free(known.port) else ports.any_free()
    base, sockets = f"http://{ports.LOOPBACK}:{port}", f"ws://{ports.LOOPBACK}:{port}"
    current = Simulator(
        base_url=base,
        data_url=base,
        stream_url=f"{sockets}/stream",
        data_stream_url=f"{sockets}/v2/iex",
        key_id=known.key_id if known else f"PKSIM{secrets.token_hex(8).upper()}",
        secret_key=known.secret_key if known else secrets.token_urlsafe(30),
        control_url=f"{base}/control",
        control_key=known.control_key if known else secrets.token_urlsafe(24),
    )
    if current != known:
        credentials.write_json(path, current)
    return current


def http_url(settings: Settings) -> str:
    """Say where the gateway listens."""
    return f"http://{ports.LOOPBACK}:{settings.http_port}"
