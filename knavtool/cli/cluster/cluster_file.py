"""`knavtool cluster up -f`: what a file says together with the options, and the file that they amount to."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from knavtool.cli.options import Target
    from knavtool.documents.cluster_file import ClusterFile
    from knavtool.documents.values import NodeValues
    from knavtool.harness.clusters import Prepared, Request

T = TypeVar("T")


class PlanOutput(StrEnum):
    """How a cluster is written down."""

    YAML = "yaml"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What `up` was given besides what is wanted of the cluster."""

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


def node_values(said: ClusterFile) -> NodeValues | None:
    """The nodes that a file lists or names; raises InvalidDocument if they are wrong."""
    from knavtool.documents.values import NodeValues, load_values

    if said.nodes is None:
        return None
    return load_values(said.nodes) if isinstance(said.nodes, Path) else NodeValues(entries=said.nodes, file=said.file)


def apply_nodes(target: Target, request: Request, given: Given) -> None:
    """Make the nodes of the cluster those of the file."""
    from knavtool.cli.nodes.apply import apply_values
    from knavtool.cli.running import run_async

    if given.nodes is not None:
        there = replace(target, kubeconfig=request.wanted.kubeconfig, context=request.files.context)
        run_async(apply_values(there, given.nodes, given.timeout, prune=True, dry_run=False, take_ownership=False))


def print_plan(prepared: Prepared, given: Given) -> None:
    """Print the file that says the cluster."""
    from knavtool.documents.yaml import dump
    from knavtool.engines.local.written import written

    request = prepared.request
    document = written(request.files, request.wanted, prepared.plan, prepared.release)
    if request.binaries:
        document["programs"] = dict(text.split("=", 1) for text in request.binaries)
    if given.written_nodes is not None:
        document["nodes"] = given.written_nodes
    if given.output is PlanOutput.JSON:
        print(json.dumps(document, indent=2))
    else:
        print("# yaml-language-server: $schema=cluster.schema.json\n" + dump([document]), end="")
