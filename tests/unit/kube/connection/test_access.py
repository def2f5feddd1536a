"""Which kubeconfig is read, and what is said about one that cannot be used."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from knavtool.errors import ClusterError, DocumentError, ExitCode, UsageError
from knavtool.kube.connection import access, credentials
from support import kubeconfigs
from support.certificates import Authority
from support.clock import Clock

SERVER = "http://127.0.0.1:1"


def test_the_option_comes_first(tmp_path: Path) -> None:
    given = kubeconfigs.write(tmp_path / "given", SERVER)
    listed = kubeconfigs.write(tmp_path / "listed", SERVER)
    assert access.kubeconfig_files(given, {"KUBECONFIG": str(listed)}) == (given,)


def test_then_the_files_of_the_variable_that_are_there(tmp_path: Path) -> None:
    default = kubeconfigs.write(tmp_path / ".kube" / "config", SERVER)
    one, two = (kubeconfigs.write(tmp_path / name, SERVER) for name in ("one", "two"))
    listed = {"KUBECONFIG": f"{one}:{tmp_path / 'missing'}::{two}", "HOME": str(tmp_path)}
    assert access.kubeconfig_files(None, listed) == (one, two)
    assert access.kubeconfig_files(None, {"KUBECONFIG": "", "HOME": str(tmp_path)}) == (default,)


def test_no_file_is_at_the_option(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"no kubeconfig at {tmp_path / 'x'}") as caught:
        access.kubeconfig_files(tmp_path / "x", {})
    assert "--kubeconfig" in caught.value.hint


def test_no_file_of_the_variable_is_there(tmp_path: Path) -> None:
    # kubectl does not look into the home directory either when the variable is set.
    kubeconfigs.write(tmp_path / ".kube" / "config", SERVER)
    with pytest.raises(UsageError, match=rf"no kubeconfig at {tmp_path}/a:{tmp_path}/b \(\$KUBECONFIG\)") as caught:
        access.kubeconfig_files(None, {"KUBECONFIG": f"{tmp_path}/a:{tmp_path}/b", "HOME": str(tmp_path)})
    assert "cluster up" in caught.value.hint


def test_nothing_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "SERVICE_ACCOUNT_TOKEN", tmp_path / "token")
    with pytest.raises(UsageError, match=f"no cluster to talk to: .* no {tmp_path}/.kube/config"):
        access.kubeconfig_files(None, {"HOME": str(tmp_path)})
    (tmp_path / "token").write_text("t")
    assert access.kubeconfig_files(None, {"HOME": str(tmp_path)}) is None


async def test_a_context_is_chosen_over_several_files(tmp_path: Path) -> None:
    one = kubeconfigs.write(tmp_path / "one", SERVER, context="one", token="first")
    two = kubeconfigs.write(tmp_path / "two", "http://127.0.0.1:2", context="two", token="second")
    found = await access.load([one, two], "two")
    assert (found.server, found.tls()) == ("http://127.0.0.1:2", None)
    assert await found.headers() == {"authorization": "Bearer second"}


BROKEN = [
    ("a: b: c", r"config:1:5: not YAML"),
    ("", "no current-context"),
    ("# nothing\n---\n", "no current-context"),
    ("just text", "expected a map with clusters, users and contexts"),
    ("\x00", "not YAML"),
    ("clusters: []", "no current-context"),
    ("clusters: 1\ncurrent-context: x", "clusters must be a list"),
    ("contexts: [{name: x}, {}]\ncurrent-context: x", r"contexts\[1\] has no name"),
    ("contexts: [{name: x}]\ncurrent-context: x", "the context 'x' names no cluster"),
    ("contexts: [{name: x, context: {cluster: c}}]\ncurrent-context: x", "names the cluster 'c', which is not there"),
    ("contexts: [{name: x, context: 7}]\ncurrent-context: x", r"contexts\[0\].context must be a map"),
    ("contexts: [{name: x}, {name: x}]\ncurrent-context: x", "contexts has two entries 'x'"),
    (
        (
            "contexts: [{name: x, context: {cluster: c, user: z}}]\nclusters: [{name: c, cluster: {server: s}}]\n"
            "current-context: x"
        ),
        "names the user 'z', which is not there",
    ),
    (
        (
            "contexts: [{name: x, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: 'tcp://a'}}]\n"
            "current-context: x"
        ),
        "has no usable server: tcp://a",
    ),
]


@pytest.mark.parametrize(("text", "says"), BROKEN)
async def test_a_file_that_is_no_kubeconfig(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(DocumentError, match=says) as caught:
        await access.load([path], None)
    assert str(path) in caught.value.message
    assert caught.value.exit_code is ExitCode.BAD_INPUT


async def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(DocumentError, match=r"not UTF-8 text \(byte 0\)"):
        await access.load([path], None)


async def test_an_unknown_context(tmp_path: Path) -> None:
    path = kubeconfigs.write(tmp_path / "config", SERVER)
    with pytest.raises(DocumentError, match=r"there is no context 'other'") as caught:
        await access.load([path], "other")
    assert "get-contexts" in caught.value.hint


async def test_a_certificate_file_that_is_missing(tmp_path: Path) -> None:
    path = kubeconfigs.write(tmp_path / "config", "https://127.0.0.1:1", authority=tmp_path / "ca.crt")
    with pytest.raises(DocumentError, match=f"{tmp_path}/ca.crt"):
        await access.load([path], None)


async def test_a_certificate_file_that_holds_none(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("nonsense")
    path = kubeconfigs.write(tmp_path / "config", "https://127.0.0.1:1", authority=tmp_path / "ca.crt")
    with pytest.raises(ClusterError, match="the certificates of the kubeconfig cannot be used"):
        await access.load([path], None)


PLUGIN = """#!/bin/sh
echo >> "$0.calls"
cat <<END
{{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1",
 "status": {{"token": "token-$(wc -l < "$0.calls")", "expirationTimestamp": "{expires}"}}}}
