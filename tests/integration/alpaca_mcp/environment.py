"""The environment that alpaca-mcp-server runs in, made once below `.cache` from pinned versions."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
CACHE = REPOSITORY / ".cache"
FOLDER = CACHE / "alpaca-mcp"
REQUIREMENTS = HERE / "requirements.txt"
INSTALL_S_MAX = 110
UNREACHABLE = ("error sending request", "dns error", "tcp connect error", "connection refused", "timed out")


def python() -> Path:
    """Return the environment's interpreter; a registry that cannot be reached skips the test."""
    CACHE.mkdir(exist_ok=True)
    made, wanted = FOLDER / "made-from.txt", f"{sys.version}\n{REQUIREMENTS.read_text()}"
    with (CACHE / "alpaca-mcp.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # runs side by side share it
        if not made.exists() or made.read_text() != wanted:
            _run("venv", "--clear", "--python", sys.executable, str(FOLDER))
            _run("pip", "sync", "--python", str(FOLDER / "bin" / "python"), str(REQUIREMENTS))
            made.write_text(wanted)
    return FOLDER / "bin" / "python"


def _run(*arguments: str) -> None:
    command = [_uv(), *arguments, "--quiet", "--no-config"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S_MAX, check=False)
    if ended.returncode == 0:
        return
    if any(sign in ended.stderr.lower() for sign in UNREACHABLE):
        cause = ended.stderr.splitlines()[-1].strip()
        pytest.skip(f"the package registry cannot be reached, so alpaca-mcp-server is not installed: {cause}")
    raise AssertionError(f"uv {' '.join(arguments)}: {ended.stderr}")


def _uv() -> str:
    """Return the uv that ops/test found, or one that is installed."""
    found = os.environ.get("UV") or shutil.which("uv") or shutil.which("uv", path=str(CACHE / "uv" / "bin"))
    assert found, "uv is not installed: ops/test installs it"
    return found
