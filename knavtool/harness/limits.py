"""How many requests may be sent: local clusters take all there are, other people's are spared."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from knavtool.kube.connection.limiting import RateLimit

_QPS_ELSEWHERE = 500.0


def rate_limit(environment: Mapping[str, str], qps: float | None, burst: int | None) -> Callable[[str], RateLimit]:
    """The limit for a server, by its URL."""
    return partial(_limit, environment, qps, burst)


def _limit(environment: Mapping[str, str], qps: float | None, burst: int | None, server: str) -> RateLimit:
    from knavtool.engines.local.plan import local_cluster
    from knavtool.kube.connection.limiting import RateLimit

    if qps is None:
        qps = 0 if local_cluster(server, environment) else _QPS_ELSEWHERE
    return RateLimit(qps, burst or max(int(qps), 1))
