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

    from knavtool.documents.entries import NodeEntry
    from knavtool.helm import Helm
    from knavtool.render.manifests import Manifest

STAMP = "knavtool-node-name-5d20b6e8"
"""Stands for the node's name in a prototype."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBatch:
    """Nodes that differ in their name and hostname only; `slices` are the prototypes of each node's ResourceSlices."""

    prototype: Manifest
    names: tuple[str, ...]
    slices: tuple[Manifest, ...] = ()
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

    def slice_manifests(self, name: str) -> list[Manifest]:
        """The ResourceSlices of one node, without its uid, which only the server knows."""
        decoded: list[Manifest] = orjson.loads(orjson.dumps(self.slices).replace(STAMP.encode(), name.encode()))
        return decoded

    def with_prototype(self, prototype: Manifest) -> NodeBatch:
        """The same names from another prototype."""
        return replace(self, prototype=prototype, _encoded=[])

    def with_label(self, key: str, value: str) -> NodeBatch:
        """The same nodes and slices with a label more."""
        slices = tuple(_marked(item, "labels", key, value) for item in self.slices)
        return replace(self.with_prototype(_marked(self.prototype, "labels", key, value)), slices=slices)

    def yaml(self) -> Iterator[str]:
        """All nodes with their slices as YAML documents; the prototypes are written once and stamped."""
        text = dump([self.prototype, *self.slices])
        # A name like 1e-0 would be a number to the readers of YAML; as the beginning of another name it is none.
        form = "{}" if self.names and self.names[0][0].isalpha() else '"{}"'
        for name in self.names:
            yield text.replace(f"{STAMP}-", f"{name}-").replace(STAMP, form.format(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSet:
    """All nodes of a values file, and the DeviceClasses of their devices."""

    batches: tuple[NodeBatch, ...]
    device_classes: tuple[Manifest, ...] = ()

    def __len__(self) -> int:
        return sum(len(batch.names) for batch in self.batches)

    def annotated(self, key: str, value: str) -> NodeSet:
        """The same nodes with an annotation more."""
        batches = (batch.with_prototype(_marked(batch.prototype, "annotations", key, value)) for batch in self.batches)
        return replace(self, batches=tuple(batches))

    def labeled(self, key: str, value: str) -> NodeSet:
        """The same nodes, slices and classes with a label more."""
        return NodeSet(
            batches=tuple(batch.with_label(key, value) for batch in self.batches),
            device_classes=tuple(_marked(item, "labels", key, value) for item in self.device_classes),
        )

    def names(self) -> list[str]:
        """The names of all nodes in the file's order."""
        return [name for batch in self.batches for name in batch.names]

    def manifests(self) -> Iterator[Manifest]:
        """All objects as plain data: the classes, then each node with its slices."""
        yield from self.device_classes
        for batch in self.batches:
            for name in batch.names:
                yield batch.manifest(name)
                yield from batch.slice_manifests(name)

    def yaml(self) -> Iterator[str]:
        """The same as YAML documents."""
        yield from (dump([item]) for item in self.device_classes)
        for batch in self.batches:
            yield from batch.yaml()


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
    nodes = [item for item in rendered if item["kind"] == "Node"]
    if len(nodes) != len(present):
        raise RenderError(f"the virtual-nodes chart gave {len(nodes)} nodes for {len(present)} entries")
    batches = []
    for node, (_, names) in zip(nodes, present, strict=True):
        own = node["metadata"]["name"]
        slices = [item for item in rendered if item["kind"] == "ResourceSlice" and item["spec"]["nodeName"] == own]
        batches.append(
            NodeBatch(
                prototype=_prototype(node, own),
                names=tuple(names),
                slices=tuple(_prototype(item, own) for item in slices),
            )
        )
    classes = (item for item in rendered if item["kind"] == "DeviceClass")
    return NodeSet(batches=tuple(batches), device_classes=tuple(classes))


def _prototype(item: Any, name: str) -> Manifest:
    prototype: Manifest = orjson.loads(orjson.dumps(item).replace(name.encode(), STAMP.encode()))
    return prototype


def _marked(item: Manifest, part: str, key: str, value: str) -> Manifest:
    """The object with one label or annotation more."""
    metadata = item["metadata"]
    return {**item, "metadata": {**metadata, part: {**(metadata.get(part) or {}), key: value}}}
