"""`compose.yaml` is valid and says what is so."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.cli.examination import NATS_VERSION

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def test_it_runs_nats_and_postgresql_and_nothing_else(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"nats", "postgres"}


def test_every_port_is_open_on_loopback_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service["ports"]]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_service_says_when_it_is_healthy_and_keeps_its_data(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["healthcheck"]["test"][0] == "CMD"
        assert service["volumes"][0].split(":")[0] == name
        assert name in compose["volumes"]


def test_no_password_stands_in_the_file(compose: dict[str, Any]) -> None:
    environment = {k: v for service in compose["services"].values() for k, v in service["environment"].items()}
    passwords = [value for name, value in environment.items() if "PASSWORD" in name]
    assert len(passwords) == 2
    assert all(re.fullmatch(r"\$\{\w+:\?.+\}", password) for password in passwords)


def test_nats_is_the_pinned_version_and_its_configuration_is_one_the_server_accepts(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    assert f":{NATS_VERSION}-" in compose["services"]["nats"]["image"]
    config = tmp_path / "nats.conf"
    content = compose["configs"]["nats"]["content"].replace("$$", "$").replace("/data", str(tmp_path))
    config.write_text(content)
    checked = subprocess.run(
        [Path(sys.executable).parent / "nats-server", "-t", "-c", config],
        env={**os.environ, "LOCKGATE_NATS_PASSWORD": "secret"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert "sync_interval: always" in content
