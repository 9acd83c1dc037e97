"""A real NATS server for tests: own port, own folder, the configuration that production runs."""

import asyncio
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from contracts.ids import AccountId, AgentId
from services.runtime import topology
from services.runtime.connection import Connection, connect
from services.runtime.keys import new_seed, public_key
from services.runtime.nats_config import AgentUser, ServerPlan, server_config
from services.runtime.nats_rights import ADMIN, OPERATOR_USER, PROCESSES

BINARY = Path(sys.executable).parent / "nats-server"
PAPER = AccountId("paper")
AGENTS = (AgentId("demo"), AgentId("eve"))
START_S_MAX = 20.0
POLL_S = 0.02


def free_port() -> int:
    """Find a loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class NatsServer:
    """One server process; it may be killed and started again on the same port and folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        users = (ADMIN, OPERATOR_USER, *PROCESSES)
        self.seeds = {name: new_seed() for name in (*users, *AGENTS)}
        plan = ServerPlan(
            port=self.port,
            store_dir=folder / "jetstream",
            accounts=(PAPER,),
            users={name: public_key(self.seeds[name]) for name in users},
            agents=tuple(AgentUser(PAPER, agent, public_key(self.seeds[agent])) for agent in AGENTS),
        )
        self.config_path = folder / "nats.conf"
        self.config_path.write_text(server_config(plan))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_up(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Start and wait until the port answers."""
        with (self.folder / "nats.log").open("ab") as log:
            self._process = subprocess.Popen([BINARY, "-c", self.config_path], stdout=log, stderr=log)
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if self._process.poll() is not None:
                    break
                time.sleep(POLL_S)
            else:
                return
        raise RuntimeError((self.folder / "nats.log").read_text())

    def kill(self) -> None:
        """End it as a power cut would: without a chance to tidy up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def connect(
        self, user: str = ADMIN, *, reconnect: bool = False, on_error: Callable[[Exception], None] = lambda _: None
    ) -> Connection:
        """Open a connection as one of the configured users."""
        return await connect(self.url, user, self.seeds[user], reconnect=reconnect, on_error=on_error)

    async def ensure(self, *accounts: AccountId) -> None:
        """Create the streams, as the supervisor does after every start."""
        admin = await self.connect()
        try:
            await topology.ensure(admin.jetstream(), accounts or (PAPER,))
        finally:
            await admin.close()

    async def fresh_account(self) -> AccountId:
        """Create the journal of an account nobody has used."""
        account = AccountId(f"t{uuid.uuid4().hex[:12]}")
        await self.ensure(account)
        return account


def running_server(folder: Path) -> NatsServer:
    """Start a server with the topology of account `paper`."""
    server = NatsServer(folder)
    server.start()
    try:
        asyncio.run(server.ensure())
    except BaseException:
        server.kill()
        raise
    return server


def is_running(pid: int) -> bool:
    """Say whether a process exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
