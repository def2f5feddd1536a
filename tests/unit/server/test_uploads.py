"""What is made of the files of a request, and which files of the server can be reached by them: none."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import yaml

from knavtool.documents.workflow_reader import load_workflows
from knavtool.errors import InvalidDocument
from knavtool.server import uploads
from knavtool.server.collecting import collect
from knavtool.server.models import Submission
from knavtool.workflow import plan
from knavtool.workflow.registry import built_in
from support.workflows import JOB, register, submit, write


def workflow(template: str = "job.yml") -> str:
    return yaml.safe_dump({"name": "x", "tasks": [register(template=template), submit()]})


def template_of(planned: plan.Plan) -> str:
    (registration,) = planned.scope.registrations.values()
    assert registration.template is not None
    return str(registration.template.file)


@pytest.mark.parametrize(
    ("name", "template", "file"),
    [
        ("wf.yml", "job.yml", "job.yml"),
        ("wf.yml", "./a/../job.yml", "job.yml"),
        ("a/b/wf.yml", "job.yml", "job.yml"),
        ("a/b/wf.yml", "t/job.yml", "a/b/t/job.yml"),
        ("a/b/wf.yml", "t/job.yml", "a/t/job.yml"),
        ("a/b/wf.yml", "../t/job.yml", "a/t/job.yml"),
    ],
)
def test_templates_are_found_among_the_files(name: str, template: str, file: str) -> None:
    planned = uploads.planned(Submission(files={name: workflow(template), file: JOB}, workflows=[name]), built_in())
    assert template_of(planned) == file


def test_the_working_directory_comes_first() -> None:
    files = {"a/wf.yml": workflow(), "a/job.yml": JOB, "b/job.yml": JOB.replace("Job", "Other")}
    planned = uploads.planned(Submission(files=files, workflows=["a/wf.yml"], working_directory="b"), built_in())
    (registration,) = planned.scope.registrations.values()
    assert registration.template is not None
    assert "Other" in registration.template.blocks[0]


@pytest.mark.parametrize(
    "template",
    [
        "{outside}/job.yml",
        "../job.yml",
        "a/../../job.yml",
        "link/job.yml",
        "link.yml",
        "~/job.yml",
        "/etc/passwd",
        "etc/passwd",
        "../" * 30 + "etc/passwd",
        "a\0b",
        "a" * 5000,
        "loop/job.yml",
        "/dev/stdin",
    ],
)
def test_no_file_outside_can_be_reached(template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    for directory in (root, outside):
        directory.mkdir()
    for directory in (tmp_path, outside):
        (directory / "job.yml").write_text(JOB)
    (root / "link").symlink_to(outside)
    (root / "link.yml").symlink_to(outside / "job.yml")
    (root / "loop").symlink_to("loop")
    monkeypatch.setenv("HOME", str(outside))
    monkeypatch.chdir(outside)
    text = workflow(template.replace("{outside}", str(outside)))
    for make in (
        lambda: uploads.planned_alone(text, built_in()),
        lambda: uploads.planned_alone(text, built_in(), templates=root),
        lambda: uploads.planned(Submission(files={"wf.yml": text}, workflows=["wf.yml"]), built_in()),
    ):
        with pytest.raises(InvalidDocument, match=r"there is no template|expected the path of a file") as error:
            make()
        assert str(root) not in str(error.value)


def test_links_inside_the_root_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real.yml").write_text(JOB)
    (tmp_path / "job.yml").symlink_to("real.yml")
    assert template_of(uploads.planned_alone(workflow(), built_in(), templates=tmp_path)) == "job.yml"


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    uploads.planned(Submission(files={"wf.yml": workflow(), "job.yml": JOB}, workflows=["wf.yml"]), built_in())
    with pytest.raises(InvalidDocument):
        uploads.planned_alone("tasks: [", built_in())
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("directory", [".", "a", "other/b"])
def test_what_a_client_collects_gives_the_plan_it_has(
    directory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / directory
    for each in (here, tmp_path / "a" / "t", tmp_path / "c"):
        each.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(here)
    one = write(tmp_path / "a", register(template="../c/job.yml"), submit())
    other = write(tmp_path / "c", submit("again"), name="two.yml")
    local = plan.build(load_workflows([one, other], built_in().documents), search=[here])
    sent = Submission.model_validate(collect(local, directory=here), strict=True)
    assert template_of(uploads.planned(sent, built_in())).endswith("c/job.yml")
    assert [task.document.id for task in uploads.planned(sent, built_in()).tasks()] == ["register", "job", "again"]
    assert all(text in (JOB, one.read_text(), other.read_text()) for text in sent.files.values())
