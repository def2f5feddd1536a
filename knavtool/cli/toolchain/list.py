"""`knavtool toolchain list`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from knavtool.cli import options
from knavtool.cli.output import print_rows
from knavtool.cli.running import run_async


def list_(
    all_: Annotated[
        bool, typer.Option("--all", envvar="KNAVTOOL_ALL", help="List what is in the cache, and what uses it, instead.")
    ] = False,
    output: options.OutputFormat = options.Output.TABLE,
) -> None:
    """List the programs with their versions and sources."""
    if all_:
        from knavtool.cli.toolchain.cached import cached

        print_rows(cached(os.environ), output)
        return
    run_async(_list(output))


async def _list(output: options.Output) -> None:
    from knavtool.catalogue.catalogue import Catalogue
    from knavtool.cli.toolchain.rows import rows
    from knavtool.harness.programs import toolchain_from_environment

    toolchain = toolchain_from_environment(os.environ, programs=Catalogue.load(os.environ).programs())
    print_rows(await rows(toolchain, list(toolchain.programs)), output)
