"""The simulator as its own process, for tests that need the real wire."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[3]
START_S_MAX = 30.0
STOP_S_MAX = 15.0
POLL_S = 0.02
QUICK = ("--ack-ms", "2", "--route-ms", "1", "--fill-ms", "5", "--cancel-ms", "2", "--partial-percent", "0")


class RunningSimulator:
    """One simulator process on a free port; it can be killed and started again on the same data."""

    key_id, secret_key, control_key = "KEY", "SECRET", "CONTROL"

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder = folder
        self._flags = flags
        self.start()

    def start(self) -> None:
        keys = ["--key-id", self.key_id, "--secret-key", self.secret_key, "--control-key", self.control_key]
        command = [sys.executable, "-m", "services.simulator", "--data-dir", str(self.folder)]
        with (self.folder.parent / "simulator.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *keys, *QUICK, *self._flags],
                cwd=REPOSITORY,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "LOG_FORMAT": "json"},
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self._reap()
            raise AssertionError((self.folder.parent / "simulator.log").read_text()[-2000:])
        self.ready = json.loads(line)

    @property
    def url(self) -> str:
        return self.ready["base_url"]

    def control(self, command: str, **body: Any) -> Any:
        """Send a command to the control port; without a body it is a question."""
        request = urllib.request.Request(  # noqa: S310  # our own loopback address
            f"{self.ready['control_url']}/{command}",
            headers={"X-Control-Key": self.control_key},
            data=json.dumps(body).encode() if body else None,
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)

    def pin(self, symbol: str, bid: str, ask: str) -> None:
        self.control("quote", symbol=symbol, bid=bid, ask=ask)

    def kill(self) -> None:
        """End the process at once, as a power cut would."""
        self.process.kill()
        self._reap()

    def stop(self) -> int:
        """Ask the process to end and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._reap()

    def _reap(self) -> int:
        code = self.process.wait(STOP_S_MAX)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()


def until(condition: Callable[[], Any], wait_s: float = 10.0) -> Any:
    """Return the first true value of a condition, or fail when it never holds."""
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(POLL_S)
    raise AssertionError("the condition never held")
