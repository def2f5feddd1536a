"""Credential plugins: what they are told, what they give, and what is said when they give nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from knavtool.errors import Unauthorized
from knavtool.kube.connecting import open_client
from knavtool.kube.connection import access, credentials
from knavtool.kube.resource import NODES
from support import kubeconfigs
from support.api_server import Answer, item, refuse, serve
from support.certificates import Authority, Pair
from support.clock import Clock

SERVER = "http://127.0.0.1:1"
FOUND = Answer(body=item("a"))
Program: TypeAlias = Callable[[str], Path]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Write a plugin, a shell script."""

    def write(text: str) -> Path:
        path = tmp_path / "bin" / "plugin"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    return write


def credential(**status: str) -> str:
    """An answer as text for the shell."""
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    return f"cat <<'END'\n{json.dumps(answer)}\nEND"


def given(pair: Pair, **more: str) -> str:
    """An answer with a certificate."""
    return credential(clientCertificateData=pair.certificate.read_text(), clientKeyData=pair.key.read_text(), **more)


async def test_a_relative_plugin_is_beside_its_kubeconfig(
    tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    program(credential(token="t"))
    found = await access.load([kubeconfigs.write(tmp_path / "config", SERVER, command="./bin/plugin")], None)
    assert await found.headers() == {"authorization": "Bearer t"}


async def test_a_plugin_without_a_path_is_looked_for_in_path(
    tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{program(credential(token='t')).parent}:/bin:/usr/bin")
    found = await access.load([kubeconfigs.write(tmp_path / "config", SERVER, command="plugin")], None)
    assert await found.headers() == {"authorization": "Bearer t"}


async def test_what_a_plugin_is_told(tmp_path: Path, program: Program) -> None:
    authority = Authority(tmp_path)
    plugin = program(f'echo "$KUBERNETES_EXEC_INFO" > "$0.told"; echo "$1 $WORD" >> "$0.told"\n{credential(token="t")}')
    entry = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": str(plugin),
        "args": ["login"],
        "env": [{"name": "WORD", "value": "open"}],
        "provideClusterInfo": True,
        "interactiveMode": "IfAvailable",
    }
    extension = [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "lab"}}]
    path = kubeconfigs.write(
        tmp_path / "config",
        "https://127.0.0.1:1",
        authority=authority.certificate,
        cluster_more={"extensions": extension, "tls-server-name": "lab"},
        user_more={"exec": entry},
    )
    await access.load([path], None)
    info, words = plugin.with_name("plugin.told").read_text().splitlines()
    spec = json.loads(info)["spec"]
    assert spec["interactive"] is False
    assert spec["cluster"].pop("certificate-authority-data")
    assert spec["cluster"] == {
        "server": "https://127.0.0.1:1",
        "tls-server-name": "lab",
        "config": {"audience": "lab"},
    }
    assert words == "login open"


async def test_a_certificate_of_a_plugin_is_renewed_when_it_is_refused(
    tmp_path: Path, program: Program, clock: Clock
) -> None:
    authority = Authority(tmp_path)
    one, two = (authority.issue(name, client=True) for name in ("one", "two"))
    program(f'if [ -e "$0.second" ]; then {given(two)}\nelse : > "$0.second"; {given(one)}\nfi')
    async with serve(authority.serving(authority.issue("server"), require_clients=True)) as server:
        server.on("GET", "/api/v1/nodes/a", FOUND, refuse(401, "Unauthorized"), FOUND)
        path = kubeconfigs.write(tmp_path / "config", server.url, authority=authority.certificate, command="bin/plugin")
        async with open_client(await access.load([path], None)) as client:
            await client.get(NODES, "a")
            await client.get(NODES, "a")
        assert [request.client for request in server.requests] == ["one", "one", "two"]


