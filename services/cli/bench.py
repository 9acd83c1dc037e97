"""`lockgate bench`: hands over to the benchmarks in `ops/bench`."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import services
from services.cli.terminal import Home, chosen_home

Passed = Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]


def bench(*arguments: Passed, home: Home = None) -> int:
    """Measure this machine: the bare JetStream floor, intent to order, `decide`, replay; p50, p99 and ratios.

    `lockgate bench decide` measures decisions alone, with every control in force, and `lockgate bench kill` the kill
    switch: how long after it the last order came to the broker.

    Everything else on the line is handed to the benchmarks; `lockgate bench -- --help` lists what they take.

    ```
    lockgate bench
    lockgate bench --json
    lockgate bench decide
    lockgate bench kill
    ```

    Args:
        arguments: Handed on as they are.
        home: The instance's folder; benchmarks start servers of their own and leave it alone.
    """
    root = Path(next(iter(services.__path__))).parent
    env = {**os.environ, "PYTHONPATH": str(root), "LOCKGATE_HOME": str(chosen_home(home))}
    given = [argument for argument in arguments if argument != "--"]
    return subprocess.run([sys.executable, "-P", "-m", "ops.bench", *given], env=env, check=False).returncode  # noqa: S603 - our own module
