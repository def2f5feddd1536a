"""Everything that is wrong with workflows is found before anything runs, with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from knavtool.documents.workflow_reader import load_workflows
from knavtool.errors import InvalidDocument
from knavtool.workflow import plan
from knavtool.workflow.registry import built_in
from support.workflows import JOB, faults, planned, register, submit, task, write

CHECK = task("CheckPod", "check", refTaskId="job", status="Running")


def test_a_good_workflow_has_no_faults(tmp_path: Path) -> None:
    built = planned(tmp_path, register(), submit(count=3), submit("more"), CHECK)
    assert [task.document.type for task in built.tasks()] == ["RegisterObj", "SubmitObj", "SubmitObj", "CheckPod"]
    assert built.scope.submissions["more"].first_enum == 4


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ([submit(refTaskId="regster"), register()], "no earlier RegisterObj task has the id 'regster'"),
        ([submit(), register()], "the RegisterObj task 'register' comes later, at "),
        ([register(), submit(refTaskId="registr")], "did you mean 'register'?"),
        ([register(), CHECK, submit()], "the SubmitObj task 'job' comes later"),
        (
            [register(), task("CheckPod", "c", refTaskId="nope", status="Running")],
            "no earlier SubmitObj task has the id",
        ),
        ([register(), register()], "the id 'register' is taken by the RegisterObj task at"),
        ([register(), submit(), submit()], "the id 'job' is taken by the SubmitObj task at"),
        ([register(podNameFormat=None)], "podCount needs podNameFormat"),
        ([register(podCount=None)], "podNameFormat needs podCount"),
        ([register(podNameFormat=None, podCount=None), submit(), CHECK], "has no podNameFormat and podCount"),
        ([register(nameFormat="job"), submit(count=2)], "2 objects would get one name"),
        ([register(nameFormat=None), submit()], "prints {{._NAME_}}, but the RegisterObj task 'register' has no name"),
        ([register(template="nope.yml")], "there is no template 'nope.yml'; looked at nope.yml, "),
        (
            [register(), submit(params={"namespace": "x"})],
            "the template prints {{.parallelism}} (job.yml:7), which is not",
        ),
        ([register(nameFormat="{{.x}}"), submit()], "nameFormat prints {{.x}} ("),
        (
            [register(podNameFormat="{{._NAME_}}-("), submit()],
            "'name-(' is no regular expression: a parenthesis is not",
        ),
        ([register(podNameFormat="a(?=b)"), submit()], "lookaround"),
        ([register(podCount="{{.parallelism}} pods"), submit()], "podCount '2 pods' is not a whole number"),
        ([register(podCount="-{{.parallelism}}"), submit()], "is -2, expected 0 or more"),
        (
            [register(), submit(), task("CheckObj", refTaskId="job", state={"a": 1}, index=1)],
            "1 is out of range: job.yml has",
        ),
        (
            [register(), submit(), task("CheckObj", refTaskId="job", state={"a": 1}, timeout="-1s")],
            "must not be negative",
        ),
        ([task("Sleep", timeout="0s")], "must be longer than zero"),
        ([task("Configure", timeout="0s")], "must be longer than zero"),
        ([task("Configure", timeout="1s", nodes=[{"type": "mystery", "count": 1}])], "'mystery' is no preset"),
        ([task("DeleteObj", refTaskId="job")], "no earlier SubmitObj task has the id 'job'"),
    ],
)
def test_faults(tmp_path: Path, tasks: list[dict[str, Any]], said: str) -> None:
    found = faults(tmp_path, *tasks)
    assert any(said in violation.message for violation in found), found
    assert all(violation.file == str(tmp_path / "wf.yml") and violation.line for violation in found)


def test_all_faults_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    first = write(tmp_path, submit(refTaskId="a"), task("DeleteObj", refTaskId="c"), name="1.yml")
    second = write(tmp_path, task("DeleteObj", refTaskId="b"), name="2.yml")
    with pytest.raises(InvalidDocument) as caught:
        plan.build(load_workflows([first, second], built_in().documents), search=[tmp_path])
    assert [Path(violation.file).name for violation in caught.value.violations] == ["1.yml", "1.yml", "2.yml"]


def test_a_missing_template_is_told_once(tmp_path: Path) -> None:
    found = faults(tmp_path, register(template="nope.yml"), submit(), CHECK)
    assert len(found) == 1


def test_files_of_one_command_share_their_ids(tmp_path: Path) -> None:
    files = [write(tmp_path, register(), name="1.yml"), write(tmp_path, submit(), CHECK, name="2.yml")]
    built = plan.build(load_workflows(files, built_in().documents), search=[tmp_path])
    assert len(built.workflows) == 2


def test_a_template_is_looked_for_in_the_working_directory_first_then_above_the_file(tmp_path: Path) -> None:
    here, deep = tmp_path / "here", tmp_path / "a" / "b"
    here.mkdir()
    deep.mkdir(parents=True)
    file = write(deep, register())
    (deep / "job.yml").unlink()
    (tmp_path / "job.yml").write_text(JOB)
    built = plan.build(load_workflows([file], built_in().documents), search=[here])
    assert built.scope.registrations["register"].template.file == tmp_path / "job.yml"
    (here / "job.yml").write_text(JOB)
    built = plan.build(load_workflows([file], built_in().documents), search=[here])
    assert built.scope.registrations["register"].template.file == Path("job.yml")


def test_generated_names_do_not_collide(tmp_path: Path) -> None:
    template = JOB.replace("name: {{._NAME_}}", "generateName: job-")
    assert faults(tmp_path, register(nameFormat=None), submit(count=5), template=template) == []
