"""What becomes of a plan, from rendering to cleanup; the command line and the server share it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from knavtool.errors import InvalidDocument
from knavtool.workflow import rendering, runner
from knavtool.workflow.preflight.check import preflight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractAsyncContextManager

    from knavtool.catalogue.advice import Advice
    from knavtool.errors import Violation
    from knavtool.events import Steps
    from knavtool.helm import Helm
    from knavtool.kube.client import Client
    from knavtool.kube.prometheus import Prometheus
    from knavtool.workflow.plan import Plan
    from knavtool.workflow.task import Recorded, Task, Terminal


async def carry_out(
    plan: Plan,
    *,
    helm: Helm,
    connect: Callable[[], AbstractAsyncContextManager[Client]],
    prometheus: Callable[[Client], AbstractAsyncContextManager[Prometheus]],
    warn_about_exits: Callable[[str, Steps], AbstractAsyncContextManager[None]],
    advise: Callable[[str], Advice] | None = None,
    steps: Steps,
    cleanup: bool,
    cleanup_timeout: float,
    terminal: Terminal | None = None,
    recorded: Recorded | None = None,
) -> bool:
    """render > connect > preflight > execute; True if every check passed, KnavError as `runner.execute` raises it.

    `prometheus` is asked only if a task needs it, and `terminal` is where somebody may press Enter. `warn_about_exits`
    warns of processes that end during the run, and `advise` knows which components could be installed: both are asked
    by the URL of the API server. `recorded` takes what becomes of pods and nodes, and measures it.
    """
    plan.warn(steps)
    tasks = [planned.task for planned in plan.tasks()]
    if terminal is None and (wrong := [violation for task in tasks for violation in task.without_terminal()]):
        raise InvalidDocument(wrong)
    rendered = await rendering.render(plan, helm)
    async with connect() as gateway, warn_about_exits(gateway.server, steps), AsyncExitStack() as stack:
        if recorded is not None:
            await stack.enter_async_context(recorded.connected(gateway.server))
        advice = advise(gateway.server) if advise is not None else None
        for warning in await preflight(gateway, rendered, cleanup=cleanup, advice=advice):
            steps.note(warning, warning=True)
        asked = None
        if asking := [task for task in tasks if task.asks_prometheus]:
            asked = await stack.enter_async_context(prometheus(gateway))
            await ask_first(asked, asking)
        return await runner.execute(
            rendered,
            gateway,
            steps=steps,
            cleanup=cleanup,
            cleanup_timeout=cleanup_timeout,
            terminal=terminal,
            prometheus=asked,
            recorded=recorded,
            figures=lambda: {"requests": gateway.requests, "retries": gateway.retries, "qps": gateway.qps},
        )


async def ask_first(prometheus: Prometheus, tasks: Iterable[Task]) -> None:
    """Let each task ask before anything is sent; raises InvalidDocument with all that is refused.

    ClusterError if that Prometheus does not answer now.
    """
    wrong: list[Violation] = []
    for task in tasks:
        try:
            await task.ask_first(prometheus)
        except InvalidDocument as error:
            wrong += error.violations
    if wrong:
        raise InvalidDocument(wrong)
