"""Which Prometheus belongs to a cluster."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from knavtool.engines.local import prometheus
from knavtool.engines.local.prometheus import find_prometheus, local_address
from knavtool.engines.local.state import record
from knavtool.engines.local.state.layout import cluster_files
from knavtool.engines.local.state.record import Record
from knavtool.errors import NotFound


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}


def cluster(environment: dict[str, str], name: str, port: int, **more: Any) -> None:
    files = cluster_files(name, environment)
    files.directory.mkdir(parents=True)
    ports = {"kube-apiserver/https": port, "prometheus/http": port + 1}
    record.save(
        files, Record(**{"ports": ports, "components": {"kwok": "1", "prometheus": "2"}, "created": True, **more})
    )


def test_a_local_cluster_is_known_by_its_server(environment: dict[str, str]) -> None:
    assert local_address("https://127.0.0.1:1000", environment) is None
    cluster(environment, "a", 1000)
    cluster(environment, "b", 2000)
    cluster(environment, "bare", 3000, components={"kwok": "1"})
    cluster(environment, "half", 4000, created=False, ports={})
    (cluster_files("odd", environment).directory).mkdir()
    cluster_files("odd", environment).record.write_text("{")
    found = {port: local_address(f"https://127.0.0.1:{port}", environment) for port in (1000, 2000, 3000, 4000, 5000)}
    assert found == {
        1000: "http://127.0.0.1:1001",
        2000: "http://127.0.0.1:2001",
        3000: None,
        4000: None,
        5000: None,
    }
    assert local_address("https://10.0.0.1:1000", environment) is None


async def test_the_order(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    proxied: list[Any] = ["proxied", None]

    async def of_operator(_: Any) -> Any:
        return proxied.pop(0)

    monkeypatch.setattr(prometheus, "proxied_prometheus", of_operator)
    cluster(environment, "a", 1000)
    local, other = (SimpleNamespace(server=f"https://127.0.0.1:{port}") for port in (1000, 7000))
    async with find_prometheus(local, url="http://x:1/p/", environment=environment) as found:
        assert found.place == "http://x:1/p"
    async with find_prometheus(local, url=None, environment=environment) as found:
        assert found.place == "http://127.0.0.1:1001"
    async with find_prometheus(other, url=None, environment=environment) as found:
        assert found == "proxied"
    with pytest.raises(NotFound, match="no Prometheus watches the cluster at https://127") as caught:
        async with find_prometheus(other, url=None, environment=environment):
            pass
    assert "`knavtool cluster up`" in caught.value.hint
