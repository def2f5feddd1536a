"""`knavtool toolchain`."""

from __future__ import annotations

import typer

app = typer.Typer(help="The programs a local cluster is made of.", no_args_is_help=True, rich_markup_mode=None)
