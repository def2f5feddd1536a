"""The schema of workflows is merged from the task types, and ships."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from knavtool.workflow.registry import merged
from knavtool.workflow.task import Block, Task
from knavtool.workflow.tasks import BLOCKS, TASKS, TYPES

ROOT = Path(__file__).resolve().parents[3]


def test_what_is_made_from_the_code_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    monkeypatch.setenv("COLUMNS", "80")
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    stale = [str(file) for file, text in generate["outputs"]().items() if file.read_text() != text]
    assert stale == [], "run: make generate"


def test_every_type_is_a_task_or_a_block() -> None:
    assert {*TASKS, *BLOCKS} == set(TYPES)
    assert all(issubclass(type_, Task) for type_ in TASKS.values())
    assert all(issubclass(type_, Block) for type_ in BLOCKS.values())


@pytest.mark.parametrize("name", TYPES)
def test_a_type_is_merged_alone(name: str) -> None:
    definitions = merged({name: TYPES[name]})["$defs"]
    task = definitions["task"]
    assert task["properties"]["type"]["enum"] == [name]
    assert [clause["then"]["properties"]["params"]["$ref"] for clause in task["allOf"]] == [f"#/$defs/{name}"]
    assert set(_references(definitions[name])) <= set(definitions)


def _references(value: Any) -> list[str]:
    """The definitions that a schema refers to."""
    if isinstance(value, dict):
        own = [value["$ref"].removeprefix("#/$defs/")] if isinstance(value.get("$ref"), str) else []
        return own + [name for inner in value.values() for name in _references(inner)]
    return [name for inner in value for name in _references(inner)] if isinstance(value, list) else []
