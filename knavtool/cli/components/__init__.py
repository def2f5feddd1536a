"""`knavtool components`."""

from __future__ import annotations

import typer

app = typer.Typer(help="The catalogue of what a cluster can be given.", no_args_is_help=True, rich_markup_mode=None)

# Each module adds its command to `app`.
from knavtool.cli.components import list, show  # noqa: A004, E402, F401 - the order of --help
