"""Starts the regime process."""

from services.regime.service import serve
from services.runtime.process import run

if __name__ == "__main__":
    run("regime", serve)
