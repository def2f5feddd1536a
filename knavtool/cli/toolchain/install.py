"""`knavtool toolchain install`."""

from __future__ import annotations

import os
from typing import Annotated, Optional

import typer

from knavtool.cli import options
from knavtool.cli.cluster.options import KubeVersion
from knavtool.cli.output import print_rows
from knavtool.cli.running import run_async


def install(
    context: typer.Context,
    names: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads this at run time
        typer.Argument(metavar="NAME", help="Names of programs. Defaults to those of a local cluster."),
    ] = None,
    with_: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--with",
            envvar="KNAVTOOL_WITH",
            metavar="NAME[=VERSION],...",
            help="Install the programs of these components too.",
        ),
    ] = None,
    kube_version: KubeVersion = None,
    source: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--source",
            envvar="KNAVTOOL_SOURCE",
            help="Allow only this source: path, cache, download or build; repeatable.",
        ),
    ] = None,
    mirror: Annotated[
        Optional[str],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--mirror",
            envvar="KNAVTOOL_MIRROR",
            help="URL or directory with the release files as HOST/PATH, as `wget -x` saves them.",
        ),
    ] = None,
    offline: Annotated[
        bool,
        typer.Option("--offline", envvar="KNAVTOOL_OFFLINE", help="Download nothing; build only from cached modules."),
    ] = False,
    output: options.OutputFormat = options.Output.TABLE,
) -> None:
    """Find the programs on PATH or in the cache, download them, or build them from source."""
    run_async(_install(options.settings(context), names, with_, kube_version, source, mirror, offline, output))


async def _install(
    settings: options.Globals,
    names: list[str] | None,
    with_: list[str] | None,
    kube_version: str | None,
    source: list[str] | None,
    mirror: str | None,
    offline: bool,
    output: options.Output,
) -> None:
    from knavtool.catalogue.catalogue import Catalogue, parse_wanted
    from knavtool.cli.progress import steps as progress
    from knavtool.cli.toolchain.rows import rows
    from knavtool.harness.programs import toolchain_from_environment
    from knavtool.toolchain.pins import kubernetes_release

    release = kubernetes_release(kube_version) if kube_version else ""
    catalogue = Catalogue.load(os.environ, kubernetes=release)
    components = catalogue.ordered(parse_wanted(with_ or ()))
    programs = catalogue.programs(components)
    toolchain = toolchain_from_environment(
        os.environ, mirror=mirror, offline=offline, sources=source, kubernetes=release, programs=programs
    )
    needed = [process.program for one in components for process in one.processes]
    chosen = list(dict.fromkeys([*(names or toolchain.pins.programs), *needed]))
    with progress(settings) as steps:
        await toolchain.ensure(chosen, steps=steps)
    print_rows(await rows(toolchain, chosen), output)
