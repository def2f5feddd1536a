"""`knavtool run`."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from knavtool.cli import options
from knavtool.cli.running import run_async
from knavtool.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from knavtool.kube.limiting import RateLimit
    from knavtool.report.recorder import Recorder
    from knavtool.workflow.plan import Plan

_QPS_ELSEWHERE = 500.0


def run(
    context: typer.Context,
    workflows: Annotated[
        list[str],
        typer.Argument(metavar="WORKFLOW...", help="Files, directories, comma lists, {a,b} alternatives."),
    ],
    cleanup: Annotated[
        bool,
        typer.Option(
            "--cleanup",
            envvar="KNAVTOOL_CLEANUP",
            help="Undo all the run made or changed when it ends, also after a failure, SIGINT or SIGTERM.",
        ),
    ] = False,
    cleanup_timeout: Annotated[
        str,
        typer.Option("--cleanup-timeout", envvar="KNAVTOOL_CLEANUP_TIMEOUT", help="How long the cleanup may take."),
    ] = "5m",
    report: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads this at run time
        typer.Option("--report", envvar="KNAVTOOL_REPORT", help="Write report.json and junit.xml to this directory."),
    ] = None,
    junit: Annotated[
        Optional[Path],  # noqa: UP045 - see above
        typer.Option("--junit", envvar="KNAVTOOL_JUNIT", help="Write a JUnit report to this file."),
    ] = None,
    json: Annotated[
        Optional[Path],  # noqa: UP045 - see above
        typer.Option("--json", envvar="KNAVTOOL_JSON", help="Write a JSON report to this file."),
    ] = None,
    qps: Annotated[
        Optional[float],  # noqa: UP045 - see above
        typer.Option(
            "--qps",
            min=0,
            envvar="KNAVTOOL_QPS",
            help="At most this many requests per second, 0: no limit. Default: 0 on local clusters, 500 elsewhere.",
        ),
    ] = None,
    burst: Annotated[
        Optional[int],  # noqa: UP045 - see above
        typer.Option(
            "--burst",
            min=1,
            envvar="KNAVTOOL_BURST",
            help="How many requests may go out at once; by default those of 1 s.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", envvar="KNAVTOOL_DRY_RUN", help="Print the plan and every object, send nothing."),
    ] = False,
    kubeconfig: options.Kubeconfig = None,
    kube_context: options.KubeContext = None,
) -> None:
    """Execute workflows: prepare the cluster, submit objects, check what becomes of them."""
    from knavtool.documents.duration import parse_duration
    from knavtool.documents.paths import expand_paths
    from knavtool.documents.workflow import load_workflows
    from knavtool.report.recorder import Recorder
    from knavtool.workflow import plan

    seconds = parse_duration(cleanup_timeout)
    _check_reports(report, junit, json)
    documents = load_workflows(expand_paths(workflows))
    planned = plan.build(documents, search=[Path.cwd()])
    target = options.target(context, kubeconfig, kube_context)
    if dry_run:
        run_async(_print(target, planned))
        return
    recorder = Recorder(epoch=time.time() - time.monotonic())
    limit = partial(_limit, target.environment, qps, burst)
    try:
        passed = run_async(_execute(target, planned, recorder, cleanup=cleanup, cleanup_timeout=seconds, limit=limit))
    finally:
        _write_reports(recorder, report, junit, json)
    if not passed:
        raise typer.Exit(int(ExitCode.CHECK_FAILED))


async def _print(target: options.Target, planned: Plan) -> None:
    """render > print."""
    import sys

    from knavtool.cli.programs import helm as helm_program
    from knavtool.cli.progress import steps as progress
    from knavtool.workflow import rendering

    with progress(target.settings) as steps:
        rendered = await rendering.render(planned, await helm_program(target, steps))
    sys.stdout.writelines(rendered.text())


def _limit(environment: Mapping[str, str], qps: float | None, burst: int | None, server: str) -> RateLimit:
    """The rate limit for a server: what was asked for, otherwise none for a cluster that is here for us alone."""
    from knavtool.cluster.engines.local.plan import is_local
    from knavtool.kube.limiting import RateLimit

    if qps is None:
        qps = 0 if is_local(server, environment) else _QPS_ELSEWHERE
    return RateLimit(qps, burst or max(int(qps), 1))


async def _execute(
    target: options.Target,
    planned: Plan,
    recorder: Recorder,
    *,
    cleanup: bool,
    cleanup_timeout: float,
    limit: Callable[[str], RateLimit],
) -> bool:
    """render > connect > preflight > execute."""
    from knavtool.cli.programs import helm as helm_program
    from knavtool.cli.progress import steps as progress
    from knavtool.kube.client import connect
    from knavtool.workflow import rendering, runner
    from knavtool.workflow.preflight import preflight

    with progress(target.settings, listen=[recorder]) as steps:
        rendered = await rendering.render(planned, await helm_program(target, steps))
        async with connect(
            kubeconfig=target.kubeconfig, context=target.context, environment=target.environment, limit=limit
        ) as gateway:
            await preflight(gateway, rendered)
            passed = await runner.execute(
                rendered, gateway, steps=steps, cleanup=cleanup, cleanup_timeout=cleanup_timeout
            )
            if not passed and gateway.trouble is not None:
                # A check that saw nothing any more does not say that what it expected did not happen.
                raise gateway.trouble
            return passed


def _check_reports(directory: Path | None, *files: Path | None) -> None:
    """A run of an hour whose report cannot be written would have to be done again."""
    directories = {file.parent for file in files if file is not None} | (
        {directory} if directory is not None else set()
    )
    if directories:
        from knavtool.report.write import check_directory

        for each in sorted(directories):
            check_directory(each)


def _write_reports(recorder: Recorder, directory: Path | None, junit: Path | None, json: Path | None) -> None:
    """Also after a failed or interrupted run, if it got as far as running something."""
    if not recorder.roots:
        return
    from knavtool.report import json_file, junit_file
    from knavtool.report.write import write_reports

    record = recorder.record
    if directory is not None:
        write_reports(directory, record, epoch=recorder.epoch)
    if junit is not None:
        junit_file.write(junit, record, epoch=recorder.epoch)
    if json is not None:
        json_file.write(json, record, epoch=recorder.epoch)
