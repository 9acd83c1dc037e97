"""TCP ports on loopback: which are free, and which one the simulator keeps."""

import socket

LOOPBACK = "127.0.0.1"


class PortTakenError(Exception):
    """A port that was asked for is in use."""


def is_free(port: int) -> bool:
    """Say whether a server could listen on this port of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
        return True


def any_free() -> int:
    """Let the kernel choose a free port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    """Say whether somebody takes connections on this port of the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def require_free(wanted: dict[str, int]) -> None:
    """Raise `PortTakenError` that names every taken port and the option that chooses another."""
    taken = [f"{option} {port}" for option, port in wanted.items() if not is_free(port)]
    if taken:
        raise PortTakenError(f"already in use on {LOOPBACK}: {', '.join(taken)}; choose another port")
