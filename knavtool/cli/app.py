"""The tree of commands and the way out of the process."""

from __future__ import annotations

import contextlib
import sys
from typing import Annotated, Optional

import typer
import typer.exceptions

from knavtool import __version__
from knavtool.cli import crash, options, streams
from knavtool.cli.commands import Command, group
from knavtool.errors import ExitCode, KnavError, exit_code, primary_error

_EXIT_CODES = """\b
Exit codes:
  0    success
  1    a check failed
  2    wrong command line or file; nothing was changed
  3    a chart or template could not be rendered
  4    the local cluster or a program it needs failed
  5    the API server refused or cannot be reached
  70   internal error; a run is cleaned up first, and a file has the traceback
  74   a report or the output could not be written
  130  interrupted; a run is cleaned up first
  141  the reader of stdout went away, as in `knavtool components list | head -n 1`
"""

cli = group(
    {
        "run": Command("knavtool.cli.run", "Run workflows on a cluster and report the results."),
        "bench": Command("knavtool.cli.bench", "Compare schedulers, versions or settings on one workload."),
        "report": Command("knavtool.cli.report", "Make the report of a run again from its recording."),
        "diff": Command("knavtool.cli.diff", "Say which measures moved from one run to another."),
        "serve": Command("knavtool.cli.serve", "Serve an HTTP API that queues and executes runs."),
        "exporter": Command("knavtool.cli.exporter", "Serve metrics of a cluster for Prometheus."),
        "validate": Command("knavtool.cli.validate", "Check workflow and values files without a cluster."),
        "schema": Command("knavtool.cli.schema", "Print a JSON schema, for editors and other programs."),
        "cluster": Command("knavtool.cli.cluster", "Start, inspect and stop a Kubernetes control plane."),
        "nodes": Command("knavtool.cli.nodes", "Render, install, list and delete virtual nodes."),
        "components": Command("knavtool.cli.components", "List the components that a cluster can have."),
        "toolchain": Command("knavtool.cli.toolchain", "Install and locate the programs of a local cluster."),
    },
    name="knavtool",
    help="Test Kubernetes batch and AI schedulers on GPU clusters you do not have.",
    epilog=_EXIT_CODES,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"auto_envvar_prefix": "KNAVTOOL", "help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        print(f"knavtool {__version__}")
        raise typer.Exit


@cli.callback()
def root(
    context: typer.Context,
    kubeconfig: options.Kubeconfig = None,
    kube_context: options.KubeContext = None,
    verbose: Annotated[
        int,
        typer.Option("--verbose", "-v", count=True, envvar="KNAVTOOL_VERBOSE", help="Increase verbosity; repeatable."),
    ] = 0,
    log_format: Annotated[
        options.LogFormat,
        typer.Option(envvar="KNAVTOOL_LOG_FORMAT", help="Format of progress on stderr."),
    ] = options.LogFormat.TEXT,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        Optional[bool],  # noqa: UP045 - typer reads this at run time
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit."),
    ] = None,
) -> None:
    """Options that hold for every command."""
    context.obj = options.Globals(kubeconfig=kubeconfig, context=kube_context, verbose=verbose, log_format=log_format)


def main() -> None:
    """Run the command line; every error becomes one message on stderr and an exit code."""
    streams.complete()
    code = _call()
    try:
        sys.stdout.flush()
    except KnavError as error:
        # What the command itself found out matters more than that nobody read it.
        code = code or _tell(error)
    if code == ExitCode.INTERRUPTED:
        streams.say("interrupted")
    streams.settle()
    sys.exit(code)


def _call() -> int:
    """Run the command; returns its exit code."""
    try:
        return int(cli(standalone_mode=False) or ExitCode.OK)
    except (typer.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except typer.Exit as leave:
        return leave.exit_code
    except typer.exceptions.TyperException as error:
        # A wrong option or argument; typer's own message names it.
        with contextlib.suppress(OSError):
            error.show()  # type: ignore[attr-defined]
        return ExitCode.BAD_INPUT
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - the last place where anything can be told
        return _tell(error)


def _tell(error: BaseException) -> ExitCode:
    """Write what went wrong and what to try; returns the exit code for it."""
    primary = primary_error(error)
    if not isinstance(primary, KnavError):
        streams.say(f"error: {crash.described(error)}")
    elif not isinstance(primary, streams.ReaderGone):
        streams.say(f"error: {primary.message}" + (f"\ntry: {primary.hint}" if primary.hint else ""))
    return exit_code(primary)
