"""What is asked of the API server before the first task runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.errors import NotFound
from knavtool.kube.concurrency import for_each

if TYPE_CHECKING:
    from knavtool.kube.gateway import Gateway
    from knavtool.workflow.rendering import RenderedPlan


async def preflight(gateway: Gateway, rendered: RenderedPlan) -> None:
    """Raises NotFound with every kind that the server does not serve, so that no run stops halfway for one."""
    refused = await for_each(sorted(rendered.kinds()), lambda kind: gateway.discover(*kind))
    for _, error in refused:
        if not isinstance(error, NotFound):
            raise error
    if refused:
        text = "\n".join(dict.fromkeys(error.message for _, error in refused))
        raise NotFound(f"{text}\nnothing was changed", status=404, hint=refused[0][1].hint)
