"""`python -m services.supervisor`: the process behind `lockgate up`."""

import asyncio
import os
import sys

from services.cli.nats_binary import NoServerBinaryError
from services.runtime.clock import SystemClock
from services.runtime.limit_settings import require_rails
from services.runtime.setting_values import SettingsError
from services.runtime.settings import Settings
from services.supervisor import household, ports
from services.supervisor.console import SUPERVISOR, BackgroundLog, Console, Screen
from services.supervisor.homelock import HomeLock, HomeTakenError
from services.supervisor.leftovers import end_leftovers
from services.supervisor.logfile import LogFile
from services.supervisor.options import Options, effective_environment, parse, settings_for
from services.supervisor.ports import PortTakenError
from services.supervisor.programs import environment
from services.supervisor.reporter import Reporter
from services.supervisor.supervisor import NotUpError, Supervisor

_PRIVATE_UMASK = 0o077


async def supervise(options: Options, settings: Settings, reporter: Reporter, screen: Screen) -> None:
    """Run one system until a signal, or raise `NotUpError`."""
    env = environment(settings, effective_environment(options, os.environ))
    prepared = household.prepare(settings)
    await Supervisor(settings, prepared, env, screen).run(reporter.ready)


def start(options: Options, reporter: Reporter, screen: Screen) -> None:
    """Check everything that can be checked before anything runs, then run."""
    lock = HomeLock.take(options.home)
    try:
        for name in end_leftovers(options.home):
            screen.show(SUPERVISOR, f"ended {name}, left over from a supervisor that was killed")
        settings = settings_for(options)
        require_rails(settings.limits, SystemClock().now())
        ports.require_free({"--http-port": settings.http_port, "--nats-port": settings.nats_port})
        asyncio.run(supervise(options, settings, reporter, screen))
    finally:
        lock.release()


def main() -> int:
    """Run, and turn every known reason not to into one clear message and exit code 1."""
    os.umask(_PRIVATE_UMASK)
    options = parse(sys.argv[1:], os.environ)
    household.make_folders(options.home)
    in_background = options.report_to is not None
    screen = BackgroundLog(LogFile(options.home / "logs" / "supervisor.log")) if in_background else Console()
    reporter = Reporter(options.report_to, screen)
    try:
        start(options, reporter, screen)
    except (HomeTakenError, PortTakenError, SettingsError, NoServerBinaryError, NotUpError) as reason:
        reporter.failed(str(reason))
        return 1
    finally:
        screen.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
