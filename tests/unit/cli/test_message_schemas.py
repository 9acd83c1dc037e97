"""The JSON Schema of the messages."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from contracts.ids import TOKEN_PATTERN
from services.cli.app import main
from services.cli.message_schemas import DIALECT, UnknownMessageError, message_types, schema_of, schema_of_all


def references(schema: Any) -> Iterator[str]:
    """Give every `$ref` in a schema."""
    if isinstance(schema, dict):
        yield from (value for key, value in schema.items() if key == "$ref")
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


@pytest.mark.parametrize("name", list(message_types()))
def test_every_message_has_a_schema_whose_references_resolve(name: str) -> None:
    schema = schema_of(name)
    assert schema["$schema"] == DIALECT
    assert {ref.removeprefix("#/$defs/") for ref in references(schema)} <= set(schema["$defs"])
    body = schema["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    assert body["properties"]["type"] == {"enum": [name]}


def test_one_schema_admits_every_message() -> None:
    schema = json.loads(json.dumps(schema_of_all()))
    assert len(schema["oneOf"]) == len(message_types())
    assert {"intent.submit.v1", "decision.v1", "order.filled.v1", "quote.v1"} <= set(message_types())


def test_an_intent_may_carry_numbers_as_text_or_as_json_numbers() -> None:
    properties = schema_of("intent.submit.v1")["$defs"]["SubmitIntent"]["properties"]
    assert properties["qty"]["anyOf"][0] == {"type": ["string", "number"], "format": "decimal"}
    assert properties["intent_id"]["pattern"] == TOKEN_PATTERN


def test_what_we_write_ourselves_carries_numbers_as_text_only() -> None:
    properties = schema_of("order.filled.v1")["$defs"]["OrderFilled"]["properties"]
    assert properties["qty"] == {"type": "string", "format": "decimal"}


def test_an_unknown_message_is_answered_with_the_ones_there_are() -> None:
    with pytest.raises(UnknownMessageError, match=r"intent\.submit\.v1"):
        schema_of("intent.submit")


def test_the_command_prints_one_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "intent.cancel.v1"]) == 0
    assert json.loads(capsys.readouterr().out) == schema_of("intent.cancel.v1")


def test_an_unknown_name_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "nonsense"]) == 2
    assert "no message is called 'nonsense'" in capsys.readouterr().err
