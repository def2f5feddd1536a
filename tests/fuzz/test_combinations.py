"""Tasks after each other, on objects of several rounds, kinds and namespaces of which some were refused.

Whatever the combination: no task breaks, each says what is so, and nothing stays behind.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fuzz import documents
from fuzz.cases import cases
from fuzz.running import through

GIVEN = {"namespace": "default", "parallelism": 1, "labels": "{}"}
EACH = {**GIVEN, "namespace": "${space}"}
SPACES = {"space": ["default", "team-a", "team-b"]}
KINDS = {"file": ["job.yml", "two.yml"]}


def submit(reference: str = "job.yml", params: Any = None, **more: Any) -> dict[str, Any]:
    count = more.pop("count", 1)
    given_ = {"refTaskId": reference, "params": params or GIVEN, "count": count}
    return {"id": "many", "type": "SubmitObj", "params": given_, "continueOnError": True, **more}


def block(type_: str, *tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "block", "type": type_, "params": {"tasks": list(tasks)}, "continueOnError": True, **more}


SETTINGS = {
    "several": submit(count=3),
    "namespaces": submit(params=EACH, foreach=SPACES),
    "kinds": submit("${file}", foreach=KINDS),
    "two documents": submit("two.yml", count=2),
    "namespaces and kinds": block("Repeat", submit("${file}", EACH, foreach=KINDS), foreach=SPACES),
    "parallel": block("Parallel", submit(params=EACH, foreach=SPACES)),
    "rounds": {**block("Repeat", submit()), "params": {"count": 2, "tasks": [submit()]}},
}
ONLY_JOBS = ("several", "namespaces", "parallel", "rounds")
REFUSED = [frozenset(numbers) for numbers in ((), (0,), (1,), (0, 2), (2, 3), range(99))]
FOLLOWERS: dict[str, dict[str, Any]] = {
    "look": {"type": "CheckObj", "params": {"state": {"x": None}}},
    "wait": {"type": "CheckObj", "params": {"state": {"x": None}, "timeout": "5s"}},
    "pods": {"type": "CheckPod", "params": {"status": "Running"}},
    "pods in time": {"type": "CheckPod", "params": {"status": "Running", "timeout": "5s"}},
    "gangs": {"type": "CheckPlacement", "params": {"allOrNothing": True}},
    "gangs in time": {"type": "CheckPlacement", "params": {"nodes": ["real"], "timeout": "5s"}},
    "waiting": {"type": "CheckPlacement", "params": {"waiting": "1s"}},
    "update": {"type": "UpdateObj", "params": {"state": {"metadata": {"labels": {"a": "b"}}}}},
    "delete": {"type": "DeleteObj", "params": {}},
    "delete and wait": {"type": "DeleteObj", "params": {"wait": True}},
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("combinations")
    documents.write_templates(directory)
    return directory / "wf.yml"


def carried_out(file: Path, setting: str, refused: frozenset[int], followers: tuple[str, ...]) -> None:
    """Run them, and compare what the tasks say with what is so."""
    templates = ("job.yml", "two.yml")
    formats = {"nameFormat": "y{{._ENUM_}}", "podNameFormat": "y[0-9]+-.*", "podCount": 1}
    tasks = [{"id": name, "type": "RegisterObj", "params": {"template": name, **formats}} for name in templates]
    tasks.append(SETTINGS[setting])
    for number, name in enumerate(followers):
        params = {"refTaskId": "many", **FOLLOWERS[name]["params"]}
        tasks.append({**FOLLOWERS[name], "id": f"t{number}", "params": params, "continueOnError": True})
    record = through(yaml.safe_dump({"tasks": tasks}, sort_keys=False), file, refused=refused)
    assert record is not None
    whole = all(str(one.result) == "ok" for one in record.walk() if one.kind == "task" and one.name == "many")
    results = {one.name: one for one in record.walk() if one.kind == "task"}
    for number, name in enumerate(followers):
        expected = said(name, whole, setting in ONLY_JOBS)
        one = results[f"t{number}"]
        assert expected is None or (str(one.result) == "ok") == expected, (name, one.message)
        whole = whole and not name.startswith("delete")


def said(name: str, whole: bool, only_jobs: bool) -> bool | None:
    """Whether a task succeeds when all objects are there, or not; None if that is another question."""
    if name.startswith("delete"):
        return True
    if name in ("look", "wait", "update"):
        # These are about the first document of a template; what was refused may have been the second.
        return whole or (False if only_jobs else None)
    if name == "waiting":
        # The pods that there are have nodes.
        return False if whole and only_jobs else None
    return whole if only_jobs else None


PAIRS = list(enumerate(product(FOLLOWERS, FOLLOWERS)))


@pytest.mark.parametrize("first", FOLLOWERS)
def test_every_task_after_every_other(file: Path, first: str) -> None:
    settings = list(SETTINGS)
    for number, pair in PAIRS:
        if pair[0] == first:
            # Each pair in one setting and with one refusal; together they go through all of these.
            carried_out(file, settings[number % len(settings)], REFUSED[number % 11 % len(REFUSED)], pair)


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_check_in_every_setting_with_every_refusal(file: Path, setting: str) -> None:
    for number, (refused, name) in enumerate(product(REFUSED, ("wait", "pods", "gangs in time"))):
        others = list(FOLLOWERS)
        carried_out(file, setting, refused, (name, others[number % len(others)]))


@cases(200)
@given(
    setting=st.sampled_from(list(SETTINGS)),
    refused=st.frozensets(st.integers(0, 8), max_size=5),
    followers=st.tuples(*[st.sampled_from(list(FOLLOWERS))] * 3),
)
def test_three_tasks(file: Path, setting: str, refused: frozenset[int], followers: tuple[str, ...]) -> None:
    carried_out(file, setting, refused, followers)
