"""The workflows that ship with the project, and how tests run them."""

from __future__ import annotations

import itertools
from pathlib import Path

from knavtool import resources
from knavtool.kube.client import Client
from knavtool.kube.resource import (
    CUSTOM_RESOURCE_DEFINITIONS,
    DEVICE_CLASSES,
    JOBS,
    NAMESPACES,
    NODES,
    PODS,
    RESOURCE_SLICES,
)
from knavtool.measure.measuring import measure_file
from knavtool.measure.table import Measured
from support.control_plane import LocalCluster

Combination = tuple[Path, ...]

REPORTS = Path(__file__).parents[2] / "reports"
"""Where the reports of shipped workflows stay after the tests."""
WORKFLOWS = resources.data_directory() / "workflows"
BENCHMARKS = WORKFLOWS / "benchmarks"
BENCHES = sorted(BENCHMARKS.rglob("bench*.yml"))
ALL = sorted(file for file in WORKFLOWS.rglob("*.yml") if file.parent.name != "templates" and file not in BENCHES)
# A scheduler that is not built from source here: test_workflows.py plans and renders what it runs.
# The quick start uses nodes that are there already: test_first_run.py runs it. Those of two clusters: test_kueue.py.
_ELSEWHERE = {"kai", "workflows", "multikueue"}
_KINDS = (NODES, NAMESPACES, JOBS, PODS, RESOURCE_SLICES, DEVICE_CLASSES, CUSTOM_RESOURCE_DEFINITIONS)


def alone(*directories: str) -> list[Combination]:
    """Workflows that need no other file, of these directories or of all."""
    files = [file for file in ALL if BENCHMARKS not in file.parents]
    return [(file,) for file in files if not directories or file.parent.name in directories]


def combined(benchmark: str = "*", configuration: str = "*", run: str = "*") -> list[Combination]:
    """The nodes of a benchmark, one configuration, one run."""
    found: list[Combination] = []
    for directory in sorted(BENCHMARKS.glob(benchmark)):
        nodes = directory / "config-nodes.yml"
        configurations = [file for file in sorted(directory.glob(f"config-{configuration}.yml")) if file != nodes]
        found += itertools.product([nodes], configurations, sorted(directory.glob(f"run-{run}.yml")))
    return found


def elsewhere(files: Combination) -> bool:
    """Whether these workflows are not run on the clusters of test_schedulers.py."""
    if BENCHMARKS in files[0].parents:
        return bool(_ELSEWHERE & {file.stem.removeprefix("config-") for file in files})
    return files[0].parent.name in _ELSEWHERE


def argument(files: Combination) -> str:
    """The files as a user names them, with braces."""
    if len(files) == 1:
        return str(files[0])
    return f"{files[0].parent}/{{{','.join(file.stem for file in files)}}}.yml"


def called(given: object) -> str | None:
    """The name of a test case."""
    if isinstance(given, tuple):
        return argument(given).removeprefix(f"{WORKFLOWS}/")
    return str(given.relative_to(WORKFLOWS)) if isinstance(given, Path) else None


def run(cluster: LocalCluster, files: Combination, **settings: object) -> Measured:
    """Run workflows to their end, as a user does; nothing of it may stay but its report, which people may look at."""
    before = _there(cluster)
    chosen = itertools.chain(*(("--set", f"{name}={value}") for name, value in settings.items()))
    report = (
        REPORTS
        / cluster.name
        / "_".join(str(file.relative_to(WORKFLOWS).with_suffix("")) for file in files).replace("/", "-")
    )
    cluster.cli("run", argument(files), "--cleanup", "--report", report, *chosen, timeout=400)
    # What a test before left terminating may have gone meanwhile.
    assert [one for one in _there(cluster) if one not in before] == []
    assert (report / "report.html").stat().st_size < 3_000_000
    measured = measure_file(report)
    assert measured.about.whole
    assert measured.about.passed
    assert measured.about.clock == "audit"
    return measured


def _there(cluster: LocalCluster) -> list[str]:
    """The objects of the cluster that workflows could leave behind."""

    async def ask(client: Client) -> list[str]:
        return [f"{kind.kind} {item['metadata']['name']}" for kind in _KINDS for item in await client.list(kind)]

    return sorted(cluster.ask(ask))
