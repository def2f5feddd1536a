"""`knavtool cluster up`."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from knavtool.cli import options
from knavtool.cli.cluster import charts, configuring, existing
from knavtool.cli.cluster.cluster_file import Given, Picker, PlanOutput, apply_nodes, node_values, print_plan
from knavtool.cli.cluster.options import (
    Engine,
    EngineChoice,
    FilesFrom,
    KubeVersion,
    Name,
    SourceFrom,
    With,
    require_engine,
)
from knavtool.cli.cluster.saved import up_again
from knavtool.cli.running import run_async
from knavtool.engines.local.state.layout import DEFAULT_NAME

if TYPE_CHECKING:
    from knavtool.harness.clusters import Request

_LOCAL = (
    "file",
    "from_",
    "name",
    "kube_version",
    "source_from",
    "feature_gates",
    "runtime_config",
    "port",
    "tuning",
    "audit_log",
    "binary",
    *configuring.NAMES,
)
_EXISTING = ("chart", "values", "grafana", "take_ownership", "repair", "yes", "kube_context")


class AuditLog(StrEnum):
    """Whether the API server keeps an audit log."""

    ON = "on"
    OFF = "off"


def up(
    context: typer.Context,
    file: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--file",
            "-f",
            envvar="KNAVTOOL_CLUSTER_FILE",
            help="File that says the whole local cluster; other options win over it.",
        ),
    ] = None,
    from_: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--from",
            metavar="FILE",
            envvar="KNAVTOOL_FROM",
            help="Start a new cluster from a file that `cluster save` wrote.",
        ),
    ] = None,
    name: Name = DEFAULT_NAME,
    engine: EngineChoice = Engine.LOCAL,
    with_: With = None,
    without: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--without",
            envvar="KNAVTOOL_WITHOUT",
            metavar="NAME,...",
            help="Components to remove, with their kinds and all objects of these kinds.",
        ),
    ] = None,
    prometheus: Annotated[
        bool,
        typer.Option("--prometheus/--no-prometheus", envvar="KNAVTOOL_PROMETHEUS", help="Run Prometheus too."),
    ] = True,
    files_from: FilesFrom = None,
    source_from: SourceFrom = None,
    kube_version: KubeVersion = None,
    config: configuring.Config = None,
    replace: configuring.Replace = False,
    set_: configuring.Set = None,
    args: configuring.Args = None,
    env: configuring.Env = None,
    reset: configuring.Reset = None,
    feature_gates: Annotated[
        Optional[str],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--feature-gates",
            envvar="KNAVTOOL_FEATURE_GATES",
            help="Feature gates of all control plane processes, such as GenericWorkload=true,...",
        ),
    ] = None,
    runtime_config: Annotated[
        Optional[str],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--runtime-config",
            envvar="KNAVTOOL_RUNTIME_CONFIG",
            help="APIs to enable or disable, such as scheduling.k8s.io/v1beta1=true,...",
        ),
    ] = None,
    port: Annotated[
        Optional[int],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--port", envvar="KNAVTOOL_PORT", min=1, max=65535, help="Port of the API server. Defaults to a free one."
        ),
    ] = None,
    tuning: Annotated[
        Optional[str],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--tuning",
            envvar="KNAVTOOL_TUNING",
            help="Groups of settings that make a throw-away control plane fast: all, none or a list. Defaults to all.",
        ),
    ] = None,
    audit_log: Annotated[
        Optional[AuditLog],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--audit-log",
            envvar="KNAVTOOL_AUDIT_LOG",
            help="Whether the API server logs its requests, from which recordings take exact moments. Defaults to off.",
        ),
    ] = None,
    binary: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--binary",
            envvar="KNAVTOOL_BINARY",
            metavar="NAME=PATH",
            help="Use this program instead of the pinned one; repeatable.",
        ),
    ] = None,
    timeout: Annotated[
        Optional[str],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--timeout",
            envvar="KNAVTOOL_TIMEOUT",
            help="Time limit once all programs are there. Defaults to 2m; with --engine existing, to 10m.",
        ),
    ] = None,
    chart: charts.Charts = None,
    values: charts.Values = None,
    grafana: existing.Grafana = False,
    take_ownership: existing.TakeOwnership = False,
    repair: existing.Repair = False,
    yes: existing.Yes = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", envvar="KNAVTOOL_DRY_RUN", help="Print the plan without changing anything.")
    ] = False,
    output: Annotated[
        Optional[PlanOutput],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "-o", "--output", envvar="KNAVTOOL_PLAN", help="With --dry-run, print the file that says this cluster."
        ),
    ] = None,
    kubeconfig: options.Kubeconfig = None,
    kube_context: options.KubeContext = None,
) -> None:
    """Start a control plane with KWOK, Prometheus and components on 127.0.0.1, or repair and extend a running one.

    That needs Linux. The context knavtool-NAME is added to the kubeconfig and made current. With `--engine existing`,
    KWOK, Prometheus and the components are installed in the cluster of a context instead.
    """
    from knavtool.engines.local.state.machine import require_machine

    if engine is Engine.LOCAL:
        # Before the rest is imported, which other systems do not have.
        require_machine()
    from knavtool.catalogue.catalogue import parse_wanted
    from knavtool.documents.cluster_file import ClusterFile, load_cluster_file
    from knavtool.documents.duration import parse_duration
    from knavtool.engines.local.state.kubeconfig import chosen_file
    from knavtool.engines.local.state.layout import cluster_files
    from knavtool.errors import UsageError
    from knavtool.harness.clusters import Request, pairs, wanted_by
    from knavtool.settings.asked import read_options

    require_engine(context, engine, local=_LOCAL, existing=_EXISTING)
    if output is not None and not dry_run:
        raise UsageError("-o goes with --dry-run only", hint="leave it out")
    if engine is Engine.EXISTING:
        existing.up(
            options.target(context, kubeconfig, kube_context),
            existing.Asked(
                components=with_ or [],
                without=without or [],
                prometheus=prometheus,
                charts=chart or [],
                values=values or [],
                directories=files_from or [],
                grafana=grafana,
                take_ownership=take_ownership,
                repair=repair,
                yes=yes,
                dry_run=dry_run,
                timeout=parse_duration(timeout or "10m", option="--timeout"),
            ),
        )
        return
    target = options.target(context, kubeconfig, None)
    if from_ is not None:
        up_again(context, target, from_, port, binary or (), parse_duration(timeout or "2m", option="--timeout"))
        return
    said = load_cluster_file(file) if file is not None else ClusterFile(file="")
    pick = Picker(context)
    files = cluster_files(pick("name", name, said.name), target.environment)
    said = dataclasses.replace(
        said,
        components={**said.components, **parse_wanted(with_ or ())},
        feature_gates=pick("feature_gates", feature_gates, said.feature_gates),
        runtime_config=pick("runtime_config", runtime_config, said.runtime_config),
        port=pick("port", port, said.port),
        prometheus=pick("prometheus", prometheus, said.prometheus),
        tuning=tuning or said.tuning,
        audit_log=said.audit_log if audit_log is None else audit_log is AuditLog.ON,
        kubernetes=kube_version or said.kubernetes,
    )
    wanted = wanted_by(
        said,
        chosen_file(target.kubeconfig, target.environment),
        without=tuple(parse_wanted(without or (), "--without")),
        sources=source_from or (),
        settings=read_options(
            config=config or (),
            replace=replace,
            fields=set_ or (),
            args=args or (),
            environment=env or (),
            reset=reset or (),
        ),
    )
    request = Request(
        files=files,
        wanted=wanted,
        directories=[*pairs(said.files), *(files_from or ())],
        binaries=[*pairs(said.programs), *(binary or ())],
    )
    given = Given(
        nodes=node_values(said),
        written_nodes=said.written_nodes,
        timeout=parse_duration(timeout or "2m", option="--timeout"),
        dry_run=dry_run,
        output=output,
    )
    with files.locked():
        run_async(_up(target, request, given))
    if not dry_run:
        apply_nodes(target, request, given)


async def _up(target: options.Target, request: Request, given: Given) -> None:
    """plan > programs > control plane > stages, components > context."""
    from knavtool.cli.progress import steps as progress
    from knavtool.engines.local.describing import describe
    from knavtool.harness.clusters import prepare, start

    prepared = prepare(request, target.environment)
    plan = prepared.plan
    if plan.changed or plan.notes:
        with progress(target.settings) as steps:
            for note in plan.notes:
                steps.note(note, warning=True)
            for component in plan.changed:
                apply = f"`--without {component}`, then `--with {component}`, applies it"
                steps.note(f"the record of {component} changed since it was installed; {apply}", warning=True)
    if given.output is not None:
        print_plan(prepared, given)
        return
    if given.dry_run or plan.nothing:
        versions = {name: program.version for name, program in prepared.toolchain.programs.items()}
        print("\n".join(describe(request.files, request.wanted, plan, versions)))
        return
    with progress(target.settings) as steps:
        await start(prepared, target.environment, timeout=given.timeout, steps=steps)
