"""Which decisions were on a dry run: they stand on the record, nothing follows from them and they count nowhere."""

import msgspec

from contracts.decisions import Decision
from contracts.enums import Outcome


class _Asked(msgspec.Struct):
    """Of an intent's many fields, the one that makes it a dry run."""

    dry_run: bool = False


_asked_decoder = msgspec.json.Decoder(_Asked)


def is_dry_run(decision: Decision) -> bool:
    """Say whether an intent was stated as a dry run; what cannot be read was none."""
    if decision.outcome is not Outcome.DENIED:
        return decision.outcome is Outcome.WOULD_APPROVE
    try:
        return _asked_decoder.decode(decision.intent).dry_run
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
