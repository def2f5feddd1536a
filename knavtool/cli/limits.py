"""How many requests a command may send: local clusters take all there are, other people's are spared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Optional, TypeAlias

import typer

if TYPE_CHECKING:
    from knavtool.kube.connection.limiting import RateLimit

_QPS_ELSEWHERE = 500.0

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


def rate_limit(environment: Mapping[str, str], qps: float | None, burst: int | None) -> Callable[[str], RateLimit]:
    """The limit for a server, by its URL."""
    return partial(_limit, environment, qps, burst)


def _limit(environment: Mapping[str, str], qps: float | None, burst: int | None, server: str) -> RateLimit:
    from knavtool.engines.local.plan import local_cluster
    from knavtool.kube.connection.limiting import RateLimit

    if qps is None:
        qps = 0 if local_cluster(server, environment) else _QPS_ELSEWHERE
    return RateLimit(qps, burst or max(int(qps), 1))
