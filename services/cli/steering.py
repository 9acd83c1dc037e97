"""A command's way to the simulator's control port, given up at once when nobody answers."""

from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from services.cli.credential_files import Simulator, simulator_path
from services.cli.outcome import CommandError, UnreachableError, UsageError

ASK_S_MAX = 10
_REFUSED = frozenset({400, 404, 422})


def simulator_at(home: Path) -> Simulator:
    """Read how to reach the simulator of a home, or say where that comes from."""
    path = simulator_path(home)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Simulator)
    except FileNotFoundError:
        raise UnreachableError(
            f"{path} is not there: start Lockgate with `lockgate up` and no Alpaca keys, or name its --home"
        ) from None
    except (OSError, msgspec.DecodeError) as error:
        raise UnreachableError(f"{path} cannot be read: {error}") from error


async def steer(simulator: Simulator, method: str, command: str, body: dict[str, Any] | None = None) -> Any:
    """Send one command to the control port and give its answer; what the simulator refuses is a usage error."""
    url = f"{simulator.control_url}/{command}"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ASK_S_MAX), trust_env=False) as session,
            session.request(method, url, json=body, headers={"X-Control-Key": simulator.control_key}) as answer,
        ):
            content, status = await answer.read(), answer.status
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UnreachableError(
            f"no simulator at {simulator.control_url} ({error or type(error).__name__}); start it with `lockgate up`"
        ) from error
    if status in _REFUSED:
        raise UsageError(_message(content))
    if status >= min(_REFUSED):
        raise CommandError(f"the simulator answered {status}: {_message(content)}")
    return msgspec.json.decode(content)


def _message(content: bytes) -> str:
    try:
        found = msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.DecodeError:
        return content.decode(errors="replace")
    return str(found.get("message", found))
