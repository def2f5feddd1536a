"""Kubeconfigs as people have them, used against a server that asks for client certificates."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from knavtool.errors import ClusterError, DocumentError, Unauthorized
from knavtool.kube.connecting import open_client
from knavtool.kube.connection import access
from knavtool.kube.connection.kubeconfig import choose
from knavtool.kube.resource import NODES
from support import kubeconfigs
from support.api_server import Answer, ApiServer, item, serve
from support.certificates import Authority, Pair

ARN = "arn:aws:eks:eu-west-1:000000000000:cluster/gpu/lab"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    (tmp_path / "pki").mkdir()
    return Authority(tmp_path / "pki")


@pytest.fixture
def me(authority: Authority) -> Pair:
    return authority.issue("me", client=True)


@pytest.fixture
async def guarded(authority: Authority) -> AsyncIterator[ApiServer]:
    """A server that lets nobody in without a certificate of the authority."""
    async with serve(authority.serving(authority.issue("server"), require_clients=True)) as server:
        server.on("GET", "/api/v1/nodes/a", Answer(body=item("a")))
        yield server


async def ask(*files: Path, context: str | None = None) -> None:
    """Get a node with what the kubeconfigs say."""
    async with open_client(await access.load(files, context), retry_timeout=0) as client:
        assert (await client.get(NODES, "a"))["metadata"]["name"] == "a"


def entries(path: Path, text: dict[str, Any] | str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text if isinstance(text, str) else yaml.safe_dump(text))
    return path


async def test_each_path_is_beside_the_file_in_which_it_stands(
    tmp_path: Path, guarded: ApiServer, me: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    # A first file without a current context, and with null where the other one has lists.
    one = {
        "clusters": [
            {"name": ARN, "cluster": {"server": guarded.url, "certificate-authority": "../pki/authority.crt"}}
        ],
        "contexts": [{"name": ARN, "context": {"cluster": ARN, "user": ARN}}],
        "users": None,
        "current-context": "",
    }
    pair = {"client-certificate": "pki/me.crt", "client-key": "pki/me.key"}
    two = {"clusters": None, "contexts": None, "users": [{"name": ARN, "user": pair}], "current-context": ARN}
    await ask(entries(tmp_path / "deep" / "one", one), entries(tmp_path / "two", two))
    assert [request.client for request in guarded.requests] == ["me"]


def test_the_first_entry_and_the_first_named_current_context_count(tmp_path: Path) -> None:
    kubeconfigs.write(tmp_path / "a", "http://first", context="lab")
    kubeconfigs.write(tmp_path / "b", "http://second", context="lab")
    kubeconfigs.write(tmp_path / "c", "http://third", context="other")
    empty = entries(tmp_path / "empty", "clusters: null\ncontexts: null\nusers: null\ncurrent-context: ''\n")
    nothing = entries(tmp_path / "nothing", "# deleted\n")
    found = choose([nothing, empty, tmp_path / "a", tmp_path / "b", tmp_path / "c", empty], None)
    assert (found.context, found.cluster["server"]) == ("lab", "http://first")
    assert choose([tmp_path / "a", tmp_path / "c"], "other").cluster["server"] == "http://third"


@pytest.mark.parametrize(
    "form",
    [
        lambda content: json.dumps(content, indent="\t"),
        lambda content: yaml.safe_dump(content).replace("\n", "\r\n"),
        lambda content: "\ufeff# Copyright of somebody\n--- # made by a tool\n" + yaml.safe_dump(content),
    ],
)
def test_the_form_of_the_file_does_not_matter(tmp_path: Path, form: Any) -> None:
    path = kubeconfigs.write(tmp_path / "config", "http://a")
    path.write_bytes(form(yaml.safe_load(path.read_text())).encode())
    assert choose([path], None).cluster == {"server": "http://a"}


def test_names_are_text_whatever_yaml_takes_them_for(tmp_path: Path) -> None:
    text = "contexts: [{name: 2024-01-01, context: {cluster: 7}}]\nclusters: [{name: '7', cluster: {server: s}}]\n"
    found = choose([entries(tmp_path / "config", text + "current-context: 2024-01-01\n")], None)
    assert (found.context, found.cluster["server"]) == ("2024-01-01", "s")


async def test_one_context_alone_says_the_same_elsewhere(
    tmp_path: Path, guarded: ApiServer, authority: Authority, me: Pair
) -> None:
    del authority
    pair = {"client-certificate": "pki/me.crt", "client-key": "pki/me.key"}
    more = {"certificate-authority": "pki/authority.crt"}
    kubeconfigs.write(tmp_path / "config", guarded.url, cluster_more=more, user_more=pair)
    content = choose([tmp_path / "config"], None).content()
    await ask(entries(tmp_path / "far" / "away", content))
    assert set(content) == {"apiVersion", "kind", "clusters", "users", "contexts", "current-context"}


async def test_no_verification_and_another_name(tmp_path: Path, guarded: ApiServer, authority: Authority) -> None:
    me = authority.issue("me", client=True)
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    other = Authority(strangers, "other").certificate
    with pytest.raises(ClusterError, match="is not trusted"):
        await ask(kubeconfigs.write(tmp_path / "strict", guarded.url, authority=other, client=me))
    insecure = {"insecure-skip-tls-verify": True}
    await ask(kubeconfigs.write(tmp_path / "loose", guarded.url, authority=other, client=me, cluster_more=insecure))
    named = guarded.url.replace("127.0.0.1", "localhost")
    with pytest.raises(ClusterError, match="is not trusted"):
        await ask(kubeconfigs.write(tmp_path / "name", named, authority=authority.certificate, client=me))
    await ask(
        kubeconfigs.write(
            tmp_path / "named", named, authority=authority.certificate, client=me, server_name="127.0.0.1"
        )
    )


async def test_a_key_that_needs_a_password_is_refused_and_nobody_is_asked(tmp_path: Path, authority: Authority) -> None:
    me = authority.issue("me", client=True)
    key = load_pem_private_key(me.key.read_bytes(), None)
    me.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    with pytest.raises(ClusterError, match="the certificates of the kubeconfig cannot be used"):
        await ask(kubeconfigs.write(tmp_path / "config", "https://127.0.0.1:1", client=me))


async def test_passwords_and_whom_a_user_acts_as(tmp_path: Path) -> None:
    more = {
        "username": "me",
        "password": "pass",
        "as": "robot",
        "as-groups": ["one", "two"],
        "as-user-extra": {"a/b": ["c"]},
    }
    async with serve() as server:
        server.on("GET", "/api/v1/nodes/a", Answer(body=item("a")))
        await ask(kubeconfigs.write(tmp_path / "config", server.url, user_more=more))
        headers = server.requests[0].headers
    assert headers["authorization"] == "Basic bWU6cGFzcw=="
    assert headers["impersonate-user"] == "robot"
    assert headers["impersonate-extra-a%2fb"] == "c"
    found = await access.load([tmp_path / "config"], None)
    assert [value for name, value in found.as_headers if name == "Impersonate-Group"] == ["one", "two"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"client-certificate-data": "%%%x"}, "client-certificate-data is not base64"),
        ({"client-certificate": "nowhere.crt"}, "client-certificate .*/nowhere.crt cannot be read: No such file"),
        ({"tokenFile": "nowhere"}, "tokenFile .*/nowhere cannot be read: No such file"),
    ],
)
async def test_what_a_user_lacks(tmp_path: Path, more: dict[str, Any], says: str) -> None:
    with pytest.raises(DocumentError, match=says):
        await ask(kubeconfigs.write(tmp_path / "config", "https://127.0.0.1:1", user_more=more))


async def test_a_provider_that_is_gone(tmp_path: Path) -> None:
    path = kubeconfigs.write(tmp_path / "config", "http://a", user_more={"auth-provider": {"name": "azure"}})
    with pytest.raises(Unauthorized, match="the auth-provider 'azure' of the context 'test' is not supported"):
        await ask(path)
