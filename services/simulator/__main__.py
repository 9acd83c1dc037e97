"""Runs the simulator: `python -m services.simulator --data-dir DIR`."""

import asyncio
import gc
import os
import signal
import sys

import msgspec
import structlog
import uvloop
from aiohttp import web
from structlog.tracebacks import ExceptionDictTransformer

from services.simulator.exchange import Exchange
from services.simulator.settings import Settings, settings
from services.simulator.tape.library import TapeError

SHUTDOWN_SECONDS = 3.0


def ready_line(host: str, port: int) -> bytes:
    """Return the one line on standard output that says where everything is."""
    base, sockets = f"http://{host}:{port}", f"ws://{host}:{port}"
    return msgspec.json.encode(
        {
            "event": "ready",
            "base_url": base,
            "data_url": base,
            "stream_url": f"{sockets}/stream",
            "data_stream_url": f"{sockets}/v2/iex",
            "control_url": f"{base}/control",
        }
    )


def _tracebacks() -> structlog.processors.ExceptionRenderer:
    """Render exceptions without local variables, which may hold keys."""
    return structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))


def _console() -> structlog.dev.ConsoleRenderer:
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


def configure_logs() -> None:
    """Log to standard error, as JSON when LOG_FORMAT=json."""
    as_json = os.environ.get("LOG_FORMAT") == "json"
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([_tracebacks()] if as_json else []),
            structlog.processors.JSONRenderer() if as_json else _console(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


async def serve(found: Settings) -> None:
    """Serve until a signal asks to stop; a failure of the store or the market ends the process."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    exchange = Exchange(found)
    runner = web.AppRunner(exchange.application(), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    site = web.TCPSite(runner, found.host, found.port)
    await site.start()
    host, port = runner.addresses[0][:2]
    playing = asyncio.create_task(exchange.play())
    stopping = asyncio.create_task(stop.wait())
    gc.freeze()
    sys.stdout.write(ready_line(host, port).decode() + "\n")
    sys.stdout.flush()
    try:
        waiting = {playing, stopping, exchange.desk.failure}
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        playing.cancel()
        stopping.cancel()
        await runner.cleanup()
        exchange.close()
        structlog.get_logger().info("simulator_stopped")


def main() -> None:
    """Read the settings and run."""
    found = settings(sys.argv[1:], os.environ)
    configure_logs()
    try:
        uvloop.run(serve(found))
    except TapeError as error:
        sys.exit(f"services.simulator: {error}")


if __name__ == "__main__":
    main()
