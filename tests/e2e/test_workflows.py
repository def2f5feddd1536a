"""The workflows that ship: each of them plans and renders. test_schedulers.py runs them."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from knavtool import resources
from knavtool.workflow.references.templates import find_template
from support.programs import program
from support.shipped import (
    ALL,
    BENCHES,
    BENCHMARKS,
    WORKFLOWS,
    Combination,
    alone,
    argument,
    called,
    combined,
    elsewhere,
)

Cli = Callable[..., CompletedProcess[str]]

TEMPLATES = sorted(WORKFLOWS.rglob("templates/*.yml"))
# Nodes, jobs and pods of the benchmarks by what runs; the gangs fill the nodes nine times.
LOADS = {
    "benchmarks/gang-scheduling/run-test.yml": (32, 53, 9 * 32),
    "benchmarks/scaling/run-many-jobs.yml": (700, 700, 700),
    "benchmarks/scaling/run-one-job.yml": (700, 1, 700),
}


def manifests(text: str) -> list[dict[str, Any]]:
    """The objects of a dry run."""
    return [item for item in yaml.load_all(text, yaml.CSafeLoader) if item]


def sizes_of_jobs(objects: list[dict[str, Any]]) -> list[int]:
    """How many pods each Job, of Kubernetes or of Volcano, asks for."""
    specs = [item["spec"] for item in objects if item["kind"] == "Job"]
    return [spec["tasks"][0]["replicas"] if "tasks" in spec else spec["parallelism"] for spec in specs]


@pytest.fixture
def cli(knavtool: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line with this machine's Helm, far from the workflows."""
    monkeypatch.setenv("KNAVTOOL_HELM_BINARY", str(program("helm")))
    return knavtool


def test_every_file_is_tested() -> None:
    assert {file for files in [*alone(), *combined()] for file in files} == set(ALL)
    assert {str(files[-1].relative_to(WORKFLOWS)) for files in combined()} >= LOADS.keys()


@pytest.mark.parametrize("file", ALL, ids=called)
def test_a_file_introduces_itself(file: Path) -> None:
    first, second, third, *_ = file.read_text().splitlines()
    schema = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert schema is not None
    assert (file.parent / schema[1]).resolve() == resources.data_directory().resolve() / "schemas/workflow.schema.json"
    assert second.startswith("name: ")
    assert third.startswith("description: ")


def test_names_tell_workflows_apart() -> None:
    names = Counter(yaml.safe_load(file.read_text())["name"] for file in ALL)
    assert [name for name, number in names.items() if number > 1] == []


def test_every_template_says_what_it_makes_and_is_used() -> None:
    tasks = [(file, task) for file in ALL for task in yaml.safe_load(file.read_text())["tasks"]]
    named = [(file, task["params"]["template"]) for file, task in tasks if task["type"] == "RegisterObj"]
    assert {find_template(name, file, [])[0].resolve() for file, name in named} == set(TEMPLATES)
    assert [template for template in TEMPLATES if not template.read_text().startswith("# ")] == []


def test_the_table_of_the_directory_names_every_file() -> None:
    table = (WORKFLOWS / "README.md").read_text()
    assert [file.name for file in [*ALL, *BENCHES] if f"`{file.relative_to(WORKFLOWS)}`" not in table] == []


def test_all_files_are_valid(cli: Cli) -> None:
    cli("validate", *map(argument, [*alone(), *combined()]), *BENCHES)


@pytest.mark.parametrize("file", BENCHES, ids=called)
def test_contenders_of_a_bench_can_run_here(file: Path, cli: Cli) -> None:
    """Their components are in the catalogue and their setups are those of the benchmark."""
    planned = cli("bench", file, "--dry-run", "--repeat", "1", "--no-warm-up").stdout.splitlines()
    contenders = yaml.safe_load(file.read_text())["contenders"]
    assert [line.split(None, 1)[1] for line in planned[:-1]] == [f"{one['name']}, repetition 1" for one in contenders]
    known = {one["name"] for one in yaml.safe_load(cli("components", "list", "-o", "yaml").stdout)}
    for one in contenders:
        names = [name.partition("=")[0] for name in one.get("with", ())]
        assert set(names) <= known
        assert one["setup"] == f"config-{names[0] if names else 'k8s'}.yml"


def planned_only() -> list[Combination]:
    """What test_schedulers.py does not run, or runs smaller than it is."""
    found = [files for files in [*alone(), *combined()] if elsewhere(files)]
    smaller = {_relative(files): files for files in combined() if _relative(files) in LOADS}
    return [*found, *(files for files in smaller.values() if files not in found)]


def _relative(files: Combination) -> str:
    return str(files[-1].relative_to(WORKFLOWS))


@pytest.mark.parametrize("files", planned_only(), ids=called)
def test_a_workflow_plans_and_renders(cli: Cli, files: Combination) -> None:
    objects = manifests(cli("run", "--dry-run", argument(files)).stdout)
    assert objects
    assert "<no value>" not in str(objects)
    if (expected := LOADS.get(_relative(files))) is not None:
        nodes = sum(item["kind"] == "Node" for item in objects)
        sizes = sizes_of_jobs(objects)
        assert (nodes, len(sizes), sum(sizes)) == expected


def test_variables_make_a_benchmark_smaller(cli: Cli) -> None:
    settings = {"nodes": 4, "jobs": 3, "ttl": "7s"}
    files = BENCHMARKS / "scaling" / "{config-nodes,config-k8s,run-many-jobs}.yml"
    chosen = itertools.chain(*(("--set", f"{name}={value}") for name, value in settings.items()))
    done = cli("run", "--dry-run", files, *chosen)
    kinds = Counter(item["kind"] for item in manifests(done.stdout))
    assert kinds == {"Node": 4, "Job": 3}
    assert done.stdout.count("pod-complete.stage.kwok.x-k8s.io/delay: 7s") == 3
