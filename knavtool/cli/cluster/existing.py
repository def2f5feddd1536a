"""What the commands of `knavtool cluster` do with `--engine existing`, and the options that are for it alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from knavtool.cli import options
from knavtool.cli.cluster.charts import given_values, with_charts
from knavtool.cli.connection import Place, chosen_for_helm
from knavtool.cli.output import print_rows
from knavtool.cli.running import run_async
from knavtool.errors import UsageError

if TYPE_CHECKING:
    from knavtool.engines.existing.plan import Plan
    from knavtool.helm import Helm

Grafana: TypeAlias = Annotated[
    bool,
    typer.Option("--grafana", envvar="KNAVTOOL_GRAFANA", help="With --engine existing: install Grafana too."),
]
TakeOwnership: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--take-ownership",
        envvar="KNAVTOOL_TAKE_OWNERSHIP",
        help="With --engine existing: take over components that others installed; `cluster down` then removes them.",
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
        help="With --engine existing: do not ask for confirmation on a cluster with real nodes.",
    ),
]
DownYes: TypeAlias = Annotated[
    bool, typer.Option("--yes", "-y", envvar="KNAVTOOL_YES", help="Do not ask for confirmation.")
]
DownTimeout: TypeAlias = Annotated[
    str,
    typer.Option(
        "--timeout",
        envvar="KNAVTOOL_TIMEOUT",
        help="With --engine existing: time limit of the removal.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options of `cluster up`; `timeout` is in seconds."""

    components: Sequence[str]
    without: Sequence[str]
    prometheus: bool
    charts: Sequence[str]
    values: Sequence[str]
    directories: Sequence[str]
    grafana: bool
    take_ownership: bool
    repair: bool
    yes: bool
    dry_run: bool
    timeout: float


def up(target: options.Target, asked: Asked) -> None:
    """Look, ask if need be, then install: all of it in the one cluster that the kubeconfig named at the start."""
    with chosen_for_helm(target) as place:
        plan, helm = run_async(_plan(place, asked))
        if asked.dry_run:
            from knavtool.engines.existing.plan import describe

            print("\n".join(describe(plan)))
            return
        if plan.needs_consent and not asked.yes:
            require_consent(
                place, f"has {plan.real_nodes} real nodes and nothing of knavtool yet", "install components"
            )
        run_async(_up(place, asked, plan, helm))


def down(target: options.Target, timeout: str, *, yes: bool) -> None:
    """Remove what `up` installed, and tell what was kept; ask before if somebody sits at a terminal."""
    from knavtool.documents.duration import parse_duration

    seconds = parse_duration(timeout, option="--timeout")
    with chosen_for_helm(target) as place:
        if not yes and _somebody_is_there():
            names, nodes = run_async(_look(place))
            if names and nodes:
                require_consent(place, f"has {nodes} real nodes", f"remove {', '.join(names)}")
        run_async(_down(place, None, seconds))


def status(target: options.Target, output: options.Output) -> bool:
    """Print what `up` installed; whether all of it works."""
    return run_async(_status(target, output))


async def _plan(place: Place, asked: Asked) -> tuple[Plan, Helm | None]:
    """Fetch and render what is wanted, and look at the cluster; the helm if one is needed."""
    from knavtool.catalogue.catalogue import Catalogue, parse_wanted
    from knavtool.cli.progress import steps as progress
    from knavtool.harness.existing import chosen, planned

    target = place.target
    catalogue = Catalogue.load(target.environment, directories=asked.directories)
    without = parse_wanted(asked.without, "--without")
    components = chosen(catalogue, parse_wanted(asked.components), without, prometheus=asked.prometheus)
    components, charts = with_charts(components, asked.charts)
    values = given_values(asked.values, components)
    with progress(target.settings) as steps:
        steps.note(f"using {place}")
        async with place.connect() as client:
            return await planned(
                client,
                target,
                catalogue,
                components,
                steps=steps,
                charts=charts,
                values=values,
                options={"grafana"} if asked.grafana else (),
                take_ownership=asked.take_ownership,
                repair=asked.repair,
                without=without,
            )


def require_consent(place: Place, what: str, purpose: str) -> None:
    """Ask somebody at the terminal for the context's name; raises UsageError if there is nobody or it is another."""
    question = f"the cluster of context {place.context} ({place.server}) {what}"
    if not _somebody_is_there():
        raise UsageError(f"{question}; nothing was changed", hint="if it is the right cluster, say so with --yes")
    sys.stderr.write(f"{question}.\nTo {purpose} there, type the name of the context: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != place.context:
        raise UsageError("that is not the name of the context; nothing was changed")


def _somebody_is_there() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


async def _look(place: Place) -> tuple[list[str], int]:
    """The components that knavtool installed, and how many real nodes there are."""
    from knavtool.engines.existing import installed
    from knavtool.engines.existing.plan import real_nodes

    async with place.connect() as client:
        return list(await installed.load(client)), await real_nodes(client)


async def _up(place: Place, asked: Asked, plan: Plan, helm: Helm | None) -> None:
    from knavtool.cli.progress import steps as progress
    from knavtool.engines.existing.up import up as install

    if plan.leaving:
        await _down(place, [one.name for one in plan.leaving], asked.timeout)
    with progress(place.target.settings) as steps, steps.step("cluster", f"context {place.context}") as step:
        async with place.connect() as client:
            await install(client, helm, plan, repair=asked.repair, timeout=asked.timeout, steps=step.nested())


async def _down(place: Place, only: list[str] | None, timeout: float) -> None:
    from knavtool.cli.progress import steps as progress
    from knavtool.engines.existing.down import down as remove
    from knavtool.harness.programs import helm as find_helm

    target = place.target
    with progress(target.settings) as steps:
        steps.note(f"using {place}")
        async with place.connect() as client:
            done = await remove(client, lambda: find_helm(target, steps), only=only, timeout=timeout, steps=steps)
    print(f"{done.count} components removed" if done.count else "nothing of knavtool is installed in this cluster")
    for one in done.kept:
        print(f"kept {one}")
    if done.definitions:
        print("these CustomResourceDefinitions are left; to remove them, with all objects of their kinds:")
        print(f"  {place.kubectl} delete crd {' '.join(done.definitions)}")


async def _status(target: options.Target, output: options.Output) -> bool:
    from knavtool.cli.connection import choose
    from knavtool.engines.existing.status import status as look

    async with choose(target).connect() as client:
        rows = await look(client)
    print_rows(rows, output)
    for name, values in {row.component: row.values for row in rows if row.values}.items():
        print(f"{name} has values of its own, by --values: {', '.join(values)}", file=sys.stderr)
    return all(row.state == "healthy" for row in rows)
