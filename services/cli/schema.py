"""`lockgate schema`: the JSON Schema of the messages."""

import msgspec

from services.cli.message_schemas import UnknownMessageError, schema_of, schema_of_all
from services.cli.outcome import UsageError
from services.cli.terminal import Home, say


def schema(name: str | None = None, *, home: Home = None) -> None:  # noqa: ARG001 - every command takes --home
    """Print the JSON Schema (2020-12) of one message, or of all of them.

    Numbers in intents may be decimal strings or JSON numbers; everywhere else they are decimal strings.

    ```
    lockgate schema intent.submit.v1
    lockgate schema > lockgate.schema.json
    ```

    Args:
        name: The message's `type`, such as intent.submit.v1; all messages when left out.
        home: Accepted as everywhere; schemas are the same for every instance.
    """
    try:
        found = schema_of(name) if name else schema_of_all()
    except UnknownMessageError as error:
        raise UsageError(str(error)) from error
    say(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
