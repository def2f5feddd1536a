"""`knavtool cluster`."""

from __future__ import annotations

import typer

app = typer.Typer(help="Start, look at and stop clusters.", no_args_is_help=True, rich_markup_mode=None)
