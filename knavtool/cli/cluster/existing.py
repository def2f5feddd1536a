"""What the commands of `knavtool cluster` do with `--engine existing`, and the options that are for it alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Optional, TypeAlias

import typer

from knavtool.cli import options
from knavtool.cli.output import print_rows
from knavtool.cli.running import run_async
from knavtool.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from knavtool.cluster.components.records import Component
    from knavtool.cluster.engines.existing.plan import Plan
    from knavtool.helm import Helm

Charts: TypeAlias = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--chart",
        envvar="KNAVTOOL_CHART",
        metavar="NAME=PATH",
        help="With --engine existing: use this chart, a directory or an archive, for a component; repeat it for more.",
    ),
]
Grafana: TypeAlias = Annotated[
    bool,
    typer.Option("--grafana", envvar="KNAVTOOL_GRAFANA", help="With --engine existing: install Grafana too."),
]
TakeOwnership: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--take-ownership",
        envvar="KNAVTOOL_TAKE_OWNERSHIP",
        help="With --engine existing: take over what somebody else installed; `cluster down` removes it then.",
    ),
]
Repair: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--repair", envvar="KNAVTOOL_REPAIR", help="With --engine existing: move pods of components off virtual nodes."
    ),
]
Yes: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--yes",
        "-y",
        envvar="KNAVTOOL_YES",
        help="With --engine existing: do not ask about a cluster that has real nodes.",
    ),
]
DownTimeout: TypeAlias = Annotated[
    str,
    typer.Option(
        "--timeout",
        envvar="KNAVTOOL_TIMEOUT",
        help="With --engine existing: how long the removal may take.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options of `cluster up`; `timeout` is in seconds."""

    components: Sequence[str]
    without: Sequence[str]
    prometheus: bool
    charts: Sequence[str]
    directories: Sequence[str]
    grafana: bool
    take_ownership: bool
    repair: bool
    yes: bool
    dry_run: bool
    timeout: float


def up(target: options.Target, asked: Asked) -> None:
    """Look, ask if need be, then install."""
    plan, helm, context = run_async(_plan(target, asked))
    if asked.dry_run:
        from knavtool.cluster.engines.existing.plan import describe

        print("\n".join(describe(plan)))
        return
    if plan.needs_consent and not asked.yes:
        _require_consent(plan, context)
    run_async(_up(target, asked, plan, helm))


def down(target: options.Target, timeout: str) -> None:
    """Remove what `up` installed, and tell what was kept."""
    from knavtool.documents.duration import parse_duration

    run_async(_down(target, None, parse_duration(timeout)))


def status(target: options.Target, output: options.Output) -> bool:
    """Print what `up` installed; whether all of it works."""
    return run_async(_status(target, output))


async def _plan(target: options.Target, asked: Asked) -> tuple[Plan, Helm | None, str]:
    """Fetch and render what is wanted, and look at the cluster; the helm if one is needed, and the context's name."""
    from knavtool.cli.programs import helm as find_helm
    from knavtool.cli.programs import toolchain_from_environment
    from knavtool.cli.progress import steps as progress
    from knavtool.cluster.components.credentials import require_credentials
    from knavtool.cluster.engines.existing.plan import make_plan
    from knavtool.cluster.engines.existing.prepare import Preparation
    from knavtool.kube.client import connect

    components = wanted_components(
        target, asked.components, asked.without, prometheus=asked.prometheus, directories=asked.directories
    )
    charts = wanted_charts(asked.charts, components)
    credentials = require_credentials(components, target.environment)
    async with connect(kubeconfig=target.kubeconfig, context=target.context, environment=target.environment) as client:
        with progress(target.settings) as steps:
            helm = await find_helm(target, steps) if any(one.chart is not None for one in components) else None
            helm = helm and helm.hiding(credentials)
            preparation = Preparation(
                toolchain=toolchain_from_environment(target.environment),
                helm=helm,
                local=charts,
                options={"grafana"} if asked.grafana else (),
                kube_version=client.server_version,
                steps=steps,
                credentials=credentials,
            )
            installations = [await preparation.component(one) for one in components]
            plan = await make_plan(client, installations, take_ownership=asked.take_ownership)
        return plan, helm, client.context or client.server


