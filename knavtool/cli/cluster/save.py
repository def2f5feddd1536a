"""`knavtool cluster save`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from knavtool.cli import streams


def save(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the local cluster.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; only you can read it.")],
) -> None:
    """Write a running cluster to a file, with all its objects; `cluster up --from FILE` starts another one from it.

    Processes go on meanwhile. The file has the keys and tokens of the cluster.
    """
    from knavtool.engines.local import saved
    from knavtool.engines.local.state.layout import cluster_files
    from knavtool.report.files import as_output_error

    files = cluster_files(name, os.environ)
    with files.locked(), as_output_error(f"cannot write {file}"):
        size = saved.save(files, file)
    streams.say(f"saved: {file}, {size / 2**20:.1f} MiB")
