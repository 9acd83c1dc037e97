"""What the supervisor starts: command lines and environments, nothing else."""

import sys
from collections.abc import Mapping
from pathlib import Path

import services
from services.cli.credential_files import Simulator
from services.cli.nats_binary import nats_binary
from services.runtime.broker_settings import BrokerSource
from services.runtime.settings import Settings
from services.supervisor.child import Program

PROCESSES = ("gateway", "risk", "oms", "regime", "audit")
STOP_ORDER = ("gateway", "risk", "regime", "oms", "audit", "simulator", "nats")
SPEAKS_WITH_BROKER = frozenset({"oms", "regime", "audit"})
"""The processes that speak with the broker (audit only reads); no other is told its keys."""
WITHHELD = "withheld"
SIMULATOR_SOCKETS = "8"
BROKER_SECRETS = ("ALPACA_API_KEY", "ALPACA_API_SECRET")


def environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Give every process of ours the same view of home, ports and code, wherever `up` was called."""
    root = str(Path(next(iter(services.__path__))).parent)
    return {
        **environ,
        "PYTHONPATH": root,
        "PYTHONUNBUFFERED": "1",
        "LOCKGATE_HOME": str(settings.home),
        "LOCKGATE_NATS_URL": settings.nats_url,
        "LOCKGATE_NATS_PORT": str(settings.nats_port),
        "PORT": str(settings.http_port),
    }


def python_module(module: str, *arguments: str) -> tuple[str, ...]:
    """Run a module of ours; -P keeps the caller's folder from standing in for our packages."""
    return (sys.executable, "-P", "-m", module, *arguments)


def nats_program(config: Path, env: Mapping[str, str]) -> Program:
    """Start the server on its generated configuration."""
    return Program(name="nats", argv=(str(nats_binary()), "-c", str(config)), env=env)


def simulator_program(home: Path, port: int, keys: Simulator, env: Mapping[str, str]) -> Program:
    """Start the simulator; its keys go by environment, because anybody may read a command line."""
    secrets = {
        "LOCKGATE_SIM_KEY_ID": keys.key_id,
        "LOCKGATE_SIM_SECRET_KEY": keys.secret_key,
        "LOCKGATE_SIM_CONTROL_KEY": keys.control_key,
    }
    argv = python_module("services.simulator", "--port", str(port), "--data-dir", str(home / "simulator"))
    # Alpaca allows one socket of each kind, and ours hold them; here a person's own client may listen too.
    listeners = {"LOCKGATE_SIM_TRADE_STREAMS": SIMULATOR_SOCKETS, "LOCKGATE_SIM_DATA_STREAMS": SIMULATOR_SOCKETS}
    return Program(name="simulator", argv=argv, env=listeners | _without_secrets(env) | secrets)


def process_program(name: str, settings: Settings, env: Mapping[str, str]) -> Program:
    """Start one of the five processes, with the broker's keys only where they are needed."""
    argv = python_module(f"services.{name}", "--home", str(settings.home))
    if name in SPEAKS_WITH_BROKER or settings.broker.source is BrokerSource.SIMULATOR:
        return Program(name=name, argv=argv, env=env)
    # They still know which broker it is and whether real money moves, and a key in the settings file is masked too.
    return Program(name=name, argv=argv, env={**env, **dict.fromkeys(BROKER_SECRETS, WITHHELD)})


def _without_secrets(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name not in BROKER_SECRETS}
