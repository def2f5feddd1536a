"""`knavtool toolchain prune`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from knavtool.cli import options
from knavtool.cli.output import print_rows
from knavtool.cli.running import run_async

if TYPE_CHECKING:
    from knavtool.cli.toolchain.cached import CachedRow


def prune(
    context: typer.Context,
    all_: Annotated[
        bool,
        typer.Option(
            "--all", envvar="KNAVTOOL_ALL", help="Remove those at the default versions too, unless something uses them."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", envvar="KNAVTOOL_DRY_RUN", help="Print what would be removed.")
    ] = False,
    output: options.OutputFormat = options.Output.TABLE,
) -> None:
    """Remove the programs from the cache that no cluster and no process uses, and print them.

    Those at the default versions stay, because the next `cluster up` needs them.
    """
    from knavtool.cli.toolchain.cached import DEFAULT, cached

    kept = {"", DEFAULT} if all_ else {""}
    rows = [row for row in cached(os.environ) if row.used_by in kept]
    if not dry_run:
        run_async(_remove(options.settings(context), rows))
    print_rows(rows, output)


async def _remove(settings: options.Globals, rows: list[CachedRow]) -> None:
    from knavtool.cli.progress import steps as progress
    from knavtool.harness.programs import cache_directory
    from knavtool.toolchain.store import Store

    store = Store(cache_directory(os.environ))
    with progress(settings) as steps:
        for row in rows:
            waiting = f"waiting for another knavtool that installs {row.name} {row.version}"
            await store.remove(Path(row.path), waiting=lambda text=waiting: steps.note(text))  # type: ignore[misc]
