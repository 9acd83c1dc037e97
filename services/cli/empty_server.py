"""A home's own NATS server, run only for as long as an import takes."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from services.cli.link import listens
from services.cli.nats_binary import nats_binary
from services.runtime.keys import PRIVATE_DIRECTORY_MODE, new_seed, public_key, write_private
from services.runtime.nats_config import ServerPlan, server_config
from services.runtime.nats_rights import ADMIN, OPERATOR_USER, PROCESSES

UP_S_MAX = 20.0
LOOK_EVERY_S = 0.02
STOP_S_MAX = 10.0
SYNC_INTERVAL = "10s"
"""The server brings everything to the disk when it ends; an import that a power cut broke off is begun anew."""
_LOOPBACK = "127.0.0.1"


class EmptyServerError(Exception):
    """The server for the import did not start."""


@asynccontextmanager
async def own_server(home: Path) -> AsyncGenerator[tuple[str, str], None]:
    """Run the server on the home's store, with keys of this moment; give its URL and the admin's seed."""
    store = home / "nats" / "store"
    store.mkdir(mode=PRIVATE_DIRECTORY_MODE, parents=True, exist_ok=True)
    seeds = {name: new_seed() for name in (ADMIN, OPERATOR_USER, *PROCESSES)}
    port = _free_port()
    users = {name: public_key(seed) for name, seed in seeds.items()}
    with TemporaryDirectory(prefix="lockgate-import-") as folder:
        config = Path(folder) / "nats.conf"
        plan = ServerPlan(port=port, store_dir=store, accounts=(), users=users, sync_interval=SYNC_INTERVAL)
        write_private(config, server_config(plan))
        server = await asyncio.create_subprocess_exec(
            str(nats_binary()),
            "-c",
            str(config),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            url = f"nats://{_LOOPBACK}:{port}"
            await _until_up(server, url)
            yield url, seeds[ADMIN]
        finally:
            await _stop(server)


async def _until_up(server: asyncio.subprocess.Process, url: str) -> None:
    try:
        async with asyncio.timeout(UP_S_MAX):
            while not await listens(url):
                if server.returncode is not None:
                    raise EmptyServerError(f"nats-server ended with code {server.returncode} before it was up")
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise EmptyServerError(f"nats-server was not up within {UP_S_MAX:g} s") from None


async def _stop(server: asyncio.subprocess.Process) -> None:
    """End it in order, so that everything is on the disk; kill it only when it does not."""
    if server.returncode is not None:
        return
    server.terminate()
    try:
        async with asyncio.timeout(STOP_S_MAX):
            await server.wait()
    except TimeoutError:
        server.kill()
        await server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])
