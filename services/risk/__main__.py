"""Starts the risk process."""

from services.risk.service import serve
from services.runtime.process import run

if __name__ == "__main__":
    run("risk", serve)
