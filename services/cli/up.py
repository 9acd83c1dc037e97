"""`lockgate up`: hands over to the supervisor, in the foreground or in the background."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, BinaryIO

from cyclopts import Parameter

import services
from services.cli.outcome import OK, CommandError
from services.cli.terminal import Home, chosen_home, say

_READY = "ready"
Detach = Annotated[bool, Parameter(negative="")]


def up(
    *, home: Home = None, http_port: int | None = None, nats_port: int | None = None, detach: Detach = False
) -> int:
    """Start NATS, the simulator (or the link to Alpaca) and the five processes, and keep them running.

    Ends in one ready line with every address. Ctrl-C stops everything in order; the next start goes on from the
    same data. With ALPACA_API_KEY and ALPACA_API_SECRET set, Alpaca's paper trading takes the simulator's place.

    ```
    lockgate up
    lockgate up --detach
    lockgate up --home /tmp/second --http-port 3001 --nats-port 4223
    ```

    Args:
        home: The instance's folder.
        http_port: Port of the gateway on 127.0.0.1; PORT, the settings file or 3000 when left out.
        nats_port: Port of NATS on 127.0.0.1; LOCKGATE_NATS_PORT, the settings file or 4222 when left out.
        detach: Go on in the background; logs are in the home's `logs` folder.
    """
    folder = chosen_home(home)
    command = _command(folder, http_port, nats_port)
    if not detach:
        sys.stdout.flush()
        os.execve(command[0], command, _environment())  # noqa: S606 - we become the supervisor, signals and all
    return _in_background(command, folder)


def _command(home: Path, http_port: int | None, nats_port: int | None) -> list[str]:
    # -P: the folder in which the command is called must not stand in for our packages.
    command = [sys.executable, "-P", "-m", "services.supervisor", "--home", str(home)]
    for option, port in (("--http-port", http_port), ("--nats-port", nats_port)):
        command += [option, str(port)] if port is not None else []
    return command


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(next(iter(services.__path__))).parent)}


def _private_log(path: Path) -> BinaryIO:
    """Open a file at its end that nobody else on this machine may read: logs name accounts and orders."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, mode=0o600), "ab")


def _in_background(command: list[str], home: Path) -> int:
    """Start the supervisor in a session of its own and wait for its one answer."""
    logs = home / "logs"
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    answer_end, report_end = os.pipe()
    with _private_log(logs / "supervisor.log") as log:
        supervisor = subprocess.Popen(  # noqa: S603 - our own module
            [*command, "--report-to", str(report_end)],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(report_end,),
            start_new_session=True,
        )
    os.close(report_end)
    try:
        with os.fdopen(answer_end) as pipe:  # the supervisor bounds its own start, and its death closes the pipe
            word, _, text = pipe.read().partition(" ")
    except KeyboardInterrupt:
        supervisor.terminate()
        supervisor.wait()
        raise
    if word != _READY:
        raise CommandError(text or f"the supervisor ended without a word; see {logs / 'supervisor.log'}")
    say(text)
    return OK
