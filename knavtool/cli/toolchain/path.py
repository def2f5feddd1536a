"""`knavtool toolchain path`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from knavtool.cli.running import run_async


def path(name: Annotated[str, typer.Argument(help="Name of the program.")]) -> None:
    """Print the path of an installed program."""
    print(run_async(_path(name)))


async def _path(name: str) -> str:
    from knavtool.catalogue.catalogue import Catalogue
    from knavtool.errors import EngineError
    from knavtool.harness.programs import toolchain_from_environment

    toolchain = toolchain_from_environment(os.environ, programs=Catalogue.load(os.environ).programs())
    location = await toolchain.locate(name)
    if location.path is None:
        hint = f"`knavtool toolchain install {name}` installs it"
        raise EngineError(f"{name} {location.version} is not on this machine", hint=hint)
    return str(location.path)
