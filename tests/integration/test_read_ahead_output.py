"""What the process that reads ahead says arrives whole, however Python is told to open the standard output."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Event, Thread

ROOT = Path(__file__).parents[2]
BLOCKS, BLOCK_BYTES = 400, 300_000
WRITE = f"""
from services.audit.preparation import output
with output() as out:
    for number in range({BLOCKS}):
        out.write(bytes([number % 251]) * {BLOCK_BYTES})
"""


def interrupt(process: subprocess.Popen[bytes], over: Event) -> None:
    """Stop the process and let it go on again and again, as a terminal or a debugger does."""
    for _ in count():
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGSTOP)
            process.send_signal(signal.SIGCONT)
        if over.wait(0.001):
            return


def test_a_writer_that_is_stopped_in_the_middle_of_a_write_loses_nothing():
    environ = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-P", "-c", WRITE], stdout=subprocess.PIPE, env=environ)
    over = Event()
    nuisance = Thread(target=interrupt, args=(process, over))
    nuisance.start()
    try:
        assert process.stdout is not None
        blocks = [process.stdout.read(BLOCK_BYTES) for _ in range(BLOCKS)]
        rest = process.stdout.read()
    finally:
        over.set()
        nuisance.join()
        process.kill()
        process.communicate()
    assert rest == b""
    assert [block == bytes([number % 251]) * BLOCK_BYTES for number, block in enumerate(blocks)] == [True] * BLOCKS
