"""Rendered nodes as files: manifests, a self-contained chart, a Kustomize base."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from knavtool import resources
from knavtool.documents.yaml import dump
from knavtool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from knavtool.documents.values import NodeEntry
    from knavtool.render.nodes import NodeSet

_NODES = "nodes.yaml"


def write_manifests(nodes: NodeSet, directory: Path) -> Path:
    """Write all nodes and what belongs to them to `directory/nodes.yaml`."""
    path = directory / _NODES
    with _writing(directory), path.open("w", encoding="utf-8") as file:
        file.writelines(nodes.yaml())
    return path


def write_kustomize(nodes: NodeSet, directory: Path) -> None:
    """Write a Kustomize base that gives the same objects as the manifests."""
    write_manifests(nodes, directory)
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [_NODES] if len(nodes) else [],
    }
    with _writing(directory):
        (directory / "kustomization.yaml").write_text(dump([kustomization]), encoding="utf-8")


def write_chart(entries: Sequence[NodeEntry], directory: Path) -> None:
    """Write the virtual-nodes chart with the entries as its default values."""
    values = dump([{"nodes": [entry.values() for entry in entries]}])
    with _writing(directory):
        shutil.copytree(
            resources.chart("virtual-nodes"),
            directory,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("values-example.yaml", "values.yaml"),
        )
        (directory / "values.yaml").write_text(values, encoding="utf-8")


@contextmanager
def _writing(directory: Path) -> Iterator[None]:
    """Make the directory, and say what is wrong if something cannot be written there."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        yield
    except shutil.Error as error:
        raise UsageError(f"{directory}: cannot be written: {error.args[0][0][2]}") from None
    except OSError as error:
        raise UsageError(
            f"{error.filename or directory}: cannot be written: {error.strerror}", hint="choose another --output-dir"
        ) from None
