"""How a command ends: exit codes, and the errors that carry them."""

OK = 0
FAILED = 1
USAGE = 2
UNREACHABLE = 3


class CommandError(Exception):
    """The command could not do what was asked; the message says why and, where there is one, the way out."""

    exit_code = FAILED


class UsageError(CommandError):
    """What was asked for makes no sense."""

    exit_code = USAGE


class UnreachableError(CommandError):
    """There is no running Lockgate where we looked."""

    exit_code = UNREACHABLE


class OutputClosedError(Exception):
    """Whoever read what we print (head, less) has seen enough."""
