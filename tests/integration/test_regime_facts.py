"""The regime process against a real NATS server and the simulator: what is usual for each symbol is published."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts import codec, subjects
from contracts.ids import Symbol
from contracts.market import SymbolStats
from services.runtime import stream_api
from services.runtime.keys import write_private
from tests.nats_server import NatsServer
from tests.unit.simulator.process import RunningSimulator
from tests.waiting import until

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]
SYMBOLS = ("AAPL", "SPY")


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[RunningSimulator]:
    running = RunningSimulator(tmp_path / "simulator")
    yield running
    running.close()


@pytest.fixture
def regime(own_nats_server: NatsServer, tmp_path: Path, simulator: RunningSimulator) -> Iterator[None]:
    environ = os.environ | {
        "LOCKGATE_NATS_URL": own_nats_server.url,
        "LOCKGATE_DATA_URL": simulator.ready["data_url"],
        "LOCKGATE_DATA_STREAM_URL": simulator.ready["data_stream_url"],
        "SYMBOL_ALLOWLIST": ",".join(SYMBOLS),
    }
    home = tmp_path / "home"
    write_private(home / "credentials" / "processes" / "regime.seed", own_nats_server.seeds["regime"])
    keys = {"key_id": simulator.key_id, "secret_key": simulator.secret_key}
    write_private(home / "credentials" / "simulator.json", json.dumps(keys))
    with (tmp_path / "regime.log").open("wb") as log:
        command = [sys.executable, "-m", "services.regime", "--home", str(home)]
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=ROOT)
    yield
    process.kill()
    process.wait()


async def test_the_range_and_volume_of_the_simulators_days_are_published(
    own_nats_server: NatsServer, regime: None
) -> None:
    connection = await own_nats_server.connect()
    told: dict[str, SymbolStats] = {}

    def read(body: bytes) -> None:
        stats = codec.decode_market(body)
        assert isinstance(stats, SymbolStats)
        told[stats.symbol] = stats

    async def hear(message: Any) -> None:
        read(message.data)

    await connection.subscribe("stats.>", cb=hear)
    await connection.flush()
    for symbol in SYMBOLS:
        stored = await stream_api.last_message(connection, subjects.MARKET_STREAM, subjects.stats(Symbol(symbol)))
        if stored is not None:
            read(stored.body)
    await until(lambda: set(told) == set(SYMBOLS))
    for stats in told.values():
        assert stats.prior_close is not None
        assert stats.atr_usd is not None
        assert stats.daily_volume is not None
        assert stats.prior_close * 9 / 10 < stats.last_price < stats.prior_close * 11 / 10
        assert 0 < stats.atr_usd < stats.prior_close / 10
        assert stats.daily_volume > 100_000
    await connection.close()
