"""`knavtool serve`."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from knavtool.cli import options
from knavtool.cli.logs import log_to_stderr
from knavtool.cli.on_server import generated_token
from knavtool.cli.recorded import Record
from knavtool.cli.running import run_async
from knavtool.cli.task_types import task_types
from knavtool.errors import UsageError
from knavtool.events import Steps
from knavtool.harness.limits import rate_limit
from knavtool.harness.programs import cache_directory
from knavtool.harness.recording import RunRecording
from knavtool.harness.target import connected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from knavtool.server.models import Options
    from knavtool.server.runs import CarryOut
    from knavtool.workflow.plan import Plan


def serve(
    context: typer.Context,
    listen: Annotated[
        str,
        typer.Option(
            "--listen", envvar="KNAVTOOL_LISTEN", help="Address to listen on, as HOST:PORT. Port 0 picks a free one."
        ),
    ] = "127.0.0.1:8080",
    token_file: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--token-file",
            envvar="KNAVTOOL_TOKEN_FILE",
            help="File with the token that clients must send. Defaults to $KNAVTOOL_TOKEN; otherwise one is generated.",
        ),
    ] = None,
    root: Annotated[
        Path,
        typer.Option("--root", envvar="KNAVTOOL_ROOT", help="Directory of the templates that POST /workflow may name."),
    ] = Path(),
    queue: Annotated[
        int,
        typer.Option("--queue", min=0, envvar="KNAVTOOL_QUEUE", help="Maximum number of queued runs."),
    ] = 100,
    keep: Annotated[
        int,
        typer.Option("--keep", min=1, envvar="KNAVTOOL_KEEP", help="Number of finished runs to remember."),
    ] = 100,
    drain: Annotated[
        str,
        typer.Option(
            "--drain",
            envvar="KNAVTOOL_DRAIN",
            help="Time that a run gets to finish when the server is stopped; then it is cancelled and cleaned up.",
        ),
    ] = "30s",
    max_body: Annotated[
        str, typer.Option("--max-body", envvar="KNAVTOOL_MAX_BODY", help="Maximum size of a request.")
    ] = "10Mi",
    record: Annotated[
        Record,
        typer.Option(
            "--record",
            envvar="KNAVTOOL_RECORD",
            help="What of each run is recorded, for its page: pods alone, everything (full), or nothing (off).",
        ),
    ] = Record.FULL,
    body_timeout: Annotated[
        str, typer.Option("--body-timeout", envvar="KNAVTOOL_BODY_TIMEOUT", help="Time limit for receiving a request.")
    ] = "30s",
    prometheus: options.Prometheus = None,
    no_plugins: options.NoPlugins = False,
    kubeconfig: options.Kubeconfig = None,
    kube_context: options.KubeContext = None,
) -> None:
    """Serve an HTTP API that queues runs and executes them on the cluster, one at a time."""
    from knavtool.documents.duration import parse_duration
    from knavtool.listening import is_loopback, listener, url
    from knavtool.server import serving, tokens
    from knavtool.server.bodies import Limits
    from knavtool.server.context import Settings

    target = options.target(context, kubeconfig, kube_context)
    limits = Limits(size=_bytes(max_body), seconds=parse_duration(body_timeout, option="--body-timeout"))
    drain_seconds = parse_duration(drain, option="--drain", zero=True)
    types = task_types(no_plugins=no_plugins)
    if not root.is_dir():
        raise UsageError(f"--root {root}: no such directory")
    with ExitStack() as stack:
        recordings = None
        if record is not Record.OFF:
            recordings = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="knavtool-serve-")))
        listening = stack.enter_context(listener(listen))
        if token_file is not None:
            token = tokens.read(token_file)
        elif given := target.environment.get("KNAVTOOL_TOKEN"):
            token = tokens.checked(given, "$KNAVTOOL_TOKEN")
        elif is_loopback(listening):
            token_file = generated_token(listening.getsockname()[1])
            token = stack.enter_context(tokens.generated(token_file))
        else:
            raise UsageError(
                f"--listen {listen} lets other machines in, so a token must be given",
                hint="openssl rand -hex 32 >token; knavtool serve --token-file token",
            )
        log_to_stderr(target, "knavtool.server")
        # A workflow that waits for a key must not wait for one at the server's terminal.
        with Path(os.devnull).open() as nothing:
            os.dup2(nothing.fileno(), 0)
        settings = Settings(
            token=token, limits=limits, root=root.resolve(), types=types, cache=cache_directory(target.environment)
        )
        address = f"{url(listening)}, token in {token_file or '$KNAVTOOL_TOKEN'}"
        serve_ = partial(
            serving.serve,
            listening,
            settings=settings,
            limit=queue,
            keep=keep,
            drain=drain_seconds,
            recordings=recordings,
        )
        run_async(_serve(target, serve_, address, prometheus=prometheus, everything=record is Record.FULL))


async def _serve(
    target: options.Target,
    serve_: Callable[[CarryOut], Awaitable[None]],
    address: str,
    *,
    prometheus: str | None,
    everything: bool,
) -> None:
    """Find out whether the cluster can be used, then serve."""
    from knavtool.cli.progress import steps as progress
    from knavtool.documents.duration import parse_duration
    from knavtool.harness import running
    from knavtool.harness.programs import helm as helm_program
    from knavtool.report.facts import Facts

    with progress(target.settings) as steps:
        helm = await helm_program(target, steps)
    async with connected(target, rate_limit(target.environment, None, None), Facts()) as gateway:
        server = gateway.server

    async def carry_out(plan: Plan, options: Options, steps: Steps, facts: Facts, directory: Path | None) -> bool:
        limit, recording = rate_limit(target.environment, options.qps, options.burst), None
        if directory is not None:
            recording = RunRecording(
                directory,
                epoch=time.time() - time.monotonic(),
                environment=target.environment,
                facts=facts,
                limit=limit,
                everything=everything,
            )
            steps = steps.heard_by(recording.file)
        try:
            return await running.carry_out(
                plan,
                target,
                helm=helm,
                steps=steps,
                facts=facts,
                limit=limit,
                cleanup=options.cleanup,
                cleanup_timeout=parse_duration(options.cleanup_timeout),
                prometheus=prometheus,
                recording=recording,
            )
        finally:
            if recording is not None:
                recording.end()

    logging.getLogger("knavtool.server").info("serving %s for the cluster at %s", address, server)
    await serve_(carry_out)


def _bytes(text: str) -> int:
    from knavtool.documents.quantity import parse

    try:
        size = int(parse(text))
    except ValueError as error:
        raise UsageError(f"--max-body: {error}") from None
    if size <= 0:
        raise UsageError(f"--max-body {text}: must be more than zero")
    return size
