"""The virtual nodes of a values file, marked as knavtool's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.nodes.ownership import MANAGED_BY, OURS
from knavtool.render.nodes import render_nodes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knavtool.documents.entries import NodeEntry
    from knavtool.helm import Helm
    from knavtool.render.nodes import NodeSet


async def render_owned(helm: Helm, entries: Sequence[NodeEntry]) -> NodeSet:
    """Nodes, slices and device classes with the label that says whose they are. One call of Helm; RenderError."""
    return (await render_nodes(helm, entries)).labeled(MANAGED_BY, OURS)
