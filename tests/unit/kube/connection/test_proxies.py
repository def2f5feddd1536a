"""`proxy-url` of a kubeconfig: requests go through it, and it is named when it is the one that fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from knavtool.errors import ClusterError, ExitCode, Unreachable
from knavtool.kube.connecting import open_client
from knavtool.kube.connection import access, failures, transport
from knavtool.kube.resource import NODES
from support import kubeconfigs
from support.api_server import Answer, item, serve
from support.certificates import Authority
from support.tunnel import tunnel


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Wait a tenth of a second for connections."""
    for module in (failures, transport):
        monkeypatch.setattr(module, "CONNECTED_WITHIN", 0.05)
    transport._timeout.cache_clear()
    yield
    transport._timeout.cache_clear()


async def ask(path: Path) -> None:
    async with open_client(await access.load([path], None), retry_timeout=0) as client:
        assert (await client.get(NODES, "a"))["metadata"]["name"] == "a"


async def test_requests_go_through_a_proxy(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with serve(authority.serving(authority.issue("server", address="127.0.0.9"))) as server, tunnel() as proxy:
        server.on("GET", "/api/v1/nodes/a", Answer(body=item("a")))
        with_user = proxy.url.replace("http://", "http://me:secret@")
        path = kubeconfigs.write(
            tmp_path / "config",
            server.url,
            authority=authority.certificate,
            server_name="127.0.0.9",
            cluster_more={"proxy-url": with_user},
        )
        await ask(path)
        assert proxy.asked[0].startswith(f"CONNECT {server.url.removeprefix('https://')} ")
        assert "Proxy-Authorization: Basic bWU6c2VjcmV0" in proxy.asked[0]


async def test_a_proxy_where_nobody_listens(tmp_path: Path, refused_port: int) -> None:
    more = {"proxy-url": f"http://me:secret@127.0.0.1:{refused_port}"}
    path = kubeconfigs.write(tmp_path / "config", "https://10.0.0.1:6443", cluster_more=more)
    with pytest.raises(Unreachable, match=f"the proxy http://127.0.0.1:{refused_port} does not answer: ") as caught:
        await ask(path)
    assert "Connection refused" in caught.value.message
    assert "10.0.0.1" not in caught.value.message
    assert "proxy-url" in caught.value.hint
    assert "secret" not in f"{caught.value.message}{caught.value.hint}"


@pytest.mark.parametrize(
    ("answer", "kind"), [("407 Proxy Authentication Required", ClusterError), ("502 Bad Gateway", Unreachable)]
)
async def test_a_proxy_that_does_not_connect(tmp_path: Path, answer: str, kind: type[ClusterError]) -> None:
    async with tunnel(answer) as proxy:
        path = kubeconfigs.write(tmp_path / "config", "https://10.0.0.1:6443", cluster_more={"proxy-url": proxy.url})
        with pytest.raises(ClusterError, match=f"the proxy {proxy.url} did not connect: {answer}") as caught:
            await ask(path)
    assert type(caught.value) is kind


@pytest.mark.usefixtures("impatient")
async def test_a_proxy_that_says_nothing(tmp_path: Path) -> None:
    async with tunnel(None) as proxy:
        path = kubeconfigs.write(tmp_path / "config", "https://10.0.0.1:6443", cluster_more={"proxy-url": proxy.url})
        with pytest.raises(Unreachable, match=rf"the proxy {proxy.url} made no connection within 0\.1 s"):
            await ask(path)
        assert len(proxy.asked) == 1


@pytest.mark.parametrize(
    ("proxy", "says"),
    [
        ("socks5://me:secret@127.0.0.1:1080", "socks5://127.0.0.1:1080: SOCKS proxies are not supported"),
        ("ftp://127.0.0.1", "this kind of proxy is not supported"),
        ("127.0.0.1:3128", "this kind of proxy is not supported"),
        ("http://[1", "this kind of proxy is not supported"),
    ],
)
async def test_a_proxy_of_a_kind_that_is_not_supported(tmp_path: Path, proxy: str, says: str) -> None:
    path = kubeconfigs.write(tmp_path / "config", "https://10.0.0.1:6443", cluster_more={"proxy-url": proxy})
    with pytest.raises(ClusterError, match=says) as caught:
        await ask(path)
    assert caught.value.exit_code is ExitCode.API_FAILED
    assert "ssh -L" in caught.value.hint
    assert "secret" not in caught.value.message
