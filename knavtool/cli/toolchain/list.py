"""`knavtool toolchain list`."""

from __future__ import annotations

import os

from knavtool.cli import options
from knavtool.cli.output import print_rows
from knavtool.cli.running import run_async


def list_(output: options.OutputFormat = options.Output.TABLE) -> None:
    """List the programs with their versions and sources."""
    run_async(_list(output))


async def _list(output: options.Output) -> None:
    from knavtool.catalogue.catalogue import Catalogue
    from knavtool.cli.programs import toolchain_from_environment
    from knavtool.cli.toolchain.rows import rows

    toolchain = toolchain_from_environment(programs=Catalogue.load(os.environ).programs())
    print_rows(await rows(toolchain, list(toolchain.programs)), output)
