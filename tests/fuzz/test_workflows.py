"""Whatever a workflow file holds: a plan or plain words with a place, nothing sent by half, nothing left behind."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from fuzz import documents, odd
from fuzz.cases import cases
from fuzz.running import plain, planned_from, through
from fuzz.world import KINDS, Trouble
from knavtool.documents import workflow_reader
from knavtool.errors import InvalidDocument, RenderError
from knavtool.helm import Helm
from knavtool.workflow import rendering
from knavtool.workflow.tasks import TYPES
from support.programs import program
from support.shipped import ALL as SHIPPED

REFUSED = st.frozensets(st.integers(0, 12), max_size=6)
TROUBLES = st.none() | st.builds(Trouble, st.sampled_from(KINDS), st.integers(1, 12))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a workflow would stand, beside its templates."""
    directory = tmp_path_factory.mktemp("fuzz")
    documents.write_templates(directory)
    return directory / "wf.yml"


def test_every_task_type_is_drawn() -> None:
    assert set(documents.TYPES) == set(TYPES) - {"Pause"}, "give each type a weight in TYPES of documents.py"


def written(document: Any) -> str:
    return yaml.safe_dump(document, sort_keys=False)


@cases(500)
@given(document=documents.workflows(), trouble=TROUBLES)
def test_nearly_valid_documents(file: Path, document: Any, trouble: Trouble | None) -> None:
    through(written(document), file, trouble)


@cases(200)
@given(document=documents.workflows())
def test_read_leniently(file: Path, document: Any) -> None:
    through(written(document), file, lenient=True)


@pytest.mark.slow
@cases(300)
@given(document=documents.sound(), trouble=TROUBLES, refused=REFUSED)
def test_sound_workflows_in_trouble(
    file: Path, document: Any, trouble: Trouble | None, refused: frozenset[int]
) -> None:
    assert through(written(document), file, trouble, refused=refused) is not None


@pytest.mark.slow
@cases(400)
@given(data=st.data(), trouble=TROUBLES)
def test_shipped_workflows_with_changes(data: st.DataObject, trouble: Trouble | None) -> None:
    shipped = data.draw(st.sampled_from(SHIPPED))
    through(written(data.draw(odd.changed(yaml.safe_load(shipped.read_text())))), shipped, trouble)


@cases(400)
@given(data=st.data())
def test_shipped_workflows_scrawled_upon(data: st.DataObject) -> None:
    shipped = data.draw(st.sampled_from(SHIPPED))
    through(data.draw(odd.scrawled(shipped.read_text())), shipped)


@cases(200)
@given(template=odd.TEXTS, name=odd.TEXTS, pods=odd.TEXTS, count=odd.LEAVES, given_=odd.VALUES)
@example(template="~no-such-user/x", name="", pods="", count="", given_=None)
@example(template="x" * 500, name="", pods="", count="", given_=None)
@example(template="job.yml", name="x", pods="(" * 3000 + ")" * 3000, count="1", given_=1)
def test_odd_formats(file: Path, template: str, name: str, pods: str, count: Any, given_: Any) -> None:
    formats = {"nameFormat": name, "podNameFormat": pods, "podCount": count}
    params = {"namespace": "default", "parallelism": given_}
    tasks = [
        {"id": "odd", "type": "RegisterObj", "params": {"template": template, **formats}},
        {"id": "register", "type": "RegisterObj", "params": {"template": "job.yml", **formats}},
        {"id": "job", "type": "SubmitObj", "params": {"refTaskId": "register", "params": params}},
    ]
    through(written({"tasks": tasks[1:]}), file)
    through(written({"tasks": tasks}), file)


@cases(40)
@given(document=documents.workflows(), given_=odd.VALUES)
def test_what_helm_renders(file: Path, document: Any, given_: Any) -> None:
    """The same with the real engine, which takes a tenth of a second a time."""
    for task in document["tasks"][:2]:
        if task["type"] == "SubmitObj" and isinstance(task["params"].get("params"), dict):
            task["params"]["params"]["labels"] = given_
    text = written(document)
    planned = planned_from(text, file)
    if planned is None:
        return
    try:
        rendered = asyncio.run(rendering.render(planned, Helm(program("helm"))))
    except (InvalidDocument, RenderError) as error:
        plain(error.message, text)
    else:
        "".join(rendered.text()).encode()


@pytest.mark.parametrize("depth", [10, 35, 200])
@pytest.mark.parametrize("count", [1, 2, 1000])
def test_blocks_in_blocks_end_with_a_plan_or_a_fault(file: Path, depth: int, count: int) -> None:
    block = f"{{id: a, type: Repeat, params: {{count: {count}, tasks: ["
    text = f"tasks: [{block * depth}{{id: s, type: Sleep, params: {{timeout: 1s}}}}{']}}' * depth}]\n"
    planned = planned_from(text, file)
    assert (planned is not None) == (depth < 33 and count**depth <= 100_000)


def test_loops_in_loops_end_with_a_fault(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflow_reader, "_MOST_ROUNDS", 500)
    task: Any = {"id": "s", "type": "Sleep", "params": {"timeout": "1s"}}
    for name in ("a", "b", "c"):
        task = {"id": name, "type": "Parallel", "foreach": {name: list(range(200))}, "params": {"tasks": [task]}}
    assert planned_from(written({"tasks": [task]}), file) is None


def test_numbers_and_texts_that_cannot_be_written(file: Path) -> None:
    for odd_one in ("0x" + "f" * 5000, "9" * 5000, r'"\ud800"', "[" * 150 + "]" * 150):
        assert planned_from(f"tasks: [{{id: {odd_one}, type: Sleep, params: {{timeout: 1s}}}}]", file) is None
        assert planned_from(f"tasks: [{{id: a, type: Sleep, params: {{timeout: {odd_one}}}}}]", file) is None
