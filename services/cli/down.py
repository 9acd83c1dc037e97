"""`lockgate down`: stops the supervisor of a home and waits until everything is down."""

import os
import signal
import time

from services.cli.instance import supervisor_pid
from services.cli.outcome import OK, CommandError
from services.cli.terminal import Home, chosen_home, say

STOPPED_WITHIN_S = 90
LOOK_EVERY_S = 0.05


def down(*, home: Home = None) -> int:
    """Stop what `up` started, in order; open orders stay at the broker, positions stay open.

    ```
    lockgate down
    lockgate down --home /tmp/second
    ```

    Args:
        home: The instance's folder.
    """
    folder = chosen_home(home)
    pid = supervisor_pid(folder)
    if pid is None:
        say(f"nothing runs on {folder}")
        return OK
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOPPED_WITHIN_S
    while supervisor_pid(folder) == pid:
        if time.monotonic() > deadline:
            raise CommandError(
                f"the supervisor (pid {pid}) still runs {STOPPED_WITHIN_S} s after it was asked to stop"
            )
        time.sleep(LOOK_EVERY_S)
    say(f"stopped what ran on {folder}")
    return OK
