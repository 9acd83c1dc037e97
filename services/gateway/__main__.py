"""Starts the gateway process."""

from services.gateway.service import serve
from services.runtime.process import run

if __name__ == "__main__":
    run("gateway", serve, reconnect=True)
