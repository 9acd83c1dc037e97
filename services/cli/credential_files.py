"""The credentials files in a home: what `up` writes and what a person, a script or a command reads."""

from pathlib import Path

import msgspec


class Participant(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent or an operator needs to take part, over HTTP or over NATS."""

    account: str
    agent: str
    http_url: str
    api_key: str
    nats_url: str
    nkey_seed: str
    inbox_prefix: str


class Simulator(msgspec.Struct, frozen=True, kw_only=True):
    """What a program needs to speak with the simulator as it would with Alpaca, and to steer it."""

    base_url: str
    data_url: str
    stream_url: str
    data_stream_url: str
    key_id: str
    secret_key: str
    control_url: str
    control_key: str

    @property
    def port(self) -> int:
        """Give the port on which it listens."""
        return int(self.base_url.rpartition(":")[2])


class AcceptedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A bearer key as the gateway knows it: by its digest, never by its text."""

    key_id: str
    sha256: str
    subject: str
    account: str
    agent: str
    scopes: tuple[str, ...]


def agent_path(home: Path, agent: str) -> Path:
    """Name one agent's credentials file."""
    return home / "credentials" / f"agent-{agent}.json"


def operator_path(home: Path) -> Path:
    """Name the operator's credentials file."""
    return home / "credentials" / "operator.json"


def simulator_path(home: Path) -> Path:
    """Name the file that tells how to reach the simulator."""
    return home / "credentials" / "simulator.json"


def api_keys_path(home: Path) -> Path:
    """Name the list of bearer keys that the gateway accepts."""
    return home / "credentials" / "api_keys.json"


def read_participant(path: Path) -> Participant:
    """Read one participant's file; raise `OSError` or `msgspec.DecodeError` when that cannot be done."""
    return msgspec.json.decode(path.read_bytes(), type=Participant)
