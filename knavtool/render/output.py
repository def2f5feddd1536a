"""What is rendered as files: nodes as manifests, a self-contained chart, a Kustomize base; components as a tree."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from knavtool import resources
from knavtool.atomic import FOR_PEOPLE, atomic_write, replacing
from knavtool.documents.yaml import dump
from knavtool.errors import UsageError, why_not
from knavtool.render.kustomize import KUSTOMIZATION, MARK, kustomization

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from knavtool.documents.entries import NodeEntry
    from knavtool.render.nodes import NodeSet

_NODES = "nodes.yaml"


def write_manifests(nodes: NodeSet, directory: Path) -> Path:
    """Write all nodes and what belongs to them to `directory/nodes.yaml`."""
    path = directory / _NODES
    with _writing(directory), replacing(path, mode=FOR_PEOPLE) as file:
        file.writelines(text.encode() for text in nodes.yaml())
    return path


def write_kustomize(nodes: NodeSet, directory: Path) -> None:
    """Write a Kustomize base that gives the same objects as the manifests."""
    write_manifests(nodes, directory)
    with _writing(directory):
        text = kustomization([_NODES] if len(nodes) else [])
        atomic_write(directory / KUSTOMIZATION, text, mode=FOR_PEOPLE)


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
        atomic_write(directory / "values.yaml", values, mode=FOR_PEOPLE)


def write_tree(files: Mapping[str, str], directory: Path) -> None:
    """Write files by path, relative to the directory: some at its top, the others in directories with a kustomization.

    Everything is written beside its place first. Directories that an earlier call wrote are replaced or, if there are
    no files for them any more, removed; everything else stays. Raises UsageError if something else is in the way.
    """
    tops = {path.partition("/")[0]: "/" in path for path in files}
    with _writing(directory):
        known = _is_ours(directory)
        for name, is_directory in tops.items():
            place = directory / name
            if place.exists() and not (_is_ours(place) if is_directory else known):
                raise UsageError(
                    f"{place} is there, and knavtool did not write it; nothing was changed",
                    hint="choose another --output-dir, or move it away",
                )
        new = Path(tempfile.mkdtemp(prefix=".knavtool-", dir=directory))
        try:
            for path, text in files.items():
                (new / path).parent.mkdir(parents=True, exist_ok=True)
                (new / path).write_text(text, encoding="utf-8")
            for old in [place for place in directory.iterdir() if place != new and _is_ours(place)]:
                shutil.rmtree(old)
            # The kustomization at the top, which names the directories, comes last.
            for name in sorted(tops, key=lambda name: (not tops[name], name == KUSTOMIZATION)):
                (new / name).replace(directory / name)
        finally:
            shutil.rmtree(new, ignore_errors=True)


def _is_ours(directory: Path) -> bool:
    """Whether the kustomization in a directory is one of those that `write_tree` wrote."""
    try:
        return (directory / KUSTOMIZATION).read_text(encoding="utf-8").startswith(MARK)
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return False


@contextmanager
def _writing(directory: Path) -> Iterator[None]:
    """Make the directory, and say what is wrong if something cannot be written there."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        yield
    except shutil.Error as error:
        raise UsageError(f"{directory}: cannot be written: {error.args[0][0][2]}") from None
    except OSError as error:
        hint = why_not(error, denied="choose another --output-dir", elsewhere="choose another --output-dir")
        raise UsageError(f"{error.filename or directory}: cannot be written: {error.strerror}", hint=hint) from None
