"""What a command line asks for, as a bench: a file, or the workflows of a directory and a list of contenders."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knavtool.catalogue.catalogue import Catalogue, parse_wanted
from knavtool.documents.bench_file import BenchFile, Contender, load_bench_file
from knavtool.documents.cluster_file import ClusterFile
from knavtool.errors import UsageError
from knavtool.measure.names import all_names
from knavtool.measure.threshold import known_measure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FILE = "bench.yml"
PLAIN = ("kubernetes", "k8s")
"""Contenders without components, and what their setup is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line asked for, as `--resume` needs it again. Paths are whole, `timeout` in seconds.

    `existing` tells that repetitions take place in the cluster of a context.
    """

    path: str
    on: tuple[str, ...] = ()
    workload: str | None = None
    repetitions: int | None = None
    warm_up: bool | None = None
    retries: int | None = None
    timeout: float | None = None
    baseline: str | None = None
    measures: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    existing: bool = False
    kubeconfig: str | None = None
    context: str | None = None


def bench_file(asked: Asked, environment: Mapping[str, str]) -> BenchFile:
    """The bench that is asked for; raises InvalidDocument or UsageError."""
    path = Path(asked.path)
    if not path.is_dir():
        if asked.on or asked.workload:
            option = "--on" if asked.on else "--workload"
            raise UsageError(f"{option} goes with a directory of workflows, and {path} is a file")
        file = load_bench_file(path, all_names())
    elif asked.on:
        file = _of_directory(path, asked, environment)
    elif (path / FILE).is_file():
        file = load_bench_file(path / FILE, all_names())
    else:
        hint = "name contenders with --on, for example --on kueue,volcano"
        raise UsageError(f"{path} has no {FILE}", hint=hint)
    for name in asked.measures:
        known_measure(name)
    if asked.baseline is not None:
        file = replace(file, baseline=file.contender(asked.baseline).name)
    return replace(
        file,
        repetitions=asked.repetitions or file.repetitions,
        warm_up=file.warm_up if asked.warm_up is None else asked.warm_up,
        retries=file.retries if asked.retries is None else asked.retries,
        timeout=asked.timeout or file.timeout,
        measures=asked.measures or file.measures,
        variables={**file.variables, **asked.variables},
        matrix={name: values for name, values in file.matrix.items() if name not in asked.variables},
    )


def _of_directory(path: Path, asked: Asked, environment: Mapping[str, str]) -> BenchFile:
    """The bench of a directory that has config-nodes.yml, config-CONTENDER.yml and run-*.yml, as benchmarks have."""
    workload = _workload(path, asked.workload)
    nodes = path / "config-nodes.yml"
    catalogue = Catalogue.load(environment)
    contenders = []
    for text in asked.on:
        components = {} if text in PLAIN else parse_wanted([text.replace("+", ",")], "--on")
        for name in components:
            catalogue.component(name)
        setups = [f"config-{name}.yml" for name in components or PLAIN]
        found = tuple(path / one for one in setups if (path / one).is_file())
        if not found:
            there = sorted(one.stem.removeprefix("config-") for one in path.glob("config-*.yml"))
            listed = ", ".join(one for one in there if one != "nodes")
            raise UsageError(f"--on {text}: {path} has no {setups[0]}", hint=f"there are setups for: {listed}")
        cluster = ClusterFile(file=str(path), components=components, prometheus=False)
        contenders.append(Contender(name=text, cluster=cluster, setup=found[:1]))
    names = [one.name for one in contenders]
    if len(set(names)) < len(names):
        raise UsageError("--on names a contender twice")
    template = load_bench_file(path / FILE, all_names()) if (path / FILE).is_file() else None
    fresh = BenchFile(
        name=path.name,
        file=str(path),
        workload=workload,
        nodes=(nodes,) if nodes.is_file() else (),
        contenders=tuple(contenders),
        baseline=names[0],
    )
    if template is None:
        return fresh
    # What the file of the directory says of the workload holds for any contenders.
    return replace(
        fresh,
        description=template.description,
        variables=template.variables,
        matrix=template.matrix,
        measures=template.measures,
        timeout=template.timeout,
        takes=template.takes,
        same_within=template.same_within,
        verdict=tuple(one for one in template.verdict if one.value is not None),
    )


def _workload(path: Path, name: str | None) -> tuple[Path, ...]:
    found: Sequence[Path] = sorted(path.glob("run-*.yml"))
    if name is not None:
        chosen = [one for one in found if name in (one.name, one.stem, one.stem.removeprefix("run-"))]
        if not chosen:
            listed = ", ".join(one.name for one in found)
            raise UsageError(f"--workload {name}: {path} has no such workload", hint=f"there are: {listed}")
        return (chosen[0],)
    if len(found) != 1:
        listed = ", ".join(one.name for one in found)
        hint = f"choose one with --workload: {listed}" if found else "name a bench file"
        raise UsageError(
            f"{path} has {len(found) or 'no'} workload{'s' if len(found) != 1 else ''}, run-*.yml", hint=hint
        )
    return (found[0],)
