"""The `lockgate` command: a table of its verbs; each one's module is imported only when it is used."""

import os
import sys

from cyclopts import App, Group

from services.cli.outcome import FAILED, OK, CommandError, OutputClosedError
from services.runtime.settings import VERSION

_RUNNING, _TRADING = Group("Run", sort_key=1), Group("Trade", sort_key=2)
_READING, _CARING = Group("Understand", sort_key=3), Group("Look after", sort_key=4)
_PROVING, _GENERAL = Group("Prove", sort_key=5), Group("General", sort_key=6)

COMMANDS = (
    ("up", "services.cli.up:up", _RUNNING, "Start everything: NATS, broker or simulator, and the five processes."),
    ("down", "services.cli.down:down", _RUNNING, "Stop what `up` started."),
    ("status", "services.cli.status:status", _RUNNING, "Show every process, its state and how far it is behind."),
    ("submit", "services.cli.submit:submit", _TRADING, "State an intent and show the decision on it."),
    ("replace", "services.cli.changing:replace", _TRADING, "Ask for new terms of a working order."),
    ("cancel", "services.cli.changing:cancel", _TRADING, "Ask to cancel an order."),
    ("cancel-all", "services.cli.changing:cancel_all", _TRADING, "Ask to cancel every open order."),
    ("close", "services.cli.changing:close", _TRADING, "Close a position at the market."),
    ("kill", "services.cli.controls:kill", _TRADING, "Engage a kill switch, and see the proof that it works."),
    ("release", "services.cli.controls:release", _TRADING, "Release a kill switch."),
    ("mandate", "services.cli.mandate:mandate", _TRADING, "Say what an agent may do: grant, tighten, revoke, show."),
    ("approvals", "services.cli.approvals:approvals", _TRADING, "Show what waits for a person; let it go or refuse."),
    ("resume", "services.cli.controls:resume", _TRADING, "Release the account's kill switch, as `release` does."),
    ("trips", "services.cli.trips:trips", _TRADING, "Show where trading stopped by itself; let it go on."),
    (
        "reconcile",
        "services.cli.breaks:reconcile",
        _TRADING,
        "Show where our books and the broker's differ; settle it.",
    ),
    ("tail", "services.cli.tail:tail", _READING, "Follow the journal."),
    ("explain", "services.cli.explain:explain", _READING, "Tell the whole story of one intent or order."),
    ("state", "services.cli.state:state", _READING, "Show the account as it stood at a sequence or a time."),
    ("diff", "services.cli.state:diff", _READING, "Show what changed in the account between two places."),
    ("timeline", "services.cli.events:timeline", _READING, "Tell what happened to a symbol or an agent, in order."),
    ("events", "services.cli.events:events", _READING, "List events by type, time, correlation or symbol."),
    ("limits", "services.cli.limits:limits", _READING, "Show what binds whom, set layers, compare versions."),
    ("whatif", "services.cli.whatif:whatif", _READING, "Decide a stretch again under other limits."),
    ("verify", "services.cli.verify:verify", _PROVING, "Prove that nobody changed the record."),
    ("projections", "services.cli.projections:projections", _PROVING, "Look after the SQL read models."),
    ("export", "services.cli.exporting:export", _PROVING, "Write the journal to a file, with a signed manifest."),
    ("import", "services.cli.exporting:import_", _PROVING, "Carry an export into an empty server."),
    ("schema", "services.cli.schema:schema", _READING, "Print the JSON Schema of the messages."),
    ("doctor", "services.cli.doctor:doctor", _CARING, "Look for what is wrong, and say how to put it right."),
    ("sim", "services.cli.sim:sim", _CARING, "Look into the simulator, and make it misbehave on command."),
    ("bench", "services.cli.bench:bench", _CARING, "Measure latency and throughput on this machine."),
    ("simulate", "services.cli.simulate:simulate", _CARING, "Run the whole system in a bad world, seed by seed."),
)


def make_app(verb: str | None = None) -> App:
    """Build the command to run one verb; nothing behind any verb is imported yet."""
    app = App(
        name="lockgate",
        version=VERSION,
        help="Let AI agents trade without being able to sink the account.",
        help_epilogue="Exit codes: 0 ok, 1 denied or failed, 2 usage, 3 unreachable.",
        group_commands=_GENERAL,
        result_action="return_value",
    )
    for name, where, group, summary in COMMANDS:
        # A summary given here would stand in for the whole text of the verb's own help.
        app.command(where, name=name, group=group, help=None if name == verb else summary)
    return app


def main(arguments: list[str] | None = None) -> int:
    """Run one command and give its exit code."""
    try:
        given = sys.argv[1:] if arguments is None else arguments
        result = make_app(given[0] if given else None)(given)
    except CommandError as error:
        print(f"lockgate: {error}", file=sys.stderr)  # noqa: T201 - a command talks to its terminal
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except OutputClosedError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python's last flush must not fail either
        return OK
    except SystemExit as leaving:  # cyclopts has shown a usage error
        return leaving.code if isinstance(leaving.code, int) else FAILED
    return result if isinstance(result, int) else OK
