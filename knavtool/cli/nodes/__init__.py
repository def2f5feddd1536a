"""`knavtool nodes`."""

from __future__ import annotations

import typer

app = typer.Typer(help="Render, install, list and delete virtual nodes.", no_args_is_help=True, rich_markup_mode=None)

# Each module adds its command to `app`.
from knavtool.cli.nodes import render, apply, list, delete  # noqa: A004, E402, F401, I001 - the order of --help
