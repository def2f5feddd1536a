"""`knavtool nodes apply`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from knavtool.cli import options
from knavtool.cli.running import run_async

if TYPE_CHECKING:
    from knavtool.documents.values import NodeValues


def apply(
    context: typer.Context,
    file: options.ValuesFile,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", envvar="KNAVTOOL_DRY_RUN", help="Print the difference without changing anything."),
    ] = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune/--no-prune", envvar="KNAVTOOL_PRUNE", help="Delete virtual nodes that the file does not list."
        ),
    ] = True,
    helm: Annotated[
        bool, typer.Option("--helm", envvar="KNAVTOOL_HELM", help="Install the nodes as a Helm release instead.")
    ] = False,
    take_ownership: Annotated[
        bool,
        typer.Option(
            "--take-ownership",
            envvar="KNAVTOOL_TAKE_OWNERSHIP",
            help="Take over listed nodes that belong to a Helm release or to others.",
        ),
    ] = False,
    timeout: Annotated[
        str, typer.Option("--timeout", envvar="KNAVTOOL_TIMEOUT", help="Time limit for the nodes to become Ready.")
    ] = "5m",
    kubeconfig: options.Kubeconfig = None,
    kube_context: options.KubeContext = None,
) -> None:
    """Make the cluster's virtual nodes those of a values file: create, change and remove what differs."""
    from knavtool.documents.duration import parse_duration
    from knavtool.documents.values import load_values

    target = options.target(context, kubeconfig, kube_context)
    values = load_values(file)
    seconds = parse_duration(timeout, option="--timeout")
    work = _release if helm else apply_values
    run_async(work(target, values, seconds, prune=prune, dry_run=dry_run, take_ownership=take_ownership))


async def apply_values(
    target: options.Target, values: NodeValues, seconds: float, *, prune: bool, dry_run: bool, take_ownership: bool
) -> None:
    """validate (done) > render > compare > write > wait."""
    from knavtool.cli.connection import choose
    from knavtool.cli.progress import steps as progress
    from knavtool.harness.programs import helm as helm_program
    from knavtool.nodes.apply import apply_nodes
    from knavtool.nodes.compare import compare
    from knavtool.nodes.ownership import MADE_BY, NODES_APPLY
    from knavtool.render.nodes import render_nodes

    place = choose(target)
    with progress(target.settings) as steps:
        steps.note(f"using {place}")
        rendered = await render_nodes(await helm_program(target, steps), values.entries)
        nodes = rendered.annotated(MADE_BY, NODES_APPLY)
        async with place.connect() as gateway:
            if dry_run:
                found = await compare(gateway, nodes, prune=prune, take_ownership=take_ownership)
                lines = list(found.lines())
                print("\n".join(lines) if lines else f"nothing to do: {found.nodes.unchanged} nodes are as wanted")
                return
            summary = await apply_nodes(
                gateway, nodes, steps=steps, prune=prune, timeout=seconds, take_ownership=take_ownership
            )
    print(summary)


async def _release(
    target: options.Target, values: NodeValues, seconds: float, *, prune: bool, dry_run: bool, take_ownership: bool
) -> None:
    """validate (done) > compare > helm upgrade --install > patch status > wait."""
    from knavtool.cli.connection import chosen_for_helm
    from knavtool.cli.progress import steps as progress
    from knavtool.errors import UsageError
    from knavtool.harness.programs import helm as helm_program
    from knavtool.nodes.release import install_release
    from knavtool.render.nodes import render_nodes

    if not prune:
        raise UsageError("--no-prune does not go with --helm: a Helm release always holds exactly the file's nodes")
    if dry_run:
        raise UsageError("--dry-run does not go with --helm", hint="`knavtool nodes render` prints the manifests")
    with chosen_for_helm(target) as place, progress(target.settings) as steps:
        steps.note(f"using {place}")
        helm = await helm_program(place.target, steps)
        nodes = await render_nodes(helm, values.entries)
        async with place.connect() as gateway:
            summary = await install_release(
                gateway, helm, values.entries, nodes, steps=steps, timeout=seconds, take_ownership=take_ownership
            )
    print(summary)
