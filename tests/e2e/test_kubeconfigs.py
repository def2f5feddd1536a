"""Kubeconfigs as people have them, on a real control plane."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from knavtool.errors import ExitCode
from support import kubeconfigs
from support.control_plane import LocalCluster

pytestmark = pytest.mark.cluster

ARN = "arn:aws:eks:eu-west-1:000000000000:cluster/gpu/lab"
Cli = Callable[..., CompletedProcess[str]]


@pytest.fixture
def pki(control_plane: LocalCluster, tmp_path: Path) -> Path:
    """Copies of the administrator's certificates beside the kubeconfigs of a test."""
    directory = tmp_path / "pki"
    directory.mkdir()
    for name in ("ca.crt", "admin.crt", "admin.key"):
        (directory / name).write_bytes((control_plane.files.pki / name).read_bytes())
    return directory


def test_two_files_and_relative_paths(
    control_plane: LocalCluster, knavtool: Cli, tmp_path: Path, pki: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pki.is_dir()
    one = {
        "clusters": [{"name": ARN, "cluster": {"server": control_plane.server, "certificate-authority": "pki/ca.crt"}}],
        "contexts": [{"name": ARN, "context": {"cluster": ARN, "user": ARN}}],
        "users": None,
    }
    user = {"client-certificate": "../pki/admin.crt", "client-key": "../pki/admin.key"}
    two = {"contexts": None, "users": [{"name": ARN, "user": user}], "current-context": ARN}
    (tmp_path / "one").write_text(json.dumps(one, indent="\t"))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "two").write_text("\ufeff" + yaml.safe_dump(two).replace("\n", "\r\n"))
    monkeypatch.setenv("KUBECONFIG", f":{tmp_path / 'nowhere'}:{tmp_path / 'one'}:{tmp_path / 'deep' / 'two'}:")
    knavtool("nodes", "list")


@pytest.mark.parametrize("relative", [False, True])
def test_a_plugin_that_gives_a_certificate(
    control_plane: LocalCluster, knavtool: Cli, tmp_path: Path, pki: Path, relative: bool
) -> None:
    status = {
        "clientCertificateData": (pki / "admin.crt").read_text(),
        "clientKeyData": (pki / "admin.key").read_text(),
    }
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    plugin = tmp_path / "plugin"
    plugin.write_text(f"#!/bin/sh\necho 'session expires in 11 h' >&2\ncat <<'END'\n{json.dumps(answer)}\nEND\n")
    plugin.chmod(0o755)
    path = kubeconfigs.write(
        tmp_path / "config",
        control_plane.server,
        authority=pki / "ca.crt",
        command="./plugin" if relative else str(plugin),
    )
    assert "session expires" not in knavtool("nodes", "list", "--kubeconfig", path).stderr


FAILING: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"command": "no-such-plugin", "installHint": "see example.com"}, "no-such-plugin is not installed"),
    ({}, {"command": "./broken"}, "gives no credentials: it ended with code 3: relogin required"),
    ({"proxy-url": "socks5://127.0.0.1:1"}, {}, "SOCKS proxies are not supported"),
    ({"proxy-url": "http://127.0.0.1:1"}, {}, "the proxy http://127.0.0.1:1 does not answer: Connection refused"),
]


@pytest.mark.parametrize(("cluster", "plugin", "says"), FAILING)
def test_what_fails_is_named_once(
    control_plane: LocalCluster,
    knavtool: Cli,
    tmp_path: Path,
    pki: Path,
    cluster: dict[str, Any],
    plugin: dict[str, Any],
    says: str,
) -> None:
    (tmp_path / "broken").write_text("#!/bin/sh\necho relogin required >&2\nexit 3\n")
    (tmp_path / "broken").chmod(0o755)
    entry = {"apiVersion": "client.authentication.k8s.io/v1", **plugin}
    path = kubeconfigs.write(
        tmp_path / "config",
        control_plane.server,
        authority=pki / "ca.crt",
        cluster_more=cluster,
        user_more={"exec": entry} if plugin else {"token": "none"},
    )
    done = knavtool("nodes", "list", "--kubeconfig", path, check=ExitCode.API_FAILED)
    assert done.stderr.count(says) == 1
    assert done.stderr.startswith("error: ")
    assert control_plane.server not in done.stderr
