"""What becomes of a plan, from rendering to cleanup; the command line and the server share it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.workflow import rendering, runner
from knavtool.workflow.preflight import preflight

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from knavtool.events import Steps
    from knavtool.helm import Helm
    from knavtool.kube.gateway import Gateway
    from knavtool.workflow.plan import Plan


async def carry_out(
    plan: Plan,
    *,
    helm: Helm,
    connect: Callable[[], AbstractAsyncContextManager[Gateway]],
    steps: Steps,
    cleanup: bool,
    cleanup_timeout: float,
) -> bool:
    """render > connect > preflight > execute; True if every check passed, KnavError as `runner.execute` raises it."""
    rendered = await rendering.render(plan, helm)
    async with connect() as gateway:
        await preflight(gateway, rendered)
        return await runner.execute(rendered, gateway, steps=steps, cleanup=cleanup, cleanup_timeout=cleanup_timeout)
