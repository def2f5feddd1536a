"""The labels of nodes, which tell where a pod is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.kube.resource import NODES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.kube.gateway import Gateway


async def node_labels(gateway: Gateway) -> dict[str, Mapping[str, str]]:
    """The labels of each node."""
    labels: dict[str, Mapping[str, str]] = {}
    async for page in gateway.pages(NODES, metadata_only=True):
        for node in page:
            labels[node["metadata"]["name"]] = node["metadata"].get("labels", {})
    return labels
