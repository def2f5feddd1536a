"""`knavtool run`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from knavtool.cli import options, streams
from knavtool.cli.limits import Burst, Qps
from knavtool.cli.on_server import run_on_server
from knavtool.cli.recorded import Record, choose, expecting
from knavtool.cli.reports import write_reports
from knavtool.cli.running import run_async
from knavtool.cli.task_types import task_types
from knavtool.cli.web import Web, listen, showing
from knavtool.errors import ExitCode, OutputError
from knavtool.harness.limits import rate_limit
from knavtool.harness.recording import RunRecording

if TYPE_CHECKING:
    from collections.abc import Callable

    from knavtool.events import Emit
    from knavtool.kube.connection.limiting import RateLimit
    from knavtool.report.facts import Facts
    from knavtool.report.recorder import Recorder
    from knavtool.workflow.plan import Plan


def run(
    context: typer.Context,
    workflows: Annotated[
        list[str],
        typer.Argument(
            metavar="WORKFLOW...", help="Workflow files, directories, comma-separated lists or {a,b} patterns."
        ),
    ],
    cleanup: Annotated[
        bool,
        typer.Option(
            "--cleanup",
            envvar="KNAVTOOL_CLEANUP",
            help="Undo everything the run made or changed when it ends, even after a failure or a signal.",
        ),
    ] = False,
    cleanup_timeout: Annotated[
        str,
        typer.Option("--cleanup-timeout", envvar="KNAVTOOL_CLEANUP_TIMEOUT", help="Time limit of the cleanup."),
    ] = "5m",
    report: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--report", envvar="KNAVTOOL_REPORT", help="Write report.json, junit.xml and summary.md to this directory."
        ),
    ] = None,
    junit: Annotated[
        Optional[Path],  # noqa: UP045 - see above
        typer.Option("--junit", envvar="KNAVTOOL_JUNIT", help="Write a JUnit report to this file."),
    ] = None,
    json: Annotated[
        Optional[Path],  # noqa: UP045 - see above
        typer.Option("--json", envvar="KNAVTOOL_JSON", help="Write a JSON report to this file."),
    ] = None,
    markdown: Annotated[
        Optional[Path],  # noqa: UP045 - see above
        typer.Option(
            "--markdown",
            envvar="KNAVTOOL_MARKDOWN",
            help="Write a Markdown summary to this file. Defaults to $GITHUB_STEP_SUMMARY, if set.",
        ),
    ] = None,
    record: Annotated[
        Optional[Record],  # noqa: UP045 - see above
        typer.Option(
            "--record",
            envvar="KNAVTOOL_RECORD",
            help="Record pods alone, or all that report.html shows (full), to recording.jsonl.gz. Defaults to full.",
        ),
    ] = None,
    web: Annotated[
        bool,
        typer.Option(
            "--web",
            envvar="KNAVTOOL_WEB",
            help="Show report.html in the browser while the run goes on; prints its URL.",
        ),
    ] = False,
    web_listen: Annotated[
        Optional[str],  # noqa: UP045 - see above
        typer.Option(
            "--web-listen",
            metavar="[HOST:]PORT",
            envvar="KNAVTOOL_WEB_LISTEN",
            help="Address of that page; implies --web. Defaults to a free port of 127.0.0.1.",
        ),
    ] = None,
    threshold: Annotated[
        Optional[list[str]],  # noqa: UP045 - see above
        typer.Option(
            "--threshold",
            metavar="MEASURE<=VALUE",
            envvar="KNAVTOOL_THRESHOLD",
            help="What a measure of the run must be, for example 'gang.wait.p95<=20s'; repeatable.",
        ),
    ] = None,
    allow_saturated: options.AllowSaturated = False,
    qps: Qps = None,
    burst: Burst = None,
    settings: options.Settings = None,
    compat: options.Compat = False,
    no_plugins: options.NoPlugins = False,
    prometheus: options.Prometheus = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", envvar="KNAVTOOL_DRY_RUN", help="Print the plan and all objects without sending anything."
        ),
    ] = False,
    server: Annotated[
        Optional[str],  # noqa: UP045 - see above
        typer.Option("--server", envvar="KNAVTOOL_SERVER", help="Run on a server started by `knavtool serve`."),
    ] = None,
    token_file: options.TokenFile = None,
    kubeconfig: options.Kubeconfig = None,
    kube_context: options.KubeContext = None,
) -> None:
    """Run workflows: prepare the cluster, submit objects, check the results."""
    from knavtool.documents.duration import parse_duration
    from knavtool.documents.paths import expand_paths
    from knavtool.documents.variables import parse_settings
    from knavtool.documents.workflow_reader import load_workflows
    from knavtool.report.facts import Facts
    from knavtool.report.recorder import Recorder
    from knavtool.report.write import ReportFiles
    from knavtool.workflow import plan

    seconds = parse_duration(cleanup_timeout, option="--cleanup-timeout")
    step_summary = os.environ.get("GITHUB_STEP_SUMMARY") if markdown is None else None
    reports = ReportFiles(
        directory=report,
        json=json,
        junit=junit,
        markdown=markdown,
        step_summary=Path(step_summary) if step_summary else None,
    )
    reports.check()
    recorded = choose(record, report, server)
    variables = parse_settings(settings or [])
    types = task_types(no_plugins=no_plugins)
    documents = load_workflows(expand_paths(workflows), types.documents, settings=variables, lenient=compat)
    planned = plan.build(documents, search=[Path.cwd()], lenient=compat, types=types)
    planned = expecting(planned, threshold or [], record, server, allow_saturated=allow_saturated)
    target = options.target(context, kubeconfig, kube_context)
    if dry_run:
        run_async(_print(target, planned))
        return
    shown = listen(web_listen, web=web, server=server, off=recorded is Record.OFF)
    recorder, facts = Recorder(epoch=time.time() - time.monotonic()), Facts()
    recording, limit = None, rate_limit(target.environment, qps, burst)
    if recorded is not Record.OFF and (report is not None or planned.measures or shown is not None):
        recording = RunRecording(
            report,
            epoch=recorder.epoch,
            environment=target.environment,
            facts=facts,
            limit=limit,
            everything=recorded is Record.FULL,
        )
    if shown is not None:
        shown.say(target.settings.log_format)
    if server is None:
        work = _execute(
            target,
            planned,
            recorder,
            facts,
            cleanup=cleanup,
            cleanup_timeout=seconds,
            limit=limit,
            prometheus=prometheus,
            recording=recording,
            web=shown,
            report=report,
        )
    else:
        request = {
            "options": {"cleanup": cleanup, "cleanupTimeout": cleanup_timeout, "qps": qps, "burst": burst},
            "variables": variables,
            "compat": compat,
        }
        work = run_on_server(server, token_file, target, planned, recorder, facts, request=request)
    unwritten: list[OutputError] = []

    def write() -> None:
        # Also after a failed or interrupted run, if it got as far as running something.
        if recording is not None:
            recording.close(keep=bool(recorder.roots))
        if recorder.roots:
            unwritten.extend(write_reports(reports, recording, recorder, facts, target.settings.log_format))

    passed = False
    try:
        passed = run_async(work, at_end=write)
    finally:
        if not passed:
            # The run has an exit code of its own.
            for reason in unwritten:
                streams.say(f"warning: {reason.message}")
    if not passed:
        raise typer.Exit(int(ExitCode.CHECK_FAILED))
    if unwritten:
        raise OutputError("\n".join(reason.message for reason in unwritten), hint=unwritten[0].hint)


async def _print(target: options.Target, planned: Plan) -> None:
    """render > print."""
    from knavtool.cli.progress import steps as progress
    from knavtool.harness.programs import helm as helm_program
    from knavtool.workflow import rendering

    with progress(target.settings) as steps:
        planned.warn(steps)
        rendered = await rendering.render(planned, await helm_program(target, steps))
    sys.stdout.writelines(rendered.text())


async def _execute(
    target: options.Target,
    planned: Plan,
    recorder: Recorder,
    facts: Facts,
    *,
    cleanup: bool,
    cleanup_timeout: float,
    limit: Callable[[str], RateLimit],
    prometheus: str | None,
    recording: RunRecording | None,
    web: Web | None,
    report: Path | None,
) -> bool:
    """Execute the plan from here."""
    from knavtool.cli.progress import steps as progress
    from knavtool.cli.terminal import find_terminal
    from knavtool.harness.programs import helm as helm_program
    from knavtool.harness.running import carry_out

    listeners: list[Emit] = [recorder] if recording is None else [recorder, recording.file]

    pulse = recording.pulse if recording is not None else None
    with progress(target.settings, listen=listeners, pulse=pulse) as steps:
        async with showing(web, recording, report, target.environment):
            return await carry_out(
                planned,
                target,
                helm=await helm_program(target, steps),
                steps=steps,
                facts=facts,
                limit=limit,
                cleanup=cleanup,
                cleanup_timeout=cleanup_timeout,
                prometheus=prometheus,
                terminal=find_terminal(),
                recording=recording,
            )
