"""Task types of other packages: the sample is built and installed as a user would do it, and what is wrong is told."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from knavtool import resources
from knavtool.errors import ExitCode, InvalidDocument, PluginError
from knavtool.kube.resource import JOBS, NAMESPACES
from knavtool.workflow import plugins
from knavtool.workflow.registry import Registry
from knavtool.workflow.tasks import TYPES
from support.cli import run_cli
from support.memory import Memory
from support.nodes import Cluster
from support.workflows import Bench, jobs, planned, register, submit, task

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "tests" / "plugins" / "sample"
DOCUMENT = (ROOT / "docs" / "extending.md").read_text()
FILES: dict[str, str] = dict(re.findall(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL))
WORKFLOW = FILES["check.yml"]


def install(source: Path, target: Path) -> None:
    """`pip install`, into a directory and without the network."""
    flags = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "install", *flags, "--target", target, source], check=True)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that the sample package is installed in."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in ("pyproject.toml", "knavtool_sample.py"):
        (source / name).write_text((SAMPLE / name).read_text())
    install(source, target)
    return target


def test_the_document_shows_the_sample() -> None:
    assert {file.name for file in SAMPLE.iterdir() if file.is_file()} == {"pyproject.toml", "knavtool_sample.py"}
    for file in SAMPLE.iterdir():
        if file.is_file():
            assert FILES[file.name] == file.read_text()


@pytest.mark.slow
def test_an_installed_type_is_known_to_all_commands(sample: Path, tmp_path: Path) -> None:
    (tmp_path / "check.yml").write_text(WORKFLOW)
    (tmp_path / "bad.yml").write_text(WORKFLOW.replace("name: kube", "nam: kube"))
    here = {"PYTHONPATH": str(sample)}
    assert run_cli("validate", "check.yml", cwd=tmp_path, env=here).stderr == "check.yml: ok\n"
    assert "check (CheckNamespace)" in run_cli("run", "check.yml", "--dry-run", cwd=tmp_path, env=here).stdout
    refused = run_cli("validate", "bad.yml", cwd=tmp_path, env=here, check=ExitCode.BAD_INPUT).stderr
    assert "tasks[0].params.nam: unknown field 'nam'; did you mean 'name'?" in refused
    merged = json.loads(run_cli("schema", "workflow", env=here).stdout)
    assert merged["$defs"]["CheckNamespace"]["description"] == "Checks that a namespace exists."
    assert merged["$defs"]["CheckNamespace"]["additionalProperties"] is False
    shipped = resources.schema("workflow").read_text()
    assert run_cli("schema", "workflow").stdout == shipped
    assert run_cli("schema", "workflow", "--no-plugins", env=here).stdout == shipped
    for options, env in ((["--no-plugins"], here), ([], {**here, "KNAVTOOL_NO_PLUGINS": "1"})):
        done = run_cli("validate", "check.yml", *options, cwd=tmp_path, env=env, check=ExitCode.BAD_INPUT)
        assert "'CheckNamespace' is not one of Configure" in done.stderr


@pytest.fixture
def _fresh(monkeypatch: pytest.MonkeyPatch, sample: Path) -> Iterator[None]:
    """The sample is installed for this process."""
    monkeypatch.syspath_prepend(str(sample))
    plugins.installed.cache_clear()
    yield
    plugins.installed.cache_clear()
    sys.modules.pop("knavtool_sample", None)


@pytest.mark.usefixtures("_fresh")
async def test_an_installed_type_runs(tmp_path: Path) -> None:
    cluster = Cluster()
    given = [task("CheckNamespace", name, name=name) for name in ("there", "gone")]
    plan = planned(tmp_path, *given, types=plugins.installed())
    await cluster.create(NAMESPACES, {"metadata": {"name": "there"}})
    bench = Bench(cluster)
    assert (await bench.run(plan, "there")).message == "there is a namespace there"
    gone = await bench.run(plan, "gone")
    assert (gone.passed, gone.message) == (False, "there is no namespace gone")


CLASS = """
from knavtool.workflow.api import Outcome, Task

class Odd(Task):
    tasks_api = 1
    summary = "Does nothing."
    schema = {"properties": {"a": {"type": "string", "description": "Text."}}}

    async def run(self, context, scope):
        return Outcome()
