"""`knavtool nodes`."""

from __future__ import annotations

import typer

app = typer.Typer(help="Render, install, list and delete virtual nodes.", no_args_is_help=True, rich_markup_mode=None)
