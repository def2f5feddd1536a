"""How fast a run may ask: what was asked for, otherwise no limit on a local cluster and 500 a second elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from knavtool.engines.local.state import record
from knavtool.engines.local.state.layout import cluster_files
from knavtool.engines.local.state.record import Record
from knavtool.harness.limits import rate_limit

LOCAL = "https://127.0.0.1:4001"
ELSEWHERE = "https://10.0.0.1:6443"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A user with one local cluster, and another whose record cannot be read."""
    environment = {"XDG_DATA_HOME": str(tmp_path)}
    for name in ("broken", "one"):
        cluster_files(name, environment).directory.mkdir(parents=True)
    cluster_files("broken", environment).record.write_text("nonsense")
    record.save(cluster_files("one", environment), Record(ports={"kube-apiserver/https": 4001}))
    return environment


@pytest.mark.parametrize(
    ("server", "qps", "burst", "expected"),
    [
        (LOCAL, None, None, (0, 1)),
        (ELSEWHERE, None, None, (500, 500)),
        ("https://127.0.0.1:4002", None, None, (500, 500)),
        (LOCAL, 20, None, (20, 20)),
        (LOCAL, 0.5, None, (0.5, 1)),
        (ELSEWHERE, 0, None, (0, 1)),
        (ELSEWHERE, 20, 3, (20, 3)),
        (ELSEWHERE, None, 3, (500, 3)),
    ],
)
def test_the_limit_for_a_server(
    environment: dict[str, str], server: str, qps: float | None, burst: int | None, expected: tuple[float, int]
) -> None:
    limit = rate_limit(environment, qps, burst)(server)
    assert (limit.qps, limit.burst) == expected


def test_without_clusters(tmp_path: Path) -> None:
    assert rate_limit({"XDG_DATA_HOME": str(tmp_path / "nothing")}, None, None)(LOCAL).qps == 500
