"""What the documents promise is there: links, targets of make, commands, examples, task types."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from knavtool import resources
from knavtool.documents.values import load_values
from knavtool.workflow.tasks import TYPES
from support.cli import commands

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "docs/workflows.md",
    "docs/bench.md",
    "docs/ci.md",
    "docs/diff.md",
    "docs/python.md",
    "docs/in-cluster.md",
    "docs/server.md",
    "docs/report.md",
    "docs/tuning.md",
]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    document = ROOT / name
    for target in re.findall(r"\]\(([^)#]+)", document.read_text()):
        assert target.startswith("https://") or (document.parent / target).exists(), target


def test_the_architecture_names_what_polls_and_what_looks_at_the_environment() -> None:
    said = (ROOT / "ARCHITECTURE.md").read_text()
    modules = {file.relative_to(ROOT / "knavtool"): file.read_text() for file in (ROOT / "knavtool").rglob("*.py")}
    waiting = {path for path, text in modules.items() if re.search(r"\bsleep\((?!0\))", text)}
    looking = {path for path, text in modules.items() if "os.environ" in text and path.parts[0] != "cli"}
    tasks = {Path("workflow/tasks/sleep.py"), Path("workflow/tasks/pause.py")}
    assert sorted(str(path) for path in (waiting - tasks) | looking if f"`{path}`" not in said) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_modules_that_are_named_exist(name: str) -> None:
    modules = {str(file.relative_to(ROOT / "knavtool")) for file in (ROOT / "knavtool").rglob("*.py")}
    files = {module.rpartition("/")[2] for module in modules}
    for named in re.findall(r"`([\w/]+\.py)`", (ROOT / name).read_text()):
        assert named.removeprefix("knavtool/") in (modules if "/" in named else files), named


def test_the_architecture_names_every_room() -> None:
    said = (ROOT / "ARCHITECTURE.md").read_text()
    for place in (".", "workflow"):
        for module in (ROOT / "knavtool" / place).iterdir():
            name = module.name.removesuffix(".py")
            if name.startswith("_") or not (module.suffix == ".py" or any(module.rglob("*.py"))):
                continue
            assert re.search(rf"^(\S+ \| )*{name}\b", said, flags=re.MULTILINE), name


@pytest.mark.parametrize("name", DOCUMENTS)
def test_targets_of_make_exist(name: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", (ROOT / name).read_text())) <= targets


def test_commands_of_the_readme_exist() -> None:
    section = (ROOT / "README.md").read_text().partition("## Commands")[2].partition("| exit code")[0]
    known = set(commands())
    for cell in re.findall(r"^\| (`.+?) \|", section, flags=re.MULTILINE):
        group: tuple[str, ...] = ()
        for words in re.findall(r"`([^`]+)`", cell):
            first, *rest = words.split()
            # `status` after `cluster up` means `cluster status`.
            if (first,) in known:
                group = (first,)
            elif not rest:
                rest = [first]
            for word in rest:
                assert (*group, word) in known, words


def test_the_values_example_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(example("## Values file"))
    assert [entry.count for entry in load_values(file).entries] == [2, 10]


def test_the_workflow_example_fits_the_schema() -> None:
    from jsonschema import Draft202012Validator

    schema = json.loads(resources.schema("workflow").read_text())
    Draft202012Validator(schema).validate(yaml.safe_load(example("## Workflow file")))


def test_every_task_type_is_listed() -> None:
    listed = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/workflows.md").read_text(), flags=re.MULTILINE))
    text = resources.schema("workflow").read_text()
    assert listed == set(TYPES)
    assert [name for name in listed if f'"{name}"' not in text] == []


def example(heading: str) -> str:
    """The first YAML block below a heading of the README."""
    return (ROOT / "README.md").read_text().partition(heading)[2].partition("```yaml\n")[2].partition("```")[0]
