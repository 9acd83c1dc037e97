"""JSON Schema (2020-12) of every message, so that a program in any language can check what it publishes."""

from collections.abc import Iterator
from typing import Any

import msgspec

from contracts import codec
from contracts.base import Message
from contracts.ids import SYMBOL_PATTERN, TOKEN_PATTERN
from contracts.intents import ApprovalIntent, CancelIntent, ReplaceIntent, SubmitIntent

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_INTENTS = (SubmitIntent, CancelIntent, ReplaceIntent, ApprovalIntent)
_PATTERNS = {"intent_id": TOKEN_PATTERN, "symbol": SYMBOL_PATTERN}


class UnknownMessageError(ValueError):
    """No message has this name."""


def message_types() -> dict[str, type[Message]]:
    """Give every message that travels, by its name on the wire, in order of name."""
    _ = codec  # importing the codec has defined every message there is
    return dict(sorted((str(leaf.__struct_config__.tag), leaf) for leaf in _leaves(Message)))


def schema_of(name: str) -> dict[str, Any]:
    """Give the schema of one message; raise `UnknownMessageError` naming the ones there are."""
    types = message_types()
    if name not in types:
        raise UnknownMessageError(f"no message is called {name!r}; there are {', '.join(types)}")
    kind = types[name]
    references, definitions = _components([kind])
    return {"$schema": DIALECT, "$id": f"urn:lockgate:{name}", **references[0], "$defs": definitions}


def schema_of_all() -> dict[str, Any]:
    """Give one schema that admits every message."""
    types = message_types()
    references, definitions = _components(list(types.values()))
    return {"$schema": DIALECT, "$id": "urn:lockgate:messages", "oneOf": list(references), "$defs": definitions}


def _leaves(kind: type[Message]) -> Iterator[type[Message]]:
    children = kind.__subclasses__()
    if not children:
        yield kind
    for child in children:
        yield from _leaves(child)


def _components(kinds: list[type[Message]]) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    references, definitions = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    untrusted = {name for name in definitions if name in {k.__name__ for k in _INTENTS} or name == "IntentMeta"}
    shown = {name: _for_sender(body) if name in untrusted else body for name, body in definitions.items()}
    return references, shown


def _for_sender(definition: dict[str, Any]) -> dict[str, Any]:
    """Say what an intent may hold: numbers may be JSON numbers too, ids must fit their grammar."""
    properties = {
        name: {**_with_numbers(body), **({"pattern": _PATTERNS[name]} if name in _PATTERNS else {})}
        for name, body in definition["properties"].items()
    }
    return {**definition, "properties": properties}


def _with_numbers(body: dict[str, Any]) -> dict[str, Any]:
    if body.get("format") == "decimal":
        return {**body, "type": ["string", "number"]}
    if "anyOf" in body:
        return {**body, "anyOf": [_with_numbers(choice) for choice in body["anyOf"]]}
    return body
