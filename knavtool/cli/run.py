"""`knavtool run`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from knavtool.cli import options
from knavtool.cli.on_server import run_on_server
from knavtool.cli.running import run_async
from knavtool.errors import ExitCode

if TYPE_CHECKING:
    from knavtool.report.recorder import Recorder
    from knavtool.workflow.plan import Plan


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
        float,
        typer.Option("--qps", min=0, envvar="KNAVTOOL_QPS", help="At most this many requests per second; 0: no limit."),
    ] = 0,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", envvar="KNAVTOOL_DRY_RUN", help="Print the plan and every object, send nothing."),
    ] = False,
    server: Annotated[
        Optional[str],  # noqa: UP045 - see above
        typer.Option(
            "--server", envvar="KNAVTOOL_SERVER", help="Run on the cluster of the `knavtool serve` at this URL."
        ),
    ] = None,
    token_file: options.TokenFile = None,
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
    try:
        if server is None:
            passed = run_async(_execute(target, planned, recorder, cleanup=cleanup, cleanup_timeout=seconds, qps=qps))
        else:
            chosen = {"cleanup": cleanup, "cleanupTimeout": cleanup_timeout, "qps": qps}
            passed = run_async(run_on_server(server, token_file, target, planned, recorder, options=chosen))
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


async def _execute(
    target: options.Target, planned: Plan, recorder: Recorder, *, cleanup: bool, cleanup_timeout: float, qps: float
) -> bool:
    """Execute the plan from here."""
    from functools import partial

    from knavtool.cli.programs import helm as helm_program
    from knavtool.cli.progress import steps as progress
    from knavtool.kube.client import connect
    from knavtool.workflow.execution import carry_out

    with progress(target.settings, listen=[recorder]) as steps:
        return await carry_out(
            planned,
            helm=await helm_program(target, steps),
            connect=partial(
                connect,
                kubeconfig=target.kubeconfig,
                context=target.context,
                environment=target.environment,
                qps=qps,
            ),
            steps=steps,
            cleanup=cleanup,
            cleanup_timeout=cleanup_timeout,
        )


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
