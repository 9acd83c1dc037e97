"""Starts the audit process."""

from services.audit.service import serve
from services.runtime.process import run

if __name__ == "__main__":
    run("audit", serve)
