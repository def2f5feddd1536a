"""Where the files that ship with knavtool are: charts, schemas, workflows.

In a checkout they lie at its top; in an installed wheel they are `knavtool/data`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


@cache
def data_directory() -> Path:
    """The directory that holds `charts/`, `schemas/` and `workflows/`."""
    installed = _PACKAGE / "data"
    return installed if installed.is_dir() else _PACKAGE.parent


def chart(name: str) -> Path:
    """The directory of a chart, for example `virtual-nodes`."""
    return data_directory() / "charts" / name


def override(name: str) -> Path:
    """A file below `charts/overrides`, for example `kwok/pod-complete.yaml`."""
    return data_directory() / "charts" / "overrides" / name


def schema(name: str) -> Path:
    """The file of a JSON schema, for example `values`."""
    return data_directory() / "schemas" / f"{name}.schema.json"