END
"""


@pytest.mark.parametrize(("expires", "tokens"), [("2024-01-01T00:00:00Z", [2, 3]), ("2124-01-01T00:00:00Z", [1, 1])])
async def test_a_credential_plugin_is_asked_again_when_its_token_has_expired(
    tmp_path: Path, expires: str, tokens: list[int]
) -> None:
    plugin = tmp_path / "plugin"
    plugin.write_text(PLUGIN.format(expires=expires))
    plugin.chmod(0o755)
    path = kubeconfigs.write(tmp_path / "config", SERVER, command=str(plugin))
    found = await access.load([path], None)
    sent = [(await found.headers())["authorization"] for _ in range(2)]
    assert sent == [f"Bearer token-{number}" for number in tokens]


def test_a_kubeconfig_counts_inside_a_pod_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("t")
    monkeypatch.setattr(access, "SERVICE_ACCOUNT_TOKEN", tmp_path / "token")
    given = kubeconfigs.write(tmp_path / "given", SERVER)
    assert access.kubeconfig_files(given, {}) == (given,)
    assert access.kubeconfig_files(None, {"KUBECONFIG": str(given)}) == (given,)
    assert access.kubeconfig_files(None, {}) is None


async def test_an_authority_is_looked_for_beside_its_kubeconfig(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    (tmp_path / "deep").mkdir()
    authority = Authority(tmp_path / "deep")
    path = kubeconfigs.write(
        tmp_path / "config", "https://127.0.0.1:1", authority=authority.certificate.relative_to(tmp_path)
    )
    assert (await access.load([path], None)).tls() is not None


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a pod finds of its service account."""
    (tmp_path / "token").write_text("first")
    (tmp_path / "ca.crt").write_bytes(Authority(tmp_path).certificate.read_bytes())
    monkeypatch.setattr(access, "SERVICE_ACCOUNT_TOKEN", tmp_path / "token")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    return tmp_path


async def test_a_pod_uses_its_service_account(mounted: Path) -> None:
    found = await access.load(None, None)
    assert found.server == "https://[fd00::1]:443"
    assert found.tls() is not None
    assert (await found.headers())["authorization"].lower() == "bearer first"


@pytest.mark.parametrize("missing", ["ca.crt", "token", "KUBERNETES_SERVICE_HOST"])
async def test_a_pod_that_lacks_something(mounted: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    if missing.isupper():
        monkeypatch.delenv(missing)
    else:
        (mounted / missing).unlink()
    with pytest.raises(DocumentError, match=f"the service account in {mounted}: "):
        await access.load(None, None)


async def test_a_token_file_is_read_again_after_a_minute_or_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    clock.rule(monkeypatch, credentials)
    token = tmp_path / "token"
    token.write_text("first\n")
    path = kubeconfigs.write(tmp_path / "config", SERVER, token_file=token)
    found = await access.load([path], None)
    first = await found.headers()
    assert first == {"authorization": "Bearer first"}
    token.write_text("second\n")
    assert await found.headers() == first
    clock.now += 60
    second = await found.headers()
    assert second == {"authorization": "Bearer second"}
    token.write_text("third")
    await found.renew(first)  # the answer to a request from before
    assert await found.headers() == second
    await found.renew(second)
    assert await found.headers() == {"authorization": "Bearer third"}
    token.unlink()
    await found.renew(await found.headers())
    assert await found.headers() == {"authorization": "Bearer third"}


async def test_a_credential_plugin_is_asked_once_for_many_refusals(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.write_text(PLUGIN.format(expires="2124-01-01T00:00:00Z"))
    plugin.chmod(0o755)
    found = await access.load([kubeconfigs.write(tmp_path / "config", SERVER, command=str(plugin))], None)
    refused = await found.headers()
    await asyncio.gather(*(found.renew(refused) for _ in range(5)))
    assert await found.headers() == {"authorization": "Bearer token-2"}
