"""How the supervisor is told where to run, and how it answers whoever started it in the background."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.runtime.settings import Settings, home_from, load_settings


@dataclass(frozen=True, slots=True)
class Options:
    """One call of the supervisor."""

    home: Path
    http_port: int | None
    nats_port: int | None
    report_to: int | None
    """An open pipe: one line goes there once it is known whether everything came up; None for a terminal."""


def parse(arguments: Sequence[str], environ: Mapping[str, str]) -> Options:
    """Read the command line; a mistake ends the program with code 2, as argparse does."""
    parser = argparse.ArgumentParser(prog="python -m services.supervisor", description=__doc__)
    parser.add_argument("--home")
    parser.add_argument("--http-port", type=int)
    parser.add_argument("--nats-port", type=int)
    parser.add_argument("--report-to", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    return Options(
        home=home_from(given.home, environ),
        http_port=given.http_port,
        nats_port=given.nats_port,
        report_to=given.report_to,
    )


def effective_environment(options: Options, environ: Mapping[str, str]) -> dict[str, str]:
    """Lay the options over the environment; our own server is always on loopback, whatever is set."""
    chosen = dict(environ)
    chosen.pop("LOCKGATE_NATS_URL", None)
    if options.http_port is not None:
        chosen["PORT"] = str(options.http_port)
    if options.nats_port is not None:
        chosen["LOCKGATE_NATS_PORT"] = str(options.nats_port)
    port = load_settings(options.home, chosen).nats_port
    return chosen | {"LOCKGATE_NATS_URL": f"nats://127.0.0.1:{port}"}


def settings_for(options: Options, environ: Mapping[str, str] = os.environ) -> Settings:
    """Load the settings that this call means; raise `SettingsError` on the first that cannot be used."""
    return load_settings(options.home, effective_environment(options, environ))
