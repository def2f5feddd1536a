"""Virtual nodes: each entry is rendered once by Helm, its nodes are stamped from that prototype."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson

from knavtool import resources
from knavtool.documents.values import node_names
from knavtool.documents.yaml import dump, load_rendered
from knavtool.errors import RenderError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from knavtool.documents.values import NodeEntry
    from knavtool.helm import Helm
    from knavtool.render.manifests import Manifest

STAMP = "knavtool-node-name-5d20b6e8"
"""Stands for the node's name in a prototype."""

MANAGED_BY = "app.kubernetes.io/managed-by"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBatch:
    """Nodes that differ in their name and hostname only."""

    prototype: Manifest
    names: tuple[str, ...]
    _encoded: list[bytes] = field(default_factory=list, compare=False, repr=False)

    def body(self, name: str) -> bytes:
        """One node as JSON."""
        if not self._encoded:
            self._encoded.append(orjson.dumps(self.prototype))
        return self._encoded[0].replace(STAMP.encode(), name.encode())

    def manifest(self, name: str) -> Manifest:
        """One node as plain data."""
        decoded: Manifest = orjson.loads(self.body(name))
        return decoded

    def with_prototype(self, prototype: Manifest) -> NodeBatch:
        """The same names from another prototype."""
        return replace(self, prototype=prototype, _encoded=[])

    def yaml(self) -> Iterator[str]:
        """All nodes as YAML documents; the prototype is written once and stamped."""
        text = dump([self.prototype])
        # A name like 1e-0 would be a number to the readers of YAML.
        form = "{}" if self.names and self.names[0][0].isalpha() else '"{}"'
        for name in self.names:
            yield text.replace(STAMP, form.format(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSet:
    """All nodes of a values file."""

    batches: tuple[NodeBatch, ...]

    def __len__(self) -> int:
        return sum(len(batch.names) for batch in self.batches)

    def names(self) -> list[str]:
        """The names of all nodes in the file's order."""
        return [name for batch in self.batches for name in batch.names]

    def manifests(self) -> Iterator[Manifest]:
        """All nodes as plain data."""
        for batch in self.batches:
            for name in batch.names:
                yield batch.manifest(name)


async def render_nodes(helm: Helm, entries: Sequence[NodeEntry], *, chart: Path | None = None) -> NodeSet:
    """Render with one call of Helm, whatever the number of nodes; raises RenderError."""
    present = [(entry, names) for entry, names in zip(entries, node_names(entries), strict=True) if names]
    if not present:
        return NodeSet(batches=())
    # Every entry gets a prefix of its own, so that one node of each is rendered and told apart.
    single = [
        {**entry.values(), "count": 1, "namePrefix": f"{STAMP}-{index}"} for index, (entry, _) in enumerate(present)
    ]
    text = await helm.template(chart or resources.chart("virtual-nodes"), values={"nodes": single})
    rendered = load_rendered(text)
    if len(rendered) != len(present):
        raise RenderError(f"the virtual-nodes chart gave {len(rendered)} nodes for {len(present)} entries")
    return NodeSet(
        batches=tuple(
            NodeBatch(prototype=_prototype(node, f"{STAMP}-{index}-0"), names=tuple(names))
            for index, (node, (_, names)) in enumerate(zip(rendered, present, strict=True))
        )
    )


def _prototype(node: Any, name: str) -> Manifest:
    stamped: Manifest = orjson.loads(orjson.dumps(node).replace(name.encode(), STAMP.encode()))
    stamped["metadata"]["labels"][MANAGED_BY] = "knavtool"
    return stamped
