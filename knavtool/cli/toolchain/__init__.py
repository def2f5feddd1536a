"""`knavtool toolchain`."""

from __future__ import annotations

import typer

app = typer.Typer(help="The programs a local cluster is made of.", no_args_is_help=True, rich_markup_mode=None)

# Each module adds its command to `app`.
from knavtool.cli.toolchain import install, list, path  # noqa: A004, E402, F401 - the order of --help
