"""The schemas themselves, and the words for what they find."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from knavtool import resources
from knavtool.documents.complaints import nearest, quoted, shown
from knavtool.documents.schema import checked, normalized, schema, violations
from knavtool.documents.workflow_reader import parse_workflow
from knavtool.documents.yaml import load_text
from knavtool.workflow.registry import built_in
from knavtool.workflow.tasks import TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ["values", "workflow"]
_VARIABLE = schema("workflow")["$defs"]["variable"]


def inside(value: Any) -> Iterator[dict[str, Any]]:
    """Every map inside a schema."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    for inner in value if isinstance(value, list) else []:
        yield from inside(inner)


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))
    assert schema(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_needs_no_other_file(name: str) -> None:
    references = [part["$ref"] for part in inside(schema(name)) if isinstance(part.get("$ref"), str)]
    assert references
    for reference in references:
        assert reference.removeprefix("#/$defs/") in schema(name)["$defs"], reference


@pytest.mark.parametrize("name", NAMES)
def test_patterns_are_whole_and_suit_other_engines(name: str) -> None:
    patterns = [part["pattern"] for part in inside(schema(name)) if isinstance(part.get("pattern"), str)]
    assert patterns
    for pattern in patterns:
        assert pattern.startswith("^")
        assert pattern.endswith("$")
        # Helm's engine knows neither look-around nor back references, that of editors no inline flags.
        assert not re.search(r"\(\?|\\[1-9AZz]", pattern), pattern


@pytest.mark.parametrize("name", NAMES)
def test_a_pattern_says_what_is_expected(name: str) -> None:
    for part in inside(schema(name)):
        if isinstance(part.get("pattern"), str):
            assert part.get("x-expected"), part


@pytest.mark.parametrize("name", NAMES)
def test_editors_say_what_is_expected(name: str) -> None:
    for part in inside(schema(name)):
        if isinstance(part.get("pattern"), str) and part["pattern"] != _VARIABLE["pattern"]:
            assert part["patternErrorMessage"] == f"Expected {part['x-expected']}."


@pytest.mark.parametrize("name", NAMES)
def test_every_field_is_described(name: str) -> None:
    for part in inside(schema(name)):
        if isinstance(part.get("properties"), dict) and part.get("type"):
            for field, definition in part["properties"].items():
                assert definition.get("description", "").endswith("."), (part.get("title"), field)


def test_every_task_type_is_described() -> None:
    type_ = schema("workflow")["$defs"]["task"]["properties"]["type"]
    assert len(type_["enumDescriptions"]) == len(type_["enum"])
    for name, description in zip(type_["enum"], type_["enumDescriptions"], strict=True):
        assert schema("workflow")["$defs"][name]["description"] == description


def test_editors_take_a_variable_for_every_parameter() -> None:
    definitions = schema("workflow")["$defs"]
    for type_ in TYPES:
        for field, definition in definitions[type_]["properties"].items():
            if field == "tasks":
                continue
            whole = {"$defs": definitions, **definition}
            assert Draft202012Validator(whole).is_valid("${size}"), (type_, field)


def test_the_chart_has_the_same_schema() -> None:
    own = resources.chart("virtual-nodes") / "values.schema.json"
    assert own.read_bytes() == resources.schema("values").read_bytes()


def test_nodes_are_the_same_in_both() -> None:
    for name, definition in schema("values")["$defs"].items():
        assert checked("workflow")["$defs"][name] == definition, name


def test_task_types() -> None:
    definitions = schema("workflow")["$defs"]
    assert tuple(definitions["task"]["properties"]["type"]["enum"]) == tuple(TYPES)
    conditions = {
        clause["if"]["properties"]["type"]["const"]: clause["then"]["properties"]["params"]["$ref"]
        for clause in definitions["task"]["allOf"]
    }
    assert conditions == {name: f"#/$defs/{name}" for name in TYPES}


@pytest.mark.parametrize("name", TYPES)
def test_every_task_type_refuses_unknown_fields(name: str) -> None:
    assert schema("workflow")["$defs"][name]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("lables", "; did you mean 'labels'?"),
        ("LABELS", "; did you mean 'labels'?"),
        ("nameprefix", "; did you mean 'namePrefix'?"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_nearest(word: str, hint: str) -> None:
    assert nearest(word, ["labels", "namePrefix", "count"]) == hint


def test_values_in_messages() -> None:
    assert [shown(value) for value in (None, {}, [], "a", 1, 1.5, True)] == [
        "nothing",
        "a map",
        "a list",
        "text 'a'",
        "1",
        "1.5",
        "true",
    ]
    assert quoted("x" * 100) == f"'{'x' * 60}…'"


def test_a_document_is_left_alone_by_its_normal_form() -> None:
    document = load_text("nodes: [{type: gb200, count: 1.0, labels: {a: 1}, taints: }]", "f")
    before = json.dumps(document.data)
    assert normalized(document, "values").data == {"nodes": [{"type": "gb200", "count": 1, "labels": {"a": "1"}}]}
    assert json.dumps(document.data) == before


@pytest.mark.parametrize(
    "text",
    [
        *("3", "x", "~", "[]", "[[]]", "{}", "nodes: [[]]", "nodes: [3]", "tasks: [[]]", "tasks: [{params: 3}]"),
        *("nodes: [{type: {}, count: [], labels: 3, resources: [], taints: {}, conditions: 8}]", "tasks: {type: x}"),
        "tasks: [{id: {}, type: {}, params: []}]",
        "tasks: [{id: a, type: Configure, params: {timeout: {}, nodes: 3, namespaces: {}, configmaps: [[]]}}]",
        "tasks: [{id: a, type: Configure, params: {priorityClasses: [3], deploymentRestarts: [~]}}]",
        "tasks: [{id: a, type: CheckPod, params: {refTaskId: [], status: {}, nodeLabels: 3, timeout: 3}}]",
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_any_shape_is_refused_in_plain_words(text: str, name: str) -> None:
    document = load_text(text, "f")
    found = violations(normalized(document, name), name)
    if name == "workflow" and not found:
        # Tasks are looked at one by one.
        found = list(parse_workflow(document, Path("f"), built_in().documents).faults)
    assert found
    for violation in found:
        assert not re.search(r"None|True|False|\{'|\['|does not match|is not of type|schema", violation.message), (
            violation
        )
