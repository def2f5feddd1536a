"""Certificates that do not fit, and who is told to mend what."""

from __future__ import annotations

from pathlib import Path

import pytest

from knavtool.errors import ClusterError, Invalid, Unauthorized, Unreachable
from knavtool.kube.connecting import connect
from support import kubeconfigs
from support.api_server import Answer, refuse, serve
from support.certificates import Authority, Pair
from support.clock import Clock

VERSION = Answer(body={"gitVersion": "v1.37.2"})


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def reach(path: Path, clock: Clock) -> str:
    """Connect with a kubeconfig; nothing that is wrong with certificates is worth waiting for."""
    try:
        async with connect(kubeconfig=path, context=None) as client:
            return await client.version()
    finally:
        assert clock.slept == []


async def test_both_sides_trust_each_other(tmp_path: Path, authority: Authority, clock: Clock) -> None:
    own = authority.issue("client", client=True)
    async with serve(authority.serving(authority.issue("server"), require_clients=True)) as server:
        server.on("GET", "/version", VERSION)
        path = kubeconfigs.write(tmp_path / "config", server.url, authority=authority.certificate, client=own)
        assert await reach(path, clock) == "v1.37.2"


async def test_an_unknown_authority(tmp_path: Path, authority: Authority, clock: Clock) -> None:
    other = Authority(tmp_path, "other")
    async with serve(authority.serving(authority.issue("server"))) as server:
        path = kubeconfigs.write(tmp_path / "config", server.url, authority=other.certificate)
        with pytest.raises(ClusterError, match="is not trusted: unable to get local issuer certificate") as caught:
            await reach(path, clock)
    assert server.url in caught.value.message
    assert "certificate-authority does not belong to this server" in caught.value.hint


async def test_an_expired_certificate_of_the_server(tmp_path: Path, authority: Authority, clock: Clock) -> None:
    async with serve(authority.serving(authority.issue("server", expired=True))) as server:
        path = kubeconfigs.write(tmp_path / "config", server.url, authority=authority.certificate)
        with pytest.raises(ClusterError, match="is not trusted: certificate has expired") as caught:
            await reach(path, clock)
    assert "the server's certificate has expired" in caught.value.hint


async def test_a_certificate_for_another_address(tmp_path: Path, authority: Authority, clock: Clock) -> None:
    async with serve(authority.serving(authority.issue("server", address="127.0.0.2"))) as server:
        path = kubeconfigs.write(tmp_path / "config", server.url, authority=authority.certificate)
        with pytest.raises(ClusterError, match=r"not valid for '127\.0\.0\.1'") as caught:
            await reach(path, clock)
        assert "tls-server-name" in caught.value.hint
        server.on("GET", "/version", VERSION)
        kubeconfigs.write(path, server.url, authority=authority.certificate, server_name="127.0.0.2")
        assert await reach(path, clock) == "v1.37.2"


@pytest.mark.parametrize("token", ["", "t"])
async def test_the_server_does_not_accept_an_expired_certificate(
    tmp_path: Path, authority: Authority, clock: Clock, token: str
) -> None:
    own = authority.issue("client", client=True, expired=True)
    async with serve(authority.serving(authority.issue("server"))) as server:
        server.on("GET", "/version", refuse(401, "Unauthorized", "Unauthorized"))
        path = kubeconfigs.write(
            tmp_path / "config", server.url, authority=authority.certificate, client=own, token=token
        )
        with pytest.raises(Unauthorized, match="reach the API server: Unauthorized") as caught:
            await reach(path, clock)
    assert caught.value.hint == "the client certificate expired at 2024-02-03 04:05 UTC; get a new one"


async def test_the_server_ends_the_connection_of_an_expired_certificate(
    tmp_path: Path, authority: Authority, clock: Clock
) -> None:
    own = authority.issue("client", client=True, expired=True)
    async with serve(authority.serving(authority.issue("server"), require_clients=True)) as server:
        path = kubeconfigs.write(tmp_path / "config", server.url, authority=authority.certificate, client=own)
        with pytest.raises(ClusterError) as caught:
            await reach(path, clock)
    assert "expired at 2024-02-03 04:05 UTC" in caught.value.hint


@pytest.mark.parametrize(
    ("own", "hint"), [(True, "does not know the authority that signed"), (False, "the token may have expired")]
)
async def test_credentials_that_are_not_accepted(
    tmp_path: Path, authority: Authority, clock: Clock, own: bool, hint: str
) -> None:
    client: Pair | None = authority.issue("client", client=True) if own else None
    async with serve(authority.serving(authority.issue("server"))) as server:
        server.on("GET", "/version", refuse(401, "Unauthorized"))
        path = kubeconfigs.write(
            tmp_path / "config", server.url, authority=authority.certificate, client=client, token="t"
        )
        with pytest.raises(Unauthorized) as caught:
            await reach(path, clock)
    assert hint in caught.value.hint
    assert server.requests[0].headers["authorization"] == "Bearer t"


async def test_tls_spoken_to_a_port_without_it(tmp_path: Path, authority: Authority, clock: Clock) -> None:
    async with serve() as server:
        url = server.url.replace("http://", "https://")
        path = kubeconfigs.write(tmp_path / "config", url, authority=authority.certificate)
        with pytest.raises(ClusterError, match=f"reach the API server: TLS with {url} failed") as caught:
            await reach(path, clock)
    assert "does the server speak https" in caught.value.hint


async def test_http_spoken_to_a_port_with_tls(tmp_path: Path, authority: Authority, clock: Clock) -> None:
    async with serve(authority.serving(authority.issue("server"))) as server:
        url = server.url.replace("https://", "http://")
        with pytest.raises(Unreachable, match=f"{url} does not answer"):
            await reach(kubeconfigs.write(tmp_path / "config", url), clock)


async def test_http_spoken_to_a_real_api_server(tmp_path: Path, clock: Clock) -> None:
    # Servers written in Go recognize it and answer in plain text.
    async with serve() as server:
        server.on("GET", "/version", Answer(status=400, body="Client sent an HTTP request to an HTTPS server.\n"))
        with pytest.raises(Invalid, match=r"API server: Client sent an HTTP request to an HTTPS server\.$"):
            await reach(kubeconfigs.write(tmp_path / "config", server.url), clock)
