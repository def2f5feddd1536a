"""A plan carried out on a cluster, with what only the engines know: its Prometheus, its processes, its components."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from knavtool.engines.local.exits import warn_about_exits
from knavtool.engines.local.prometheus import find_prometheus
from knavtool.harness.programs import advice
from knavtool.harness.target import connected
from knavtool.workflow import execution

if TYPE_CHECKING:
    from collections.abc import Callable

    from knavtool.events import Steps
    from knavtool.harness.recording import RunRecording
    from knavtool.harness.target import Target
    from knavtool.helm import Helm
    from knavtool.kube.connection.limiting import RateLimit
    from knavtool.report.facts import Facts
    from knavtool.workflow.plan import Plan
    from knavtool.workflow.task import Terminal


async def carry_out(
    plan: Plan,
    target: Target,
    *,
    helm: Helm,
    steps: Steps,
    facts: Facts,
    limit: Callable[[str], RateLimit],
    cleanup: bool,
    cleanup_timeout: float,
    prometheus: str | None = None,
    terminal: Terminal | None = None,
    recording: RunRecording | None = None,
) -> bool:
    """As `workflow.execution.carry_out` does; `prometheus` is its URL, if it is not that of the cluster."""
    environment = target.environment
    return await execution.carry_out(
        plan,
        helm=helm,
        connect=partial(connected, target, limit, facts),
        steps=steps,
        cleanup=cleanup,
        cleanup_timeout=cleanup_timeout,
        terminal=terminal,
        prometheus=partial(find_prometheus, url=prometheus, environment=environment),
        warn_about_exits=partial(warn_about_exits, environment),
        advise=partial(advice, environment),
        recorded=recording,
    )
