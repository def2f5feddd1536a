"""The virtual nodes of a values file, on a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.harness.limits import rate_limit
from knavtool.harness.programs import helm
from knavtool.kube.connecting import connect
from knavtool.nodes.apply import apply_nodes
from knavtool.nodes.ownership import MADE_BY, NODES_APPLY
from knavtool.render.nodes import render_nodes

if TYPE_CHECKING:
    from knavtool.documents.values import NodeValues
    from knavtool.events import Steps
    from knavtool.harness.target import Target


async def make_nodes(values: NodeValues, target: Target, *, steps: Steps, timeout: float) -> None:
    """Make the cluster's virtual nodes those of the file, and wait until they are Ready."""
    rendered = await render_nodes(await helm(target, steps), values.entries)
    async with connect(
        kubeconfig=target.kubeconfig,
        context=target.context,
        environment=target.environment,
        limit=rate_limit(target.environment, None, None),
    ) as gateway:
        await apply_nodes(gateway, rendered.annotated(MADE_BY, NODES_APPLY), steps=steps, timeout=timeout)