def wanted_components(
    target: options.Target,
    with_: Sequence[str],
    without: Sequence[str],
    *,
    prometheus: bool,
    directories: Sequence[str] = (),
) -> tuple[Component, ...]:
    """What is asked for, what every cluster has, and what these need."""
    from knavtool.cluster.components.catalogue import Catalogue, parse_wanted

    catalogue = Catalogue.load(target.environment, directories=directories)
    roles = ("nodes", "monitoring") if prometheus else ("nodes",)
    always = {one.name: "" for role in roles for one in catalogue.with_role(role) if one.in_cluster}
    left_out = parse_wanted(without, "--without")
    wanted = {**always, **parse_wanted(with_)}
    return catalogue.ordered({name: version for name, version in wanted.items() if name not in left_out})


def wanted_charts(pairs: Sequence[str], components: Sequence[Component]) -> dict[str, Path]:
    """The charts of `--chart NAME=PATH`; raises UsageError for one of a component that is not wanted or has none."""
    from knavtool.cluster.charts import local_charts

    charts = local_charts(pairs)
    if unknown := sorted(charts.keys() - {one.name for one in components if one.chart is not None}):
        raise UsageError(f"--chart {unknown[0]}=...: {unknown[0]} is no wanted component with a chart")
    return charts


def _require_consent(plan: Plan, context: str) -> None:
    """Ask somebody at the terminal for the context's name; raises UsageError if there is nobody or it is another."""
    said = f"the cluster of context {context} has {plan.real_nodes} real nodes and nothing of knavtool yet"
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{said}; nothing was changed", hint="if it is the right cluster, say so with --yes")
    sys.stderr.write(f"{said}.\nTo install components there, type the name of the context: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != context:
        raise UsageError("that is not the name of the context; nothing was changed")


async def _up(target: options.Target, asked: Asked, plan: Plan, helm: Helm | None) -> None:
    from knavtool.cli.progress import steps as progress
    from knavtool.cluster.components.catalogue import parse_wanted
    from knavtool.cluster.engines.existing.up import up as install
    from knavtool.kube.client import connect

    if without := parse_wanted(asked.without, "--without"):
        await _down(target, list(without), asked.timeout)
    async with connect(kubeconfig=target.kubeconfig, context=target.context, environment=target.environment) as client:
        with progress(target.settings) as steps, steps.step("cluster", f"context {client.context}") as step:
            await install(client, helm, plan, repair=asked.repair, timeout=asked.timeout, steps=step.nested())


async def _down(target: options.Target, only: list[str] | None, timeout: float) -> None:
    from knavtool.cli.programs import helm as find_helm
    from knavtool.cli.progress import steps as progress
    from knavtool.cluster.engines.existing.down import down as remove
    from knavtool.kube.client import connect

    async with connect(kubeconfig=target.kubeconfig, context=target.context, environment=target.environment) as client:
        with progress(target.settings) as steps:
            count, kept = await remove(
                client, lambda: find_helm(target, steps), only=only, timeout=timeout, steps=steps
            )
    print(f"{count} components removed" if count else "there is nothing of knavtool in this cluster")
    for one in kept:
        print(f"kept {one}")


async def _status(target: options.Target, output: options.Output) -> bool:
    from knavtool.cluster.engines.existing.status import status as look
    from knavtool.kube.client import connect

    async with connect(kubeconfig=target.kubeconfig, context=target.context, environment=target.environment) as client:
        rows = await look(client)
    print_rows(rows, output)
    return all(row.state == "healthy" for row in rows)
