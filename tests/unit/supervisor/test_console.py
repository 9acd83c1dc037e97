"""What the supervisor shows."""

import io
import threading

from services.supervisor.console import QUEUED_LINES_MAX, BackgroundLog, Console, prefixed
from services.supervisor.logfile import LogFile


class HeldTerminal(io.StringIO):
    """A terminal whose user has pressed Ctrl-S."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def write(self, text: str) -> int:
        self.released.wait(30)
        return super().write(text)


def test_every_line_stands_under_its_process_name() -> None:
    assert prefixed("risk", "ready", coloured=False) == "risk       | ready"


def test_names_are_coloured_and_lines_are_not() -> None:
    assert prefixed("risk", "ready", coloured=True) == "\x1b[31mrisk       |\x1b[0m ready"


def test_a_stream_that_is_no_terminal_gets_no_colours() -> None:
    stream = io.StringIO()
    console = Console(stream)
    console.show("oms", "up")
    console.plain("lockgate ready")
    console.close()
    assert stream.getvalue() == "oms        | up\nlockgate ready\n"


def test_a_held_terminal_never_holds_up_the_processes() -> None:
    terminal = HeldTerminal()
    console = Console(terminal)
    for number in range(QUEUED_LINES_MAX + 100):
        console.show("oms", str(number))
    terminal.released.set()
    console.close()
    assert "lines left out here" in terminal.getvalue()
    assert terminal.getvalue().startswith("...") or "oms        | 0\n" in terminal.getvalue()


def test_a_reader_that_went_away_does_not_stop_the_supervisor() -> None:
    stream = io.StringIO()
    console = Console(stream)
    console.show("oms", "before")
    stream.close()
    for _ in range(3):
        console.show("oms", "after")
    console.close()


def test_in_the_background_only_the_supervisors_own_words_are_kept(tmp_path) -> None:
    log = BackgroundLog(LogFile(tmp_path / "supervisor.log"))
    log.show("risk", "a line that stands in risk.log")
    log.show("supervisor", "risk died (signal 9), restart 1 in 0.2 s")
    log.close()
    written = (tmp_path / "supervisor.log").read_text()
    assert written.endswith("Z risk died (signal 9), restart 1 in 0.2 s\n")
    assert written.count("\n") == 1