"""


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("Odd", CLASS.replace("import Outcome", "import Outcom"), "odd_types:Odd: ImportError: cannot import name"),
        ("Odd", "1 / 0", "odd_types:Odd: ZeroDivisionError: division by zero"),
        ("Odd", "x = 1", "odd_types:Odd: AttributeError: module 'odd_types' has no attribute 'Odd'"),
        ("Odd", "class Odd: pass", "odd_types:Odd is no subclass of knavtool.workflow.api.Task"),
        ("Odd", CLASS.replace("tasks_api = 1", "tasks_api = 2"), "is written for version 2 of the interface; this kna"),
        ("Odd", CLASS.replace("tasks_api = 1", ""), "odd_types:Odd names no tasks_api; this knavtool has version 1"),
        ("Odd", CLASS.replace("def run", "def go"), "odd_types:Odd lacks run"),
        ("Odd", CLASS.replace("summary =", "about ="), "odd_types:Odd needs a summary and a schema"),
        ("Odd", CLASS.replace('"string"', '"text"'), "its schema is none: 'text' is not valid"),
        ("Odd", CLASS.replace('"type": "string"', '"$ref": "#/$defs/nothing"'), "its schema is none: KeyError"),
        ("Sleep", CLASS, "knavtool has one of that name"),
        ("odd", CLASS, "its name has to be a capital letter with letters and digits after it"),
    ],
)
def test_what_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, message: str
) -> None:
    (tmp_path / "odd_types.py").write_text(text)
    information = tmp_path / "odd-2.1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 2.1\n")
    (information / "entry_points.txt").write_text(f"[{plugins.GROUP}]\n{name} = odd_types:Odd\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.installed.cache_clear()
    try:
        with pytest.raises(PluginError) as caught:
            plugins.installed()
    finally:
        sys.modules.pop("odd_types", None)
        plugins.installed.cache_clear()
    assert f"the task type {name} of the package odd 2.1 cannot be used: " in caught.value.message
    assert message in caught.value.message
    assert caught.value.hint.startswith("update or uninstall odd, or leave out all task types of other packages")


def test_two_packages_with_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd_types.py").write_text(CLASS)
    for package in ("first", "second"):
        information = tmp_path / f"{package}-1.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
        (information / "entry_points.txt").write_text(f"[{plugins.GROUP}]\nOdd = odd_types:Odd\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.installed.cache_clear()
    with pytest.raises(PluginError, match=r"the task type Odd of the package \w+ 1 cannot be used: \w+ 1 has one of"):
        plugins.installed()
    sys.modules.pop("odd_types", None)
    plugins.installed.cache_clear()


def test_the_document_adds_a_type_to_knavtool(tmp_path: Path) -> None:
    """Its blocks, followed to the letter in a copy of the package."""
    for name in ("knavtool", "schemas", "charts", "docs"):
        subprocess.run(["cp", "-r", ROOT / name, tmp_path / name], check=True)
    module = "knavtool/workflow/tasks/check_namespace.py"
    (tmp_path / module).write_text(FILES[module])
    table = tmp_path / "knavtool" / "workflow" / "tasks" / "__init__.py"
    for block in re.findall(r"^```diff\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL):
        lines = block.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line.startswith(" "))
        assert before in table.read_text()
        table.write_text(table.read_text().replace(before, "".join(line[1:] for line in lines), 1))
    (tmp_path / "check.yml").write_text(WORKFLOW)

    def python(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    assert python("-m", "knavtool", "validate", "check.yml") == "check.yml: ok\n"
    python("docs/generate.py")
    assert '"title": "CheckNamespace"' in (tmp_path / "schemas/workflow.schema.json").read_text()
    assert "CheckNamespace:\n" in (tmp_path / "charts/knavtool/files/rights.yaml").read_text()
    assert '"CheckNamespace"' in (tmp_path / "charts/knavtool/values.schema.json").read_text()
    assert (
        "| `CheckNamespace` | checks that a namespace exists | **name** |"
        in (tmp_path / "docs/workflows.md").read_text()
    )


def module(monkeypatch: pytest.MonkeyPatch, name: str, source: str) -> Any:
    """A module of this source."""
    made = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, made)
    exec(source, vars(made))  # noqa: S102 - a file of ours
    return made


async def test_the_check_of_the_document_that_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = re.findall(r"^#### A check that waits\n.*?^```python\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    type_ = module(monkeypatch, "check_annotation", source).CheckAnnotation
    registry = Registry.of({**TYPES, "CheckAnnotation": type_})
    checks = [
        task("CheckAnnotation", "now", refTaskId="job", key="a"),
        task("CheckAnnotation", "later", refTaskId="job", key="a", timeout="10s"),
    ]
    built = planned(tmp_path, register(), submit(), *checks, types=registry)
    memory = Memory()
    bench = Bench(memory)
    await bench.run(built, "job", jobs("one", "two"))
    assert (await bench.run(built, "now")).message == "0 of 2 objects have a"

    async def annotate() -> None:
        for name in ("one", "two"):
            await memory.patch(JOBS, name, {"metadata": {"annotations": {"a": ""}}}, namespace="default")

    waiting = asyncio.create_task(bench.run(built, "later"))
    await asyncio.sleep(0)
    await annotate()
    outcome = await waiting
    assert (outcome.passed, outcome.message) == (True, "2 of 2 objects have a")
    with pytest.raises(InvalidDocument, match="no earlier SubmitObj task has the id 'none'"):
        planned(tmp_path, task("CheckAnnotation", refTaskId="none", key="a"), types=registry)


async def test_the_test_of_the_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = re.findall(r"^```python\n(async def test_.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    type_ = module(monkeypatch, "check_namespace", FILES["knavtool/workflow/tasks/check_namespace.py"]).CheckNamespace
    registry = Registry.of({**TYPES, "CheckNamespace": type_})
    names = {"Path": Path, "Memory": Memory, "NAMESPACES": NAMESPACES, "Bench": Bench, "task": task}
    names |= {"planned": partial(planned, types=registry)}
    exec("from __future__ import annotations\n" + source, names)  # noqa: S102
    await names["test_a_namespace_is_there"](tmp_path)
