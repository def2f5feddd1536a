"""`knavtool cluster`."""

from __future__ import annotations

import typer

app = typer.Typer(
    help="Start, look at and stop a Kubernetes control plane.", no_args_is_help=True, rich_markup_mode=None
)

# Each module adds its command to `app`.
from knavtool.cli.cluster import up, status, logs, down, render  # noqa: E402, F401, I001 - the order of --help
