"""`knavtool cluster up -f`: what a file says together with the options, and the file that they amount to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from knavtool.cli.options import Target
    from knavtool.documents.cluster_file import ClusterFile
    from knavtool.documents.values import NodeValues
    from knavtool.engines.local.plan import Plan, Wanted
    from knavtool.engines.local.state.layout import ClusterFiles

T = TypeVar("T")


class PlanOutput(StrEnum):
    """How a cluster is written down."""

    YAML = "yaml"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What `up` was given besides what is wanted of the cluster; `directories` and `binaries` are `NAME=PATH`."""

    directories: Sequence[str]
    binaries: Sequence[str]
    nodes: NodeValues | None
    written_nodes: object
    timeout: float
    dry_run: bool
    output: PlanOutput | None


@dataclass(frozen=True, slots=True)
class Picker:
    """Chooses between an option and a file: the option, if the command line or the environment gives it."""

    context: typer.Context

    def __call__(self, parameter: str, option: T, said: T | None) -> T:
        """The value of a parameter of the command."""
        source = self.context.get_parameter_source(parameter)
        given = source is not None and source.name in ("COMMANDLINE", "ENVIRONMENT")
        return option if given or said is None else said


def pairs(paths: Mapping[str, Path]) -> list[str]:
    """As options take them."""
    return [f"{name}={path}" for name, path in paths.items()]


def node_values(said: ClusterFile) -> NodeValues | None:
    """The nodes that a file lists or names; raises InvalidDocument if they are wrong."""
    from knavtool.documents.values import NodeValues, load_values

    if said.nodes is None:
        return None
    return load_values(said.nodes) if isinstance(said.nodes, Path) else NodeValues(entries=said.nodes, file=said.file)


def apply_nodes(target: Target, wanted: Wanted, files: ClusterFiles, given: Given) -> None:
    """Make the nodes of the cluster those of the file."""
    from knavtool.cli.nodes.apply import apply_values
    from knavtool.cli.running import run_async

    if given.nodes is not None:
        there = replace(target, kubeconfig=wanted.kubeconfig, context=files.context)
        run_async(apply_values(there, given.nodes, given.timeout, prune=True, dry_run=False, take_ownership=False))


def print_plan(files: ClusterFiles, wanted: Wanted, plan: Plan, given: Given, release: str) -> None:
    """Print the file that says the cluster."""
    from knavtool.documents.yaml import dump
    from knavtool.engines.local.written import written

    document = written(files, wanted, plan, release)
    if given.binaries:
        document["programs"] = dict(text.split("=", 1) for text in given.binaries)
    if given.written_nodes is not None:
        document["nodes"] = given.written_nodes
    if given.output is PlanOutput.JSON:
        print(json.dumps(document, indent=2))
    else:
        print("# yaml-language-server: $schema=cluster.schema.json\n" + dump([document]), end="")
