"""`lockgate simulate`: hands over to the whole-system simulation in `tests/simulation`."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import services
from services.cli.terminal import Home, chosen_home

Passed = Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]


def simulate(*arguments: Passed, home: Home = None) -> int:
    """Run risk, OMS and audit against a broker with faults, in one process on virtual time, seed by seed.

    Each seed is one story of crashes, hangs, lost answers and unruly updates, and repeats exactly. Prints seeds per
    second; ends at the first violation of an invariant, tells its story and exits with 1. With `--journal` it writes
    a long realistic journal instead, as an export that `lockgate import` carries into an empty account. Everything
    on the line is handed on; `lockgate simulate -- --help` lists what is taken.

    ```
    lockgate simulate --seeds 2000
    lockgate simulate --seed 17 --story
    lockgate simulate --journal 100000 --into /tmp/long
    lockgate import /tmp/long
    ```

    Args:
        arguments: Handed on as they are.
        home: The instance's folder; the simulation leaves it alone.
    """
    root = Path(next(iter(services.__path__))).parent
    fixed = {"PYTHONPATH": str(root), "PYTHONHASHSEED": "0"}  # a story is to be told again on any day
    env = {**os.environ, **fixed, "LOCKGATE_HOME": str(chosen_home(home))}
    given = [argument for argument in arguments if argument != "--"]
    return subprocess.run([sys.executable, "-P", "-m", "tests.simulation", *given], env=env, check=False).returncode  # noqa: S603 - our own module
