"""What counts as a change that breaks readers, by examples, and what does not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field

from otokura.cli.schemas.compatible import breaks

STRING, INTEGER = {"type": "string"}, {"type": "integer"}


def schema(required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required or []}


def optional(*choices: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [*choices, {"type": "null"}]}


BREAKING = [
    (schema(a=STRING), schema(), "$.a: removed"),
    (schema(a=STRING), schema(b=STRING), "$.a: removed"),
    (schema(), schema(["a"], a=STRING), "$.a: newly required"),
    (schema(a=STRING), schema(["a"], a=STRING), "$.a: newly required"),
    (schema(a=STRING), schema(a=INTEGER), "$.a: type ['string'] became ['integer']"),
    (schema(a={}), schema(a=STRING), "$.a: type any became ['string']"),
    (schema(a={"type": "number"}), schema(a=INTEGER), "$.a: type ['number'] became ['integer']"),
    (schema(a=optional(STRING)), schema(a=STRING), "$.a: type ['null'] became ['string']"),
    (schema(a=optional(STRING)), schema(a=optional(INTEGER)), "$.a: type ['string'] became ['integer']"),
    (schema(a=INTEGER), schema(a=INTEGER | {"minimum": 1}), "$.a: minimum is narrower"),
    (
        schema(a=STRING | {"maxLength": 9}),
        schema(a=STRING | {"maxLength": 8}),
        "$.a: maxLength is narrower",
    ),
    (schema(a=STRING), schema(a=STRING | {"pattern": "^x"}), "$.a: pattern changed"),
    (schema(a=STRING), schema(a=STRING | {"format": "uuid"}), "$.a: format changed"),
    (schema(a=STRING), schema(a=STRING | {"enum": ["x"]}), "$.a: a value of the enumeration is gone"),
    (schema(a={"enum": ["x", "y"]}), schema(a={"enum": ["x"]}), "$.a: a value of the enumeration is gone"),
    (
        schema(a={"type": "array", "items": STRING}),
        schema(a={"type": "array", "items": INTEGER}),
        "$.a.items: type ['string'] became ['integer']",
    ),
    (
        schema(a=schema(b=schema(c=STRING))),
        schema(a=schema(b=schema())),
        "$.a.b.c: removed",
    ),
    (
        schema(a=STRING),
        schema(a=STRING) | {"additionalProperties": False},
        "$.additionalProperties: narrowed",
    ),
]
HARMLESS = [
    (schema(a=STRING), schema(a=STRING, b=STRING)),
    (schema(["a"], a=STRING), schema(a=STRING)),
    (schema(a=STRING), schema(a=optional(STRING))),
    (schema(a=INTEGER), schema(a={"type": "number"})),
    (schema(a={"enum": ["x"]}), schema(a={"enum": ["x", "y"]})),
    (schema(a=INTEGER | {"minimum": 1}), schema(a=INTEGER)),
    (schema(a=STRING), schema(a=STRING | {"description": "what it is"})),
    (schema(a=optional(STRING)), schema(a=optional(INTEGER, STRING))),
]


@pytest.mark.guarantee("T68")
@pytest.mark.parametrize(("old", "new", "told"), BREAKING, ids=[told for _, _, told in BREAKING])
def test_these_changes_break(old: dict[str, Any], new: dict[str, Any], told: str) -> None:
    assert breaks(old, new) == [told]


@pytest.mark.parametrize(("old", "new"), HARMLESS, ids=range(len(HARMLESS)))
def test_these_changes_do_not(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert breaks(old, new) == []
    assert breaks(old, old) == []


class Leaf(BaseModel):
    text: str


class Tree(BaseModel):
    leaf: Leaf
    children: list[Tree] = Field(default_factory=list)


def test_a_break_is_found_behind_references_that_go_round() -> None:
    before, after = Tree.model_json_schema(), Tree.model_json_schema()
    assert breaks(before, after) == []
    del after["$defs"]["Leaf"]["properties"]["text"]
    after["$defs"]["Leaf"]["required"] = []
    assert breaks(before, after) == ["$.leaf.text: removed"]
    assert breaks(after, before) == ["$.leaf.text: newly required"]
