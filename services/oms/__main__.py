"""Starts the OMS process."""

from services.oms.wiring import serve
from services.runtime.process import run

if __name__ == "__main__":
    run("oms", serve)
