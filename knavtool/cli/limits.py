"""Options that say how many requests a command may send."""

from __future__ import annotations

from typing import Annotated, Optional, TypeAlias

import typer

Qps: TypeAlias = Annotated[
    Optional[float],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--qps",
        min=0,
        envvar="KNAVTOOL_QPS",
        help="Maximum requests per second; 0 means no limit. Defaults to 0 for local clusters, 500 for others.",
    ),
]
Burst: TypeAlias = Annotated[
    Optional[int],  # noqa: UP045 - see above
    typer.Option(
        "--burst",
        min=1,
        envvar="KNAVTOOL_BURST",
        help="Maximum burst of requests. Defaults to --qps.",
    ),
]
