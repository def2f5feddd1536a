"""The tree of commands and the way out of the process."""

from __future__ import annotations

import sys
from typing import Annotated, Optional

import typer
import typer.exceptions

from knavtool import __version__
from knavtool.cli import options
from knavtool.cli.cluster import app as cluster_app
from knavtool.cli.components import app as components_app
from knavtool.cli.nodes import app as nodes_app
from knavtool.cli.run import run
from knavtool.cli.schema import schema
from knavtool.cli.serve import serve
from knavtool.cli.toolchain import app as toolchain_app
from knavtool.cli.validate import validate
from knavtool.errors import ExitCode, KnavError

cli = typer.Typer(
    name="knavtool",
    help="Test Kubernetes batch and AI schedulers on GPU clusters you do not have.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"auto_envvar_prefix": "KNAVTOOL", "help_option_names": ["-h", "--help"]},
)
cli.add_typer(cluster_app, name="cluster")
cli.add_typer(nodes_app, name="nodes")
cli.command("run")(run)
cli.command("serve")(serve)
cli.command("validate")(validate)
cli.command("schema")(schema)
cli.add_typer(components_app, name="components")
cli.add_typer(toolchain_app, name="toolchain")


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
        typer.Option("--verbose", "-v", count=True, envvar="KNAVTOOL_VERBOSE", help="Tell more; repeat it."),
    ] = 0,
    log_format: Annotated[
        options.LogFormat,
        typer.Option(envvar="KNAVTOOL_LOG_FORMAT", help="How progress is written to stderr."),
    ] = options.LogFormat.TEXT,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        Optional[bool],  # noqa: UP045 - typer reads this at run time
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave."),
    ] = None,
) -> None:
    """Options that hold for every command."""
    context.obj = options.Globals(kubeconfig=kubeconfig, context=kube_context, verbose=verbose, log_format=log_format)


def main() -> None:
    """Run the command line; every error becomes one message on stderr and an exit code."""
    try:
        code = cli(standalone_mode=False)
    except typer.Abort:
        code = ExitCode.INTERRUPTED
    except typer.exceptions.TyperException as error:
        # A wrong option or argument; typer's own message names it.
        error.show()  # type: ignore[attr-defined]
        code = ExitCode.BAD_INPUT
    except typer.Exit as leave:
        code = leave.exit_code
    except KnavError as error:
        show_error(error)
        code = error.exit_code
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does; stdout is closed so that no second error follows.
        sys.stderr.close()
        code = ExitCode.OK
    if code == ExitCode.INTERRUPTED:
        print("interrupted", file=sys.stderr)
    sys.exit(int(code or 0))


def show_error(error: KnavError) -> None:
    """Write an error and what to try."""
    print(f"error: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"try: {error.hint}", file=sys.stderr)