async def test_a_certificate_of_a_plugin_is_renewed_when_it_ends(
    tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    clock.rule(monkeypatch, credentials)
    authority = Authority(tmp_path)
    one, two = (authority.issue(name, client=True) for name in ("one", "two"))
    program(f'if [ -e "$0.second" ]; then {given(two)}\nelse : > "$0.second"; {given(one)}\nfi')
    async with serve(authority.serving(authority.issue("server"), require_clients=True)) as server:
        server.on("GET", "/api/v1/nodes/a", FOUND)
        path = kubeconfigs.write(tmp_path / "config", server.url, authority=authority.certificate, command="bin/plugin")
        async with open_client(await access.load([path], None)) as client:
            await client.get(NODES, "a")
            clock.now += 2 * 24 * 3600  # certificates of tests are good for a day
            await client.get(NODES, "a")
        assert [request.client for request in server.requests] == ["one", "two"]


async def test_a_plugin_that_gives_the_same_again_is_the_end(tmp_path: Path, program: Program, clock: Clock) -> None:
    program(f'echo >> "$0.calls"\n{credential(token="t")}')
    async with serve() as server:
        server.on("GET", "/api/v1/nodes/a", refuse(401, "Unauthorized"))
        path = kubeconfigs.write(tmp_path / "config", server.url, command="bin/plugin")
        async with open_client(await access.load([path], None)) as client:
            with pytest.raises(Unauthorized):
                await client.get(NODES, "a")
        assert len(server.requests) == 1
    assert len((tmp_path / "bin" / "plugin.calls").read_text()) == 2


FAILING = [
    ("echo relogin required >&2; exit 254", {}, "it ended with code 254: relogin required"),
    ("printf 'a\\n\\033[31mred\\n' >&2; kill -9 $$", {}, "it ended with code -9: a; [31mred"),
    ("echo nonsense", {}, "its answer is not JSON"),
    ("echo '[]'", {}, "its answer is no ExecCredential with a status"),
    (credential(), {}, "its answer has neither a token nor a certificate with its key"),
    (credential(clientCertificateData="x"), {}, "its answer has neither a token nor a certificate with its key"),
    (
        credential(token="t"),
        {"apiVersion": "client.authentication.k8s.io/v1beta1"},
        (
            "it answers with apiVersion client.authentication.k8s.io/v1, the kubeconfig wants "
            "client.authentication.k8s.io/v1beta1"
        ),
    ),
    (credential(token="t"), {"interactiveMode": "Always"}, "it wants to ask something, and there is no terminal"),
]


@pytest.mark.parametrize(("text", "more", "says"), FAILING)
async def test_a_plugin_that_gives_nothing_is_told_once(
    tmp_path: Path, program: Program, text: str, more: dict[str, Any], says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    plugin = program(text)
    entry = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), **more}
    path = kubeconfigs.write(tmp_path / "config", SERVER, user_more={"exec": entry})
    wanted = f"the credential plugin {plugin} gives no credentials: {says}"
    with pytest.raises(Unauthorized, match=re.escape(wanted)) as caught:
        await access.load([path], None)
    assert caught.value.hint == "run it by hand, or log in to the cluster again"
    assert capfd.readouterr() == ("", "")


async def test_a_plugin_that_is_not_installed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    entry = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "no-such-plugin",
        "installHint": "see example.com",
    }
    path = kubeconfigs.write(tmp_path / "config", SERVER, user_more={"exec": entry})
    with pytest.raises(Unauthorized, match="the credential plugin no-such-plugin is not installed") as caught:
        await access.load([path], None)
    assert caught.value.hint == "see example.com"
    assert capfd.readouterr() == ("", "")


async def test_what_a_plugin_says_beside_a_good_answer_is_left_out(
    tmp_path: Path, program: Program, capfd: pytest.CaptureFixture[str]
) -> None:
    program(f"echo 'session expires in 11 h' >&2\n{credential(token='t')}")
    await access.load([kubeconfigs.write(tmp_path / "config", SERVER, command="bin/plugin")], None)
    assert capfd.readouterr() == ("", "")
